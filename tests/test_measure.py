"""Counting errors."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from twister_loop import ErrorCount, Utterance, measure
from twister_loop.leaks import HeldOutTexts
from twister_loop.normalizers.basic import Basic

letters = some.text("abc ", max_size=12)


@pytest.mark.parametrize(
    ("reference", "hypothesis", "counted"),
    [
        ("a b c", "a b c", ErrorCount(hits=3)),
        ("a b c", "a x c d", ErrorCount(substitutions=1, insertions=1, hits=2)),
        ("a b", "", ErrorCount(deletions=2)),
        ("", "a b", ErrorCount(insertions=2)),
        ("", "", ErrorCount()),
    ],
)
def test_words_are_counted(reference: str, hypothesis: str, counted: ErrorCount) -> None:
    assert measure.words(reference, hypothesis) == counted


def test_characters_are_counted_without_spaces() -> None:
    assert measure.characters("per favore", "perfavore") == ErrorCount(hits=9)


def test_the_rate_of_speech_heard_in_silence_is_one_and_of_silence_zero() -> None:
    assert ErrorCount(insertions=3).rate == 1.0 and ErrorCount().rate == 0.0


@given(reference=letters, hypothesis=letters)
def test_counts_explain_both_lengths(reference: str, hypothesis: str) -> None:
    counted = measure.words(reference, hypothesis)
    assert counted.length == len(reference.split())
    assert counted.hits + counted.substitutions + counted.insertions == len(hypothesis.split())


@pytest.mark.parametrize(
    ("text", "lang", "normal"),
    [
        ("Premi  2, oppure «#»!", "it", "premi due oppure"),
        ("Dell'utente", "it", "dell utente"),
        ("L’utente", "it", "l utente"),
        ("ＡＢＣ ﬁ", None, "abc fi"),
        ("twenty-one 21", "en", "twenty one twenty one"),
        ("2", None, "2"),
        ("2", "xx", "2"),
        ("안녕, 하세요.", "ko", "안녕 하세요"),
        ("9" * 20, "it", "9" * 20),
    ],
)
def test_texts_are_brought_to_the_form_in_which_they_are_compared(
    text: str, lang: str | None, normal: str
) -> None:
    assert Basic().normalize(text, lang) == normal


def test_numbers_can_keep_the_form_in_which_they_were_written() -> None:
    assert Basic().as_spelled().normalize("Premi 2", "it") == "premi 2"


def test_the_bootstrap_is_paired_seeded_and_signed() -> None:
    worse = [ErrorCount(substitutions=2, hits=8)] * 50
    better = [ErrorCount(substitutions=1, hits=9)] * 50
    drawn = measure.paired_bootstrap(better, worse, seed=1)
    assert np.allclose(drawn, -0.1)
    mixed = [better[0], worse[0]] * 25
    assert (np.quantile(measure.paired_bootstrap(mixed, worse, 1), [0, 1]) <= 0).all()
    assert (
        measure.paired_bootstrap(mixed, worse, 1) == measure.paired_bootstrap(mixed, worse, 1)
    ).all()


def test_utterances_that_do_not_pair_are_refused() -> None:
    with pytest.raises(ValueError, match="cannot be paired"):
        measure.paired_bootstrap([ErrorCount()], [], seed=1)


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("the number you have dialed is wrong", True),
        ("The number you have dialed is busy!", True),
        ("the number you have now is not theirs", False),
        ("wrong is dialed have you number the", True),
        ("the number", False),
        ("", False),
        ("the the the the the number you", False),
    ],
)
def test_a_text_is_near_when_it_shares_four_fifths_of_the_words(text: str, near: bool) -> None:
    held_out = [Utterance(id="1", text="the number you have dialed is wrong", lang="en")]
    assert HeldOutTexts(held_out).near(Utterance(id="2", text=text, lang="en")) is near


def test_unspaced_scripts_are_compared_by_character() -> None:
    held_out = HeldOutTexts([Utterance(id="1", text="您拨打的电话号码是空号", lang="zh")])
    assert held_out.near(Utterance(id="2", text="您拨打的电话号码是错号", lang="zh"))
    assert not held_out.near(Utterance(id="2", text="请稍后再试一次谢谢您", lang="zh"))
