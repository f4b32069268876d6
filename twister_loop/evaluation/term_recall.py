"""Recall of key terms in transcripts, and errors on all other words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from ..core.types import ErrorCount, Language, Measure, Proportion, TermCount
from ..text import scripts
from ..text.key_terms import Span, TermFinder
from ..text.normalizers._base import Normalizer
from .metrics import count_edits_within, count_token_edits


class TermCounter:
    """Counter of key terms in pairs of reference and transcript.

    Args:
        key_terms: Terms of the plan.
        normalizer: Normalizer of the plan; terms are normalized like texts.
        measure: Measure of the set. Terms are compared by word; of unspaced scripts, and by the
            character error rate of Hangul too, by character.

    >>> from ..text.normalizers.basic import Basic
    >>> counter = TermCounter(("Conto corrente",), Basic(), "words")
    >>> counter.count("apra un conto corrente", "apra un canto corrente", "it")
    TermCount(recall=Proportion(count=0, total=1), others=ErrorCount(substitutions=0, deletions=0, \
insertions=0, hits=2))
    """

    def __init__(self, key_terms: Sequence[str], normalizer: Normalizer, measure: Measure) -> None:
        def split(text: str, lang: Language | None) -> list[str]:
            return split_term_units(normalizer.normalize(text, lang), measure)

        self._measure, self._finder = measure, TermFinder(key_terms, split)

    def count(self, reference: str, hypothesis: str, lang: Language | None) -> TermCount:
        """Count the terms of a reference that its transcript has at that place.

        Reference and transcript are aligned with the fewest errors; of such alignments one is taken
        that matches terms where one does.

        Args:
            reference: Normalized text.
            hypothesis: Normalized transcript.
            lang: Language of both.
        """
        # Both texts share the letters that stand for their words, or no word would match.
        units = split_term_units(reference, self._measure)
        letters: dict[str, str] = {}
        return _align_terms(
            _Tokens.of(units, self._measure, letters),
            _Tokens.of(split_term_units(hypothesis, self._measure), self._measure, letters),
            self._finder.find(units, lang),
        )


def split_term_units(text: str, measure: Measure) -> list[str]:
    """Return the units of a normalized text in which terms are looked for.

    By the character error rate, words of spaced scripts stay whole, so that `art` is not found in
    `party`; Korean is split into syllables, so that a term is found before its particles.

    >>> split_term_units("인터넷이 wifi", "characters")
    ['인', '터', '넷', '이', 'wifi']
    """
    if measure == "words":
        return text.split()
    return scripts.split_units(text, "syllable" if measure == "characters" else "word")


@dataclass(frozen=True)
class _Tokens:
    """Tokens that a measure counts, and the places of the units that hold them."""

    units: Sequence[str]
    tokens: str
    """One letter for each token."""
    starts: Sequence[int]
    """Place of the first token of each unit, and the number of tokens last; (units + 1,)."""

    @classmethod
    def of(cls, units: Sequence[str], measure: Measure, letters: dict[str, str]) -> _Tokens:
        """Return the tokens of a text; `letters` by word are shared by both texts of a pair."""
        if measure == "characters":
            return cls(units, "".join(units), [0, *accumulate(map(len, units))])
        # Words become letters, since rapidfuzz compares texts 30 times faster than lists of texts.
        tokens = (letters.setdefault(unit, chr(len(letters))) for unit in units)
        return cls(units, "".join(tokens), range(len(units) + 1))

    def places_of(self, units: Sequence[str]) -> list[Span]:
        """Return where a sequence of units occurs, in tokens."""
        size = len(units)
        return [
            (self.starts[start], self.starts[start + size])
            for start in range(len(self.units) - size + 1)
            if self.units[start : start + size] == units
        ]


def _align_terms(reference: _Tokens, hypothesis: _Tokens, spans: Sequence[Span]) -> TermCount:
    """Return recall and other errors; spans are in units of the reference."""
    # Both texts are read from left to right. Before `done` both are aligned already, and a term is
    # recalled if the rest can be aligned through it without an error more.
    done, heard_done = 0, 0
    recalled, missed = 0, list[Span]()
    others = ErrorCount()
    for first, last in spans:
        start, end = reference.starts[first], reference.starts[last]
        place = _find_place(
            (reference.tokens[done:], hypothesis.tokens[heard_done:]),
            (start - done, end - done),
            [
                (begin - heard_done, stop - heard_done)
                for begin, stop in hypothesis.places_of(reference.units[first:last])
                if begin >= heard_done
            ],
        )
        if place is None:
            missed.append((start, end))
            continue
        begin, stop = place[0] + heard_done, place[1] + heard_done
        others += _count_others(reference, hypothesis, (done, start), (heard_done, begin), missed)
        recalled, missed, done, heard_done = recalled + 1, [], end, stop
    rest, heard_rest = (done, len(reference.tokens)), (heard_done, len(hypothesis.tokens))
    others += _count_others(reference, hypothesis, rest, heard_rest, missed)
    return TermCount(Proportion(recalled, len(spans)), others)


def _find_place(pair: tuple[str, str], term: Span, places: Sequence[Span]) -> Span | None:
    """Return the first place of a term that a shortest alignment of two texts goes through."""
    if not places:
        return None
    reference, hypothesis = pair
    fewest = count_edits_within(reference, hypothesis)
    # The first place that fits: a later one would leave fewer words for the terms that follow.
    for start, end in places:
        if abs(start - term[0]) > fewest:
            # As many insertions or deletions are needed before the term alone.
            continue
        before = count_edits_within(reference[: term[0]], hypothesis[:start], fewest)
        # No number of errors is left for the rest, and rapidfuzz takes none below zero.
        if before > fewest:
            continue
        after = count_edits_within(reference[term[1] :], hypothesis[end:], fewest - before)
        if before + after <= fewest:
            return start, end
    return None


def _count_others(
    reference: _Tokens, hypothesis: _Tokens, span: Span, heard: Span, missed: Sequence[Span]
) -> ErrorCount:
    """Return the errors between two stretches, without those on the tokens of missed terms."""
    in_terms = {place - span[0] for start, end in missed for place in range(start, end)}
    return count_token_edits(
        reference.tokens[slice(*span)], hypothesis.tokens[slice(*heard)], in_terms
    )
