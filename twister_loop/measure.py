"""Counting errors: the only place that knows jiwer."""

from __future__ import annotations

from collections.abc import Sequence

import jiwer
import numpy as np

from .normalizers.basic import Basic
from .records import ErrorCount, Utterance

FIRST_LETTER = 0x4E00
"""jiwer compares strings; here every distinct token becomes one letter, none of them white."""


def words(reference: str, hypothesis: str) -> ErrorCount:
    """Count word errors in two normalized texts; an empty reference makes all words insertions."""
    return _count(reference.split(), hypothesis.split())


def characters(reference: str, hypothesis: str) -> ErrorCount:
    """Count character errors in two normalized texts, spaces left out."""
    return _count(list(reference.replace(" ", "")), list(hypothesis.replace(" ", "")))


def agreement(utterance: Utterance) -> ErrorCount:
    """Count character errors of what was heard against the text, both in their basic form."""
    normalize = Basic().normalize
    return characters(
        normalize(utterance.text or "", utterance.lang),
        normalize(utterance.pred_text or "", utterance.lang),
    )


def total(counts: Sequence[ErrorCount]) -> ErrorCount:
    """Counts add up; rates do not."""
    return sum(counts, ErrorCount())


def paired_bootstrap(
    candidate: Sequence[ErrorCount],
    champion: Sequence[ErrorCount],
    seed: int,
    resamples: int = 2000,
) -> np.ndarray:
    """Draw utterances with replacement, and give the sorted differences of the error rates.

    Candidate minus champion, both on the same drawn utterances (Bisani and Ney, 2004).

    Returns:
        Shape (resamples,), ascending; negative where the candidate is better.
    """
    if len(candidate) != len(champion):
        raise ValueError(f"{len(candidate)} and {len(champion)} utterances cannot be paired")
    lengths = np.array([count.length for count in champion], dtype=np.float64)  # (n,)
    gains = np.array([c.errors - b.errors for c, b in zip(candidate, champion, strict=True)])
    drawn = np.random.default_rng(seed).integers(0, len(lengths), (resamples, len(lengths)))
    totals = np.maximum(lengths[drawn].sum(axis=1), 1.0)  # (resamples,)
    return np.sort(gains[drawn].sum(axis=1) / totals)


def _count(reference: Sequence[str], hypothesis: Sequence[str]) -> ErrorCount:
    if not reference or not hypothesis:  # jiwer has no answer to an empty reference
        return ErrorCount(deletions=len(reference), insertions=len(hypothesis))
    distinct = dict.fromkeys([*reference, *hypothesis])
    letter = {token: chr(FIRST_LETTER + number) for number, token in enumerate(distinct)}
    counted = jiwer.process_characters(
        "".join(letter[token] for token in reference),
        "".join(letter[token] for token in hypothesis),
    )
    return ErrorCount(counted.substitutions, counted.deletions, counted.insertions, counted.hits)
