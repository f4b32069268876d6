"""References of other recordings are found in any order, and honest weak sets are left alone."""

import random
from collections.abc import Callable

import pytest

from tests.transcripts import misrecognize, sentences
from twister_loop.evaluation.misplaced_references import (
    ShiftedBlock,
    find_misplaced,
    find_shifted_block,
)


def shift(texts: list[str], lines: int) -> list[str]:
    return texts[lines:] + texts[:lines]


def lose_line(texts: list[str], line: int) -> list[str]:
    return [*texts[:line], *texts[line + 1 :], "one that stands nowhere else"]


def shuffle(texts: list[str]) -> list[str]:
    return random.Random(3).sample(texts, len(texts))


@pytest.mark.parametrize("share", [0.0, 0.3, 0.8])
@pytest.mark.parametrize("count", [1, 2, 20, 150])
def test_an_honest_set_is_left_alone_however_weak_the_transcripts(count: int, share: float) -> None:
    references = sentences(count)
    transcripts = misrecognize(references, share)
    assert find_misplaced(references, transcripts) == []
    assert find_shifted_block(references, transcripts) is None


@pytest.mark.parametrize(
    "spoil",
    [
        lambda texts: shift(texts, 1),
        lambda texts: shift(texts, -3),
        lambda texts: shift(texts, 40),
        lambda texts: lose_line(texts, 30),
        lambda texts: texts[::-1],
        shuffle,
    ],
)
def test_references_that_moved_are_found_line_by_line(
    spoil: Callable[[list[str]], list[str]],
) -> None:
    texts = sentences(80)
    references = spoil(texts)
    moved = [line for line, text in enumerate(references) if text != texts[line]]
    misplaced = find_misplaced(references, misrecognize(texts, 0.2))
    lines = {reference.line for reference in misplaced}
    assert len(misplaced) >= 0.85 * len(moved) and lines <= set(moved)
    assert all(references[place.fitting_line] == texts[place.line] for place in misplaced)


@pytest.mark.parametrize(
    ("lines", "block"), [(1, ShiftedBlock(1, 80, -1)), (-2, ShiftedBlock(0, 78, 2))]
)
def test_a_shift_is_found_where_the_same_digits_recur(lines: int, block: ShiftedBlock) -> None:
    rng = random.Random(4)
    spoken = [
        rng.choice("one two three four five six seven eight nine zero".split()) for _ in range(80)
    ]
    shifted = find_shifted_block(shift(spoken, lines), spoken)
    assert shifted is not None and shifted.shift == block.shift
    assert abs(shifted.start - block.start) <= 3 and abs(shifted.end - block.end) <= 3
    # One digit alone tells nothing, since it fits many others.
    assert find_misplaced(shift(spoken, lines), spoken) == []


@pytest.mark.parametrize("accuracy", [0.2, 0.5, 0.9])
@pytest.mark.parametrize("digits", [1, 4])
def test_wrong_digits_fit_other_lines_by_chance(digits: int, accuracy: float) -> None:
    words = "one two three four five six seven eight nine zero".split()
    rng = random.Random(5)
    references = [" ".join(rng.choices(words, k=digits)) for _ in range(200)]
    transcripts = [
        " ".join(word if rng.random() < accuracy else rng.choice(words) for word in text.split())
        for text in references
    ]
    assert find_misplaced(references, transcripts) == []
    assert find_shifted_block(references, transcripts) is None


def test_a_hallucination_that_is_a_sentence_of_the_set_is_no_misplaced_reference() -> None:
    references = sentences(30)
    transcripts = [*references[:25], *[references[3]] * 5]
    assert find_misplaced(references, transcripts) == []
    assert find_shifted_block(references, transcripts) is None


def test_empty_and_unspaced_texts() -> None:
    assert find_misplaced([], []) == [] and find_shifted_block([], []) is None
    assert find_misplaced(["ciao a tutti"] * 30, [""] * 30) == []
    spoken = [
        "今天天气很好",
        "请稍等片刻好吗",
        "电话正忙请稍后再拨",
        "谢谢您的来电再见",
        "按一键转接人工",
    ]
    assert find_misplaced(spoken, spoken) == []
    assert len(find_misplaced(shift(spoken, 1), spoken)) == 5
