"""Lists of texts are scored as reports count them; what has no counterpart is an error."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jiwer
import pytest

from twister_loop import Manifest, Utterance, load, next_round, score, summarize
from twister_loop.errors import ConfigError

REFERENCES = ["prema uno per il bar", "grazie", "premi il tasto due"]
HYPOTHESES = ["prema uno per bar", "", "premi il tasto due due"]


def test_rates_are_those_of_jiwer_and_intervals_hold_them() -> None:
    scored = score(REFERENCES, HYPOTHESES, language="it")
    assert scored.wer.rate == jiwer.wer(REFERENCES, HYPOTHESES)
    assert scored.wer.count.deletions == 2 and scored.wer.count.insertions == 1
    assert scored.measure == "words" and scored.fitting == scored.wer == scored.mer
    for rate in (scored.wer, scored.cer, scored.mer):
        assert rate.low < rate.rate < rate.high


@pytest.mark.parametrize(
    ("text", "language", "measure"),
    [
        ("今日は", None, "characters"),
        ("안녕", "ko", "characters"),
        ("hello", None, "words"),
        ("我買 iPhone 了", None, "mixed"),
    ],
)
def test_the_measure_fits_the_language(text: str, language: str | None, measure: str) -> None:
    assert score([text], [text], language=language).measure == measure


def test_a_report_of_a_run_scores_as_its_summary_says(world: Path) -> None:
    run = world.parent / "run"
    next_round(load(world), run)
    [round_] = summarize(str(run)).rounds
    summarized = round_.scores["test"]["untouched"]
    scored = score(str(run / "round-01" / "untouched" / "test" / "test"), seed=1)
    assert summarized.words.errors > 0
    assert scored.wer.count == summarized.words
    assert scored.cer.count == summarized.characters
    interval = round_.intervals["test"]["untouched"]["words"]
    assert (scored.wer.low, scored.wer.high) == (interval.low, interval.high)


def test_lists_dictionaries_and_manifests_score_alike(tmp_path: Path) -> None:
    ids = ["a", "b", "c"]
    speech = [Utterance(id=name, text=text) for name, text in zip(ids, REFERENCES, strict=True)]
    references = Manifest.write(speech, tmp_path / "references")
    # In another order: texts with ids are paired by these.
    hypotheses = dict(reversed(list(zip(ids, HYPOTHESES, strict=True))))
    expected = score(REFERENCES, HYPOTHESES)
    assert score(references, hypotheses) == expected
    assert score(tmp_path / "references", hypotheses) == expected
    assert score(dict(zip(ids, REFERENCES, strict=True)), hypotheses) == expected


def test_speakers_are_drawn_whole(tmp_path: Path) -> None:
    speech = [
        Utterance(id=str(number), text="uno due", pred_text="uno", speaker=str(number % 3))
        for number in range(9)
    ]
    assert score(Manifest.write(speech, tmp_path)).resampling_unit == "speakers"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((["a", "b"], ["a"]), "2 references, but 1 hypotheses"),
        (([], []), "there are no references"),
        (({"a": "x"}, {"b": "x"}), "1 references have no hypothesis: 'a'"),
        (({"a": "x"}, {"a": "x", "b": "x"}), "1 hypotheses have no reference: 'b'"),
        ((["a"], [None]), "1 hypotheses are no text: '0'"),
        ((["a"],), "have no hypothesis"),
        (("one sentence", "another"), "pass a list of texts"),
        ((["a"], ["a"], "basik"), "unknown normalizer 'basik'"),
    ],
)
def test_what_cannot_be_scored_is_named(arguments: Any, message: str) -> None:
    texts, [*normalizer] = arguments[:2], arguments[2:]
    with pytest.raises(ConfigError, match=message):
        score(*texts, **({"normalizer": normalizer[0]} if normalizer else {}))


@pytest.mark.parametrize(
    ("language", "hint"), [("Japanese", "'ja'"), ("ko-KR", "'ko'"), ("xyzzy", "such as 'it'")]
)
def test_a_language_that_is_no_code_is_answered(language: str, hint: str) -> None:
    with pytest.raises(ConfigError, match=f"no code of a language; .*{hint}"):
        score(["a"], ["a"], language=language)


def test_numbers_are_compared_as_the_normalizer_spells_them() -> None:
    assert score(["press two"], ["press 2"], language="en").wer.rate == 0
