"""Misplaced references at the limits of every condition, on texts of exactly known similarity."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from twister_loop.evaluation.metrics import measure_similarities, measure_similarity_matrix
from twister_loop.evaluation.misplaced_references import (
    MAX_SHIFT,
    MisplacedReference,
    ShiftedBlock,
    _deal_out_words,
    _find_heaviest_run,
    _is_long,
    _shifts,
    find_misplaced,
    find_shifted_block,
)

FIRST, SECOND = "abcdefghij" * 2, "klmnopqrst" * 2
"""Two references of twenty letters that have none in common."""


def spoil(text: str, count: int) -> str:
    """Return a transcript with so many wrong letters, from the end."""
    return text[: len(text) - count] + "z" * count


def lines(references: list[str], transcripts: list[str]) -> list[tuple[int, int]]:
    return [
        (misplaced.line, misplaced.fitting_line)
        for misplaced in find_misplaced(references, transcripts)
    ]


def test_similarity_is_that_of_letters_without_spaces() -> None:
    assert measure_similarities(["a b c d"], ["abcd"]).tolist() == [1.0]
    assert measure_similarities(["abcd"], ["a bx"]).tolist() == [0.5]
    # (transcripts, references): two of three, and two of four letters.
    matrix = measure_similarity_matrix(["ab x"], ["abc", "abcd", "xyz"])
    assert np.allclose(matrix, [[2 / 3, 0.5, 0.0]])


@pytest.mark.parametrize(("wrong", "is_found"), [(0, True), (8, True), (9, False)])
def test_the_other_reference_must_fit_by_three_fifths(wrong: int, is_found: bool) -> None:
    transcripts = [spoil(SECOND, wrong), FIRST]
    misplaced = lines([FIRST, SECOND], transcripts)
    assert ((0, 1) in misplaced) is is_found and (1, 0) in misplaced


@pytest.mark.parametrize(("own", "is_found"), [(9, True), (10, False)])
def test_a_reference_that_half_fits_its_own_recording_is_not_misplaced(
    own: int, is_found: bool
) -> None:
    """The transcript begins as its own reference and ends as all of another one."""
    reference = FIRST[:own] + "y" * (20 - own)
    other = FIRST[:own] + SECOND[own:]
    misplaced = lines([reference, other], [other, reference])
    assert misplaced == ([(0, 1), (1, 0)] if is_found else [])


def test_the_other_reference_must_be_better_by_three_tenths() -> None:
    """The own one fits by 0.4, so that the other has to fit by 0.7."""
    for wrong, is_found in ((5, True), (7, False)):
        transcript = spoil(FIRST, wrong)
        own = transcript[:8] + "y" * 12
        misplaced = lines([own, FIRST, SECOND], [transcript, SECOND, "x" * 20])
        assert ((0, 1) in misplaced) is is_found


def test_a_text_that_is_in_its_place_must_not_fit_nearly_as_well() -> None:
    """The misplaced reference fits by 0.9, and a text in its place by 0.75 or 0.85."""
    transcript = spoil(SECOND, 2)
    for wrong, is_found in ((5, True), (3, False)):
        in_place = SECOND[: 20 - wrong] + "w" * wrong
        misplaced = lines([FIRST, SECOND, in_place], [transcript, FIRST, in_place])
        assert ((0, 1) in misplaced) is is_found


def test_short_texts_resemble_each_other_by_chance() -> None:
    assert _is_long("a" * 8) and not _is_long("a" * 7) and not _is_long("a b c d")
    long, short = ("abcdefgh", "ijklmnop"), ("abcdefg", "ijklmno")
    assert lines([*long], [*long[::-1]]) == [(0, 1), (1, 0)]
    assert lines([*short], [*short[::-1]]) == []
    assert lines(["abcdefgh"], ["ijklmnop"]) == [], "one alone has nobody to exchange with"


def test_of_equal_references_the_first_is_named() -> None:
    misplaced = find_misplaced([FIRST, SECOND, SECOND], [SECOND, FIRST, FIRST])
    assert misplaced[0] == MisplacedReference(0, 1)


def test_shuffled_words_have_the_lengths_and_words_of_the_texts() -> None:
    texts = ["a b c", "d e", "f g h i", "j"]
    dealt = _deal_out_words(texts)
    assert [len(text.split()) for text in dealt] == [3, 4], "two words would be the same again"
    assert sorted(" ".join(dealt).split()) == list("abcfghi")
    assert dealt != ["a b c", "f g h i"] and dealt == _deal_out_words(texts)


@given(weights=some.lists(some.integers(-5, 5), max_size=8))
def test_the_heaviest_run_is_that_of_all_runs(weights: list[int]) -> None:
    total, start, end = _find_heaviest_run(np.array(weights, np.float64))
    runs = [sum(weights[a:b]) for a, b in combinations(range(len(weights) + 1), 2)]
    assert total == max([0, *runs]) == sum(weights[start:end])


def test_shifts_are_tried_from_the_nearest_in_both_directions() -> None:
    assert list(_shifts(3)) == [1, -1, 2, -2] and list(_shifts(1)) == list(_shifts(0)) == []
    assert list(_shifts(1000)) == [
        shift for distance in range(1, MAX_SHIFT + 1) for shift in (distance, -distance)
    ]


@pytest.mark.parametrize(("count", "is_found"), [(13, True), (12, False)])
def test_a_block_needs_enough_evidence(count: int, is_found: bool) -> None:
    """Each line that fits the next reference wholly gives 0.8, and 10 are needed."""
    words = [letter * 4 for letter in "abcdefghijklmnopqrstuvwxyz"]
    references = words[: count + 1]
    transcripts = [*references[1:], "--" * 2]
    block = find_shifted_block(references, transcripts)
    assert block == (ShiftedBlock(0, count, 1) if is_found else None)
    backwards = find_shifted_block([*references[1:], "0000"], ["----", *references[1:]])
    assert backwards == (ShiftedBlock(1, count + 1, -1) if is_found else None)


def test_a_shift_that_is_not_clearly_better_is_no_block() -> None:
    """Better by a fifth only, on however many lines, is no evidence."""
    words = [letter * 5 for letter in "abcdefghijklmnopqrstuvwxyz"] * 4
    fifth = [after[:1] + "-" * 4 for after in words[1:]] + ["-----"]
    assert find_shifted_block(words, fifth) is None
    half = [after[:3] + "-" * 2 for after in words[1:]] + ["-----"]
    assert find_shifted_block(words, half) == ShiftedBlock(0, len(words) - 1, 1)
