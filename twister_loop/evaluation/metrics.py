"""Counting errors: the only place that knows jiwer."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal, TypeVar

import jiwer
import numpy as np

from ..core.types import ErrorCount, Language, Proportion, Utterance
from ..text import scripts
from ..text.normalizers.basic import Basic

K = TypeVar("K", bound=Hashable)

Unit = Literal["words", "characters"]

FIRST_LETTER = 0x4E00
"""jiwer compares strings; here every distinct token becomes one letter, none of them white."""
MIN_GROUPS = 10
"""Speakers or recordings from which on a bootstrap over them says something."""


def count_word_errors(reference: str, hypothesis: str) -> ErrorCount:
    """Count word errors in two normalized texts; an empty reference makes all words insertions."""
    return _count(reference.split(), hypothesis.split())


def count_character_errors(reference: str, hypothesis: str) -> ErrorCount:
    """Count character errors in two normalized texts, spaces left out."""
    return _count(list(reference.replace(" ", "")), list(hypothesis.replace(" ", "")))


def count_mixed_errors(reference: str, hypothesis: str) -> ErrorCount:
    """Count mixed errors in two normalized texts: Han and kana singly, all else by word.

    This is the mixed error rate of code-switching work (SEAME, ASCEND). Hangul counts by word,
    unless the normalizer sets syllables apart.
    """
    return _count(scripts.split_units(reference), scripts.split_units(hypothesis))


def count_repeated_ngrams(hypothesis: str, size: int = 5) -> Proportion:
    """Runs of `size` units that stood earlier in the same text, of all such runs."""
    units = scripts.split_units(hypothesis)
    runs = [tuple(units[at : at + size]) for at in range(len(units) - size + 1)]
    return Proportion(len(runs) - len(set(runs)), len(runs))


def count_foreign_script(reference: str, hypothesis: str, lang: Language | None) -> Proportion:
    """Letters of a script that belongs neither to the language nor to the reference."""
    return Proportion(*scripts.count_foreign_letters(reference, hypothesis, lang))


def count_utterance_errors(utterance: Utterance, unit: Unit = "characters") -> ErrorCount:
    """Count errors of what was heard against the text, both in their basic form."""
    return count_normalized_errors(
        utterance.text or "", utterance.pred_text or "", utterance.lang, unit
    )


def count_normalized_errors(
    reference: str, hypothesis: str, lang: Language | None, unit: Unit
) -> ErrorCount:
    """Count errors of a text against another, both in their basic form.

    The words of languages that are written without spaces are their characters.
    """
    pair = (Basic().normalize(each, lang) for each in (reference, hypothesis))
    if unit == "words" and lang not in scripts.UNSPACED:
        return count_mixed_errors(*pair)
    return count_character_errors(*pair)


@dataclass(frozen=True)
class AlignmentChunk:
    """A run of words that was heard as another, or as itself."""

    reference: str
    hypothesis: str


def alignment_chunks(reference: str, hypothesis: str) -> Iterator[AlignmentChunk]:
    """Two normalized texts side by side, cut where they begin to agree or to differ."""
    said, heard = scripts.split_units(reference), scripts.split_units(hypothesis)
    if not said or not heard:
        if said or heard:
            yield AlignmentChunk(" ".join(said), " ".join(heard))
        return
    first, second = _letters(said, heard)
    [chunks] = jiwer.process_characters(first, second).alignments
    for _, run in groupby(chunks, lambda chunk: chunk.type != "equal"):
        of = list(run)
        yield AlignmentChunk(
            " ".join(said[of[0].ref_start_idx : of[-1].ref_end_idx]),
            " ".join(heard[of[0].hyp_start_idx : of[-1].hyp_end_idx]),
        )


def sum_counts(counts: Sequence[ErrorCount]) -> ErrorCount:
    """Counts add up; rates do not."""
    return sum(counts, ErrorCount())


AT_A_TIME = 1 << 22
"""Draws held in memory together."""


def paired_bootstrap(
    candidate: Sequence[ErrorCount],
    champion: Sequence[ErrorCount],
    seed: int,
    resamples: int = 2000,
    groups: Sequence[str] | None = None,
) -> np.ndarray:
    """Draw utterances with replacement, and give the sorted differences of the error rates.

    Candidate minus champion, both on the same drawn utterances (Bisani and Ney, 2004).

    Args:
        candidate: Counts of every utterance.
        champion: Counts of the same utterances.
        seed: The same draws every time.
        resamples: How often the whole set is drawn anew.
        groups: What each utterance belongs to; groups are drawn whole.

    Returns:
        Shape (resamples,), ascending; negative where the candidate is better.
    """
    if len(candidate) != len(champion):
        raise ValueError(f"{len(candidate)} and {len(champion)} utterances cannot be paired")
    pairs = zip(candidate, champion, strict=True)
    columns = [(old.length, new.errors - old.errors) for new, old in pairs]
    lengths, gains = _drawn_sums(columns, seed, resamples, groups).T
    return np.sort(gains / np.maximum(lengths, 1.0))


def bootstrap_rates(
    counts: Mapping[K, Sequence[ErrorCount]],
    seed: int,
    resamples: int = 2000,
    groups: Sequence[str] | None = None,
) -> dict[K, np.ndarray]:
    """Error rates of several countings of the same utterances, all on the same draws.

    One drawing serves every model and every measure, so two of them may be subtracted; the draws
    are those of `paired_bootstrap`.

    Args:
        counts: By any name, the counts of every utterance.
        seed: As for `paired_bootstrap`, like the rest.
        resamples: How often the whole set is drawn anew.
        groups: What each utterance belongs to; groups are drawn whole.

    Returns:
        By name, shape (resamples,), in the order of the draws.
    """
    if not counts:
        return {}
    rows = zip(*counts.values(), strict=True)
    columns = [[part for each in row for part in (each.length, each.errors)] for row in rows]
    sums = _drawn_sums(columns, seed, resamples, groups)  # (resamples, 2 x countings)
    rates = sums[:, 1::2] / np.maximum(sums[:, ::2], 1.0)
    return dict(zip(counts, rates.T, strict=True))


def percentile_interval_95(drawn: np.ndarray) -> tuple[float, float]:
    """Between which bounds 95 % of the draws lie."""
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(low), float(high)


def choose_resampling_groups(speech: Sequence[Utterance]) -> tuple[str, list[str]]:
    """What is drawn whole, in words, and the one that each utterance belongs to.

    Errors of one speaker are alike, and so are those within a recording; drawn singly, intervals
    are too narrow. Yet an interval over a handful of speakers says nothing: with fewer than
    `FEWEST_GROUPS` of them, and of recordings too, utterances it is.
    """
    speakers = [each.speaker or "" for each in speech]
    recordings = [str(each.audio_filepath) for each in speech]
    if all(speakers) and len(set(speakers)) >= MIN_GROUPS:
        return "speakers", speakers
    if MIN_GROUPS <= len(set(recordings)) < len(recordings):
        return "recordings", recordings
    return "utterances", [each.id for each in speech]


def _drawn_sums(
    columns: Sequence[Sequence[int]], seed: int, resamples: int, groups: Sequence[str] | None
) -> np.ndarray:
    """Shape (resamples, columns): what every draw of whole groups adds up to."""
    values = np.array(columns, dtype=np.float64)  # (utterances, columns)
    if groups is not None:
        place = {name: number for number, name in enumerate(dict.fromkeys(groups))}
        summed = np.zeros((len(place), values.shape[1]))
        np.add.at(summed, [place[each] for each in groups], values)
        values = summed
    size, rng = len(values), np.random.default_rng(seed)
    found = []
    for rows in _portions(resamples, max(1, AT_A_TIME // size)):
        drawn = rng.integers(0, size, (rows, size)) + size * np.arange(rows)[:, None]
        times = np.bincount(drawn.ravel(), minlength=rows * size)  # each was drawn
        found.append(times.reshape(rows, size).astype(np.float64) @ values)
    return np.concatenate(found)


def _portions(whole: int, most: int) -> Iterator[int]:
    for begun in range(0, whole, most):
        yield min(most, whole - begun)


def _count(reference: list[str], hypothesis: list[str]) -> ErrorCount:
    """Count in one order of the two, whichever is asked for.

    Of several shortest alignments jiwer takes another when the two change places; so what is
    inserted one way is deleted the other way.
    """
    if hypothesis < reference:
        found = _counted(hypothesis, reference)
        return ErrorCount(found.substitutions, found.insertions, found.deletions, found.hits)
    return _counted(reference, hypothesis)


def _counted(reference: list[str], hypothesis: list[str]) -> ErrorCount:
    if not reference or not hypothesis:  # jiwer has no answer to an empty reference
        return ErrorCount(deletions=len(reference), insertions=len(hypothesis))
    found = jiwer.process_characters(*_letters(reference, hypothesis))
    return ErrorCount(found.substitutions, found.deletions, found.insertions, found.hits)


def _letters(first: Sequence[str], second: Sequence[str]) -> tuple[str, str]:
    """Two runs of tokens as strings, every distinct token a letter."""
    distinct = dict.fromkeys([*first, *second])
    letter = {token: chr(FIRST_LETTER + number) for number, token in enumerate(distinct)}
    return "".join(map(letter.__getitem__, first)), "".join(map(letter.__getitem__, second))
