"""Error counts, alignments and bootstrap intervals.

The only module that imports rapidfuzz for edit operations; jiwer counts with the same function, and
a test compares the two.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import groupby
from typing import TypeVar

import numpy as np
from rapidfuzz.distance import Levenshtein
from rapidfuzz.process import cdist, cpdist

from ..core.types import ErrorCount, Language, Measure, Proportion, Utterance
from ..text import scripts
from ..text.normalizers.basic import Basic
from .paired_test import student_quantile

K = TypeVar("K", bound=Hashable)

MAX_DRAWS_IN_MEMORY = 1 << 22
"""Draws held in memory together: 4 million indices of 8 bytes, 32 MiB."""


def count_word_errors(reference: str, hypothesis: str) -> ErrorCount:
    """Count word errors between two normalized texts.

    With an empty reference all words of the hypothesis are insertions.

    >>> count_word_errors("press two please", "press too please now")
    ErrorCount(substitutions=1, deletions=0, insertions=1, hits=2)
    """
    return _count_errors(reference.split(), hypothesis.split())


def count_character_errors(reference: str, hypothesis: str) -> ErrorCount:
    """Count character errors between two normalized texts, without their spaces."""
    # Spaces are left out because Chinese, Japanese and Korean texts differ in them by style.
    return _count_errors(list(reference.replace(" ", "")), list(hypothesis.replace(" ", "")))


def count_mixed_errors(reference: str, hypothesis: str) -> ErrorCount:
    """Count errors of the mixed error rate (MER): unspaced scripts by character, else by word.

    This is the error rate of code-switching work (SEAME, ASCEND). Hangul counts by word, unless
    the normalizer separates its syllables.
    """
    return _count_errors(scripts.split_units(reference), scripts.split_units(hypothesis))


def count_errors(reference: str, hypothesis: str, measure: Measure) -> ErrorCount:
    """Count errors between two normalized texts by a measure.

    >>> count_errors("今日は", "今日も", "characters").errors
    1
    """
    count = {
        "words": count_word_errors,
        "characters": count_character_errors,
        "mixed": count_mixed_errors,
    }[measure]
    return count(reference, hypothesis)


def count_tokens(text: str, measure: Measure) -> int:
    """Count the tokens of a normalized text, as a measure counts them in references."""
    return count_errors(text, "", measure).length


def measure_similarities(references: Sequence[str], hypotheses: Sequence[str]) -> np.ndarray:
    """Return the share of characters that two texts have in common, without spaces; pair by pair.

    Returns:
        1 minus edits per character of the longer text, 0..1; of shape (texts,).

    >>> measure_similarities(["press one", "press two"], ["press one", "press too"]).tolist()
    [1.0, 0.875]
    """
    return cpdist(
        _without_spaces(hypotheses),
        _without_spaces(references),
        scorer=Levenshtein.normalized_similarity,
    )


def measure_similarity_matrix(hypotheses: Sequence[str], references: Sequence[str]) -> np.ndarray:
    """Return the same of every transcript and every reference; (hypotheses, references)."""
    return cdist(
        _without_spaces(hypotheses),
        _without_spaces(references),
        scorer=Levenshtein.normalized_similarity,
    )


def _without_spaces(texts: Sequence[str]) -> list[str]:
    return [text.replace(" ", "") for text in texts]


def count_repeated_ngrams(hypothesis: str, size: int = 5) -> Proportion:
    """Count n-grams that occur earlier in the same text, and all n-grams.

    >>> count_repeated_ngrams("ja ja ja ja ja ja ja")
    Proportion(count=2, total=3)
    """
    # Hallucination loops are of characters in Chinese and of words in English. Korean may be
    # written without spaces, so it is counted by syllable.
    units = scripts.split_units(hypothesis, "syllable")
    ngrams = [tuple(units[start : start + size]) for start in range(len(units) - size + 1)]
    return Proportion(len(ngrams) - len(set(ngrams)), len(ngrams))


def count_foreign_script(reference: str, hypothesis: str, lang: Language | None) -> Proportion:
    """Count letters of scripts used by neither language nor reference, and all letters."""
    return Proportion(*scripts.count_foreign_letters(reference, hypothesis, lang))


def count_utterance_errors(utterance: Utterance, measure: Measure = "characters") -> ErrorCount:
    """Count errors of an utterance's transcript against its text, both normalized by `basic`."""
    return count_normalized_errors(
        utterance.text or "", utterance.pred_text or "", utterance.lang, measure
    )


def count_normalized_errors(
    reference: str, hypothesis: str, lang: Language | None, measure: Measure
) -> ErrorCount:
    """Count errors between two texts after normalizing both by `basic`."""
    # The plan's normalizer is for scores; filters and trials must not change with it.
    normalize = Basic().normalize
    return count_errors(normalize(reference, lang), normalize(hypothesis, lang), measure)


@dataclass(frozen=True)
class AlignmentChunk:
    """Longest run of words that all match, or all differ, in an alignment of two texts."""

    reference: str
    hypothesis: str


def alignment_chunks(reference: str, hypothesis: str) -> Iterator[AlignmentChunk]:
    """Align two normalized texts, and yield chunks that match and that differ in turn.

    >>> [(chunk.reference, chunk.hypothesis) for chunk in alignment_chunks("a b c", "a x")]
    [('a', 'a'), ('b c', 'x')]
    """
    reference_units = scripts.split_units(reference)
    hypothesis_units = scripts.split_units(hypothesis)
    opcodes = Levenshtein.opcodes(reference_units, hypothesis_units)
    # Neighboring substitutions, insertions and deletions become one chunk that differs.
    for _, group in groupby(opcodes, lambda opcode: opcode.tag != "equal"):
        run = list(group)
        yield AlignmentChunk(
            " ".join(reference_units[run[0].src_start : run[-1].src_end]),
            " ".join(hypothesis_units[run[0].dest_start : run[-1].dest_end]),
        )


def sum_counts(counts: Sequence[ErrorCount]) -> ErrorCount:
    """Add up counts, so that the rate of the sum weights every reference token alike."""
    return sum(counts, ErrorCount())


def paired_bootstrap(
    candidate: Sequence[ErrorCount],
    champion: Sequence[ErrorCount],
    seed: int,
    resamples: int = 2000,
    groups: Sequence[str] | None = None,
) -> np.ndarray:
    """Return sorted differences of two error rates over bootstrap resamples.

    Both models are scored on the same drawn utterances, candidate minus champion (Bisani and Ney,
    2004).

    Args:
        candidate: Counts of every utterance.
        champion: Counts of the same utterances, in the same order.
        seed: Seed of the draws; equal seeds draw the same utterances.
        resamples: Number of times that the whole set is drawn anew.
        groups: Speaker or recording of every utterance. Groups are drawn whole, and utterances
            too: whichever differ more are returned. None draws utterances.

    Returns:
        Shape (resamples,), ascending; negative where the candidate is better.

    Raises:
        ValueError: The models have different numbers of utterances.
    """
    if len(candidate) != len(champion):
        raise ValueError(
            f"a paired bootstrap needs the same utterances of both models, but there are "
            f"{len(candidate)} and {len(champion)}"
        )
    pairs = zip(candidate, champion, strict=True)
    columns = [(old.length, new.errors - old.errors) for new, old in pairs]
    draws = []
    for drawn_groups in (None, groups) if groups is not None else (None,):
        lengths, differences = _resampled_sums(columns, seed, resamples, drawn_groups).T
        # A draw of references without a token has length 0.
        draws.append(_widen(differences / np.maximum(lengths, 1.0), drawn_groups))
    return np.sort(max(draws, key=np.std))


def bootstrap_rates(
    counts: Mapping[K, Sequence[ErrorCount]],
    seed: int,
    resamples: int = 2000,
    groups: Sequence[str] | None = None,
) -> dict[K, np.ndarray]:
    """Return error rates over bootstrap resamples, for several models or measures at once.

    All are computed on the same draws, which are those of `paired_bootstrap`, so the difference of
    two of them is a paired bootstrap too.

    Args:
        counts: By any key, the counts of every utterance.
        seed: Seed of the draws; equal seeds draw the same utterances.
        resamples: Number of times that the whole set is drawn anew.
        groups: Speaker or recording of every utterance; groups are drawn whole. None draws
            utterances.

    Returns:
        By key, shape (resamples,), in the order of the draws.
    """
    if not counts:
        return {}
    # Lengths in even columns and errors in odd ones, so that one matrix product sums both.
    rows = zip(*counts.values(), strict=True)
    columns = [[part for count in row for part in (count.length, count.errors)] for row in rows]
    sums = _resampled_sums(columns, seed, resamples, groups)  # (resamples, 2 x keys)
    rates = sums[:, 1::2] / np.maximum(sums[:, ::2], 1.0)
    return {key: _widen(key_rates, groups) for key, key_rates in zip(counts, rates.T, strict=True)}


def widest_interval_95(*resampled: np.ndarray) -> tuple[float, float]:
    """Return the widest 95 % interval of draws of several units; each of shape (resamples,)."""
    return max(map(percentile_interval_95, resampled), key=lambda ends: ends[1] - ends[0])


def percentile_interval_95(resampled: np.ndarray) -> tuple[float, float]:
    """Return the 95 % percentile bootstrap interval of values of shape (resamples,)."""
    # 2.5 % of the draws on either side.
    low, high = np.quantile(resampled, [0.025, 0.975])
    return float(low), float(high)


def choose_resampling_groups(utterances: Sequence[Utterance]) -> tuple[str, list[str]]:
    """Choose whether a bootstrap draws speakers, recordings or utterances.

    Errors of one speaker are correlated, and so are those within a recording; drawing utterances
    gives intervals that are too narrow. One speaker, or one recording, says nothing of others, so
    from two on they are drawn.

    Returns:
        `speakers`, `recordings` or `utterances`, and the group of every utterance.
    """
    speakers = [utterance.speaker or "" for utterance in utterances]
    recordings = [str(utterance.audio_filepath) for utterance in utterances]
    # One utterance without a speaker would put all such utterances into one group.
    if all(speakers) and len(set(speakers)) > 1:
        return "speakers", speakers
    if 1 < len(set(recordings)) < len(recordings):
        return "recordings", recordings
    return "utterances", [utterance.id for utterance in utterances]


def _resampled_sums(
    columns: Sequence[Sequence[int]], seed: int, resamples: int, groups: Sequence[str] | None
) -> np.ndarray:
    """Return the column sums of every resample of whole groups, shape (resamples, columns)."""
    sums = np.array(columns, dtype=np.float64)  # (utterances, columns)
    # Counts are summed per group first: drawing a group whole is drawing its sum.
    if groups is not None:
        index_of_group = {name: index for index, name in enumerate(dict.fromkeys(groups))}
        group_sums = np.zeros((len(index_of_group), sums.shape[1]))
        np.add.at(group_sums, [index_of_group[name] for name in groups], sums)
        sums = group_sums  # (groups, columns)
    # float64 for the matrix product below (BLAS); counts stay exact up to 2**53.
    size, rng = len(sums), np.random.default_rng(seed)
    # A set of 100,000 utterances would need 1.6 GB for all draws at once.
    batches = []
    for rows in _batch_sizes(resamples, max(1, MAX_DRAWS_IN_MEMORY // size)):
        # Offsets give every resample its own range of numbers, so that one bincount serves all.
        drawn = rng.integers(0, size, (rows, size)) + size * np.arange(rows)[:, None]
        times_drawn = np.bincount(drawn.ravel(), minlength=rows * size).reshape(rows, size)
        # A matrix product instead of gathering the drawn rows: no array of (rows, size, columns).
        batches.append(times_drawn.astype(np.float64) @ sums)
    return np.concatenate(batches)


def _widen(drawn: np.ndarray, groups: Sequence[str] | None) -> np.ndarray:
    """Return draws of a few groups as wide as Student's distribution; shape (resamples,).

    A handful of drawn speakers differ less than speakers do: by a factor of 1.1 with 20 of them,
    1.6 with 5 and 13 with 2.
    """
    count = len(set(groups)) if groups is not None else 0
    # One group says nothing of others, so nothing is known that could be widened.
    if groups is None or count in (1, len(groups)):
        return drawn
    factor = student_quantile(1.96, count - 1) / 1.96 * math.sqrt(count / (count - 1))
    center = drawn.mean()
    return np.asarray(center + factor * (drawn - center))


def _batch_sizes(total: int, largest: int) -> Iterator[int]:
    for start in range(0, total, largest):
        yield min(largest, total - start)


def _count_errors(reference: list[str], hypothesis: list[str]) -> ErrorCount:
    """Count edit operations so that swapping the texts swaps insertions and deletions.

    Several alignments may be equally short, and rapidfuzz picks another one when the texts change
    places. Therefore the smaller list always goes first.
    """
    if hypothesis < reference:
        swapped = count_token_edits(hypothesis, reference)
        return ErrorCount(
            substitutions=swapped.substitutions,
            deletions=swapped.insertions,
            insertions=swapped.deletions,
            hits=swapped.hits,
        )
    return count_token_edits(reference, hypothesis)


def count_token_edits(
    reference: Sequence[str], hypothesis: Sequence[str], left_out: Set[int] = frozenset()
) -> ErrorCount:
    """Count edits between two sequences of tokens, without those at places `left_out`.

    These are places of reference tokens; insertions have none and always count.

    >>> count_token_edits("abc", "axc", left_out={1})
    ErrorCount(substitutions=0, deletions=0, insertions=0, hits=2)
    """
    # `editops` and not `distance`, because the kinds of errors are counted separately.
    edits = Counter(
        edit.tag
        for edit in Levenshtein.editops(reference, hypothesis)
        if edit.tag == "insert" or edit.src_pos not in left_out
    )
    substitutions, deletions = edits["replace"], edits["delete"]
    hits = len(reference) - len(left_out) - substitutions - deletions
    return ErrorCount(substitutions, deletions, edits["insert"], hits)


def count_edits_within(
    reference: Sequence[str], hypothesis: Sequence[str], at_most: int | None = None
) -> int:
    """Return the fewest edits between two sequences of tokens, or `at_most` + 1 if it is more."""
    return Levenshtein.distance(reference, hypothesis, score_cutoff=at_most)
