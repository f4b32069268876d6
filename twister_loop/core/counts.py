"""Counts that add up over utterances and sets; rates of them do not."""

from __future__ import annotations

from dataclasses import dataclass

Share = float
"""Part of a whole, from 0 to 1."""


@dataclass(frozen=True, slots=True)
class ErrorCount:
    """Counts of an alignment between reference and hypothesis. Counts add up; rates do not.

    >>> total = ErrorCount(substitutions=1, hits=9) + ErrorCount(insertions=1, hits=10)
    >>> total.errors, total.length, str(total)
    (2, 20, '10.00%')
    """

    substitutions: int = 0
    deletions: int = 0
    insertions: int = 0
    hits: int = 0

    @property
    def errors(self) -> int:
        """Number of substitutions, deletions and insertions."""
        return self.substitutions + self.deletions + self.insertions

    @property
    def length(self) -> int:
        """Number of tokens of the reference."""
        return self.hits + self.substitutions + self.deletions

    # Errors in silence count as one whole error, so that no rate divides by zero.
    @property
    def insertion_rate(self) -> float:
        """Insertions per reference token, a sign of hallucination."""
        return self.insertions / self.length if self.length else float(self.insertions > 0)

    @property
    def rate(self) -> float:
        """Errors per reference token; an insertion into silence counts as 1.0."""
        return self.errors / self.length if self.length else float(self.errors > 0)

    def __add__(self, other: ErrorCount) -> ErrorCount:
        return ErrorCount(
            self.substitutions + other.substitutions,
            self.deletions + other.deletions,
            self.insertions + other.insertions,
            self.hits + other.hits,
        )

    def __str__(self) -> str:
        return f"{self.rate:.2%}"


@dataclass(frozen=True, slots=True)
class Proportion:
    """Count out of a total. Counts add up; shares do not."""

    count: int = 0
    total: int = 0

    @property
    def share(self) -> Share:
        """Part of the total, 0 if that is 0."""
        return self.count / self.total if self.total else 0.0

    def __add__(self, other: Proportion) -> Proportion:
        return Proportion(self.count + other.count, self.total + other.total)

    def __str__(self) -> str:
        return f"{self.share:.2%}"


@dataclass(frozen=True, slots=True)
class TermCount:
    """Key terms of some references in the transcripts, and errors on all other words.

    >>> TermCount(Proportion(1, 2)) + TermCount(Proportion(2, 2), ErrorCount(insertions=1))
    TermCount(recall=Proportion(count=3, total=4), others=ErrorCount(substitutions=0, deletions=0, \
insertions=1, hits=0))
    """

    recall: Proportion = Proportion()
    """Occurrences of a term in the references that the transcripts have at that place, of all."""
    others: ErrorCount = ErrorCount()
    """Errors on reference words (or characters, by the measure of the set) outside of terms, and
    all inserted words, so that a term that nobody said is an error here."""

    def __add__(self, other: TermCount) -> TermCount:
        return TermCount(self.recall + other.recall, self.others + other.others)
