"""The check of references at its limits: shares, numbers of utterances, error rates, messages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from twister_loop import Utterance
from twister_loop.errors import ConfigError
from twister_loop.evaluation.misplaced_references import MisplacedReference, ShiftedBlock
from twister_loop.pipeline.reference_check import (
    TranscribedSet,
    _find_block,
    check_error_rate,
    check_order,
)
from twister_loop.types import Plan


def transcribed(references: Sequence[str], hypotheses: Sequence[str]) -> TranscribedSet:
    lines = [
        Utterance(
            id=str(n), audio_filepath=Path(f"/{n}.wav"), text=text, pred_text=heard, lang="en"
        )
        for n, (text, heard) in enumerate(zip(references, hypotheses, strict=True))
    ]
    return TranscribedSet("test.dev", "words", lines, references, hypotheses)


def moved(*moves: tuple[int, int]) -> list[MisplacedReference]:
    return [MisplacedReference(line, other) for line, other in moves]


@pytest.mark.parametrize(
    ("moves", "block"),
    [
        ([], None),
        ([(0, 1), (1, 2)], None),
        ([(0, 1), (1, 2), (2, 3)], ShiftedBlock(0, 3, 1)),
        ([(4, 2), (9, 7), (6, 4)], ShiftedBlock(4, 10, -2)),
        # Two that are exchanged are one mistake, and no block.
        ([(0, 1), (1, 0), (2, 3), (3, 2), (4, 5), (5, 4)], None),
        ([(0, 1), (1, 2), (2, 3), (7, 9), (8, 10)], ShiftedBlock(0, 3, 1)),
    ],
)
def test_three_that_moved_by_the_same_lines_are_a_block(
    moves: list[tuple[int, int]], block: ShiftedBlock | None
) -> None:
    assert _find_block(moved(*moves)) == block


def texts(count: int) -> list[str]:
    """Return texts without any letters in common between neighbors."""
    alphabet = "abcdefghijklmnopqrstuvwxyz"
    return [
        "".join(alphabet[(7 * n + place * (n // 26 + 1)) % 26] for place in range(12)) * 2
        for n in range(count)
    ]


def exchange(references: list[str], *pairs: tuple[int, int]) -> list[str]:
    references = list(references)
    for one, other in pairs:
        references[one], references[other] = references[other], references[one]
    return references


def test_single_exchanged_references_are_told_and_a_tenth_is_refused(
    caplog: pytest.LogCaptureFixture,
) -> None:
    spoken = texts(26)
    check_order(transcribed(spoken, spoken))
    assert not caplog.records
    check_order(transcribed(exchange(spoken, (0, 9)), spoken))
    [record] = caplog.records
    assert record.levelname == "WARNING" and "test.dev: 2 of 26 references" in record.getMessage()
    assert "0.wav has the reference" in record.getMessage()
    assert f"fits its transcript {spoken[0]!r}" in record.getMessage()
    with pytest.raises(ConfigError, match="the references of 4 of 26 utterances do not belong"):
        check_order(transcribed(exchange(spoken, (0, 9), (3, 15)), spoken))
    # A tenth exactly is told only.
    forty = texts(40)
    check_order(transcribed(exchange(forty, (0, 9), (3, 15)), forty))
    # Two of few utterances are more than a tenth, and still single mistakes.
    few = spoken[:8]
    check_order(transcribed(exchange(few, (0, 5)), few))


def test_a_block_is_told_with_its_direction() -> None:
    spoken = texts(26)
    up = [*spoken[:10], *spoken[11:], "nowhere else to be found"]
    with pytest.raises(ConfigError, match=r"from 11\.wav on .* slipped up by one line"):
        check_order(transcribed(up, spoken))
    down = [*spoken[:10], "nowhere else", "to be found here", *spoken[10:24]]
    with pytest.raises(ConfigError, match=r"from 10\.wav on .* slipped down by 2 lines"):
        check_order(transcribed(down, spoken))


@pytest.mark.parametrize(
    ("utterances", "wrong", "is_refused"),
    [(20, 18, True), (20, 17, False), (19, 19, False), (40, 36, True), (40, 35, False)],
)
def test_a_set_is_refused_at_the_highest_error_rate_from_twenty_utterances_on(
    plan: Plan, utterances: int, wrong: int, is_refused: bool
) -> None:
    plan = replace(plan, highest_untouched_error=0.9)
    references = ["word"] * utterances
    heard = ["ward"] * wrong + ["word"] * (utterances - wrong)
    checked = transcribed(references, heard)
    if not is_refused:
        return check_error_rate(plan, checked)
    with pytest.raises(ConfigError) as refused:
        check_error_rate(plan, checked)
    message = str(refused.value)
    assert (
        f"WER of {100 * wrong / utterances:.1f} % on this set ({25 * wrong / utterances:.1f} %"
        in message
    )
    assert "0.wav is transcribed as 'ward' and has the reference 'word'" in message
    assert "language (en)" in message and "highest_untouched_error: 0.9" in message
    return None


def test_the_error_rate_is_that_of_the_measure_of_the_set(plan: Plan) -> None:
    by_word = transcribed(["word"] * 20, ["ward"] * 20)
    with pytest.raises(ConfigError, match="WER of 100"):
        check_error_rate(plan, by_word)
    check_error_rate(plan, replace(by_word, measure="characters"))
