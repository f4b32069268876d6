"""References that belong to other recordings of their set: shifted lines, swapped or shuffled ones.

They are found in the transcripts of a model that has not seen them: a reference is misplaced if it
has little in common with the transcript of its recording, and another one has much. Neither weak
transcripts nor texts that recur look like that.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ..core.types import Share
from ..text import scripts
from ..text.script_neutral import encode_letters
from .metrics import measure_similarities, measure_similarity_matrix

# Measured on Whisper base with Italian, French and English prompts (BENCHMARKS.md): transcripts
# share 0.2 of the letters with references of other recordings, at 80 % word errors 0.5 with theirs.
MAX_OWN_FIT: Share = 0.5
"""Similarity of transcript and reference below which the reference may be another recording's."""
MIN_OTHER_FIT: Share = 0.6
"""Similarity from which on another reference may be that of a recording."""
MIN_GAIN: Share = 0.3
"""Similarity by which the other reference must be better."""
MIN_LEAD: Share = 0.1
"""Similarity by which it must be better than texts that are certainly not that recording's."""
MIN_LETTERS = 8
"""Shortest text that is compared, in letters: short ones resemble each other by chance."""
MAX_SUSPECTS = 3000
"""References that are compared with each other; nine million comparisons take about ten seconds."""
MAX_SHIFT = 20
"""Largest number of lines by which references are shifted against their recordings."""
SHIFT_MARGIN: Share = 0.2
"""Similarity by which a shifted reference must be better, in the mean over a block."""
MIN_SHIFT_EVIDENCE = 10.0
"""Sum of the similarity beyond that margin over a block, from which on it is taken for shifted."""


@dataclass(frozen=True)
class MisplacedReference:
    """Reference that fits the recording of another line better."""

    line: int
    """Number of the utterance, from 0, whose own reference does not fit."""
    fitting_line: int
    """Number of the utterance whose reference fits its transcript."""


@dataclass(frozen=True)
class ShiftedBlock:
    """Consecutive utterances whose references are those of lines further down or up."""

    start: int
    end: int
    """Number of the first utterance after the block."""
    shift: int
    """Distance from each utterance to the reference that fits it; positive is further down."""


def find_misplaced(
    references: Sequence[str], hypotheses: Sequence[str]
) -> list[MisplacedReference]:
    """Find references that fit the transcripts of other recordings, in any order.

    Args:
        references: Normalized references of a set, in its order.
        hypotheses: Normalized transcripts of the same utterances.

    Returns:
        The misplaced references by the recordings that they should belong to.

    >>> references = ["press two for sales", "please hold the line", "nobody is available"]
    >>> transcripts = ["please hold a line", "press two for sale", "nobody is available"]
    >>> moved = find_misplaced(references, transcripts)
    >>> [(reference.line, reference.fitting_line) for reference in moved]
    [(0, 1), (1, 0)]
    """
    own = measure_similarities(references, hypotheses)
    # A reference that fits its own recording is not misplaced, however well it fits another one.
    suspects = [
        line
        for line in np.flatnonzero(own < MAX_OWN_FIT)[:MAX_SUSPECTS].tolist()
        if _is_long(references[line]) and _is_long(hypotheses[line])
    ]
    if len(suspects) < 2:
        return []
    transcripts, candidates = (
        [texts[line] for line in suspects] for texts in (hypotheses, references)
    )
    fits = measure_similarity_matrix(transcripts, candidates)
    # Strings of digits, menus: there a wrong transcript fits some reference by chance. Then it also
    # fits one that is in its place, or one of the same words in another order.
    placed = [text for text, fit in zip(references, own, strict=True) if fit >= MAX_OWN_FIT]
    decoys = [*placed, *_deal_out_words(candidates)]
    chance = measure_similarity_matrix(transcripts, decoys).max(axis=1, initial=0.0)
    needed = np.maximum(MIN_OTHER_FIT, own[suspects] + MIN_GAIN)
    # Of several that fit equally, such as two recordings of one text, the first will do.
    best = fits.argmax(axis=1)
    fit = fits[np.arange(len(suspects)), best]
    is_misplaced = (fit >= needed) & (fit >= chance + MIN_LEAD)
    # Where chance explains more transcripts than misplaced references would, it explains all.
    if (chance >= needed).sum() > is_misplaced.sum():
        return []
    return [
        MisplacedReference(suspects[row], suspects[best[row]])
        for row in np.flatnonzero(is_misplaced).tolist()
    ]


def find_shifted_block(references: Sequence[str], hypotheses: Sequence[str]) -> ShiftedBlock | None:
    """Find the longest block of references that are shifted by some lines.

    The evidence of all lines of a block is added up. So it is found where the transcripts are too
    weak, or the texts too short or too often the same, to tell where a single one belongs.

    >>> digits = "one two three four five six seven eight nine ten".split() * 5
    >>> find_shifted_block(digits, digits[:20] + digits[21:] + ["eleven"])
    ShiftedBlock(start=20, end=49, shift=1)
    """
    own = measure_similarities(references, hypotheses)
    blocks = []
    for shift in _shifts(len(references)):
        start, end = max(0, -shift), len(references) - max(0, shift)
        other = measure_similarities(references[start + shift : end + shift], hypotheses[start:end])
        evidence, first, last = _find_heaviest_run(other - own[start:end] - SHIFT_MARGIN)
        blocks.append((evidence, ShiftedBlock(start + first, start + last, shift)))
    evidence, block = max(blocks, key=lambda candidate: candidate[0], default=(0.0, None))
    return block if evidence >= MIN_SHIFT_EVIDENCE else None


def _shifts(count: int) -> Iterator[int]:
    for distance in range(1, min(MAX_SHIFT, count - 1) + 1):
        yield from (distance, -distance)


def _find_heaviest_run(weights: np.ndarray) -> tuple[float, int, int]:
    """Return the largest sum of consecutive weights, and where that run starts and ends."""
    best, total, start = (0.0, 0, 0), 0.0, 0
    for place, weight in enumerate(weights.tolist()):
        # Kadane's algorithm: a run that has lost more than it gained cannot begin the best one.
        if total <= 0:
            total, start = 0.0, place
        total += weight
        best = max(best, (total, start, place + 1))
    return best


def _deal_out_words(texts: Sequence[str]) -> list[str]:
    """Return texts of the same words and lengths, but in which the words are shuffled."""
    # Of texts of one or two words the shuffled ones would be the same again.
    texts_as_units = [units for text in texts if len(units := scripts.split_units(text)) > 2]
    pool = [unit for units in texts_as_units for unit in units]
    # The seed is a property of the set, so that the same set always gets the same answer.
    random.Random(len(pool)).shuffle(pool)
    words = iter(pool)
    return [" ".join(next(words) for _ in units) for units in texts_as_units]


def _is_long(text: str) -> bool:
    return len(encode_letters(text.replace(" ", ""))) >= MIN_LETTERS
