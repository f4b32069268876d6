"""A language that a plan leaves to detection, although its references tell it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.pipeline.initial_plan.test_language import CZECH, ENGLISH, ITALIAN
from twister_loop import Utterance
from twister_loop.asr.conformer import Conformer
from twister_loop.asr.whisper.recognizer import WhisperRecognizer
from twister_loop.pipeline.language_check import find_unnamed_language
from twister_loop.types import Plan


def utter(texts: list[str], lang: str | None = None) -> list[Utterance]:
    return [Utterance(id=str(n), text=text, lang=lang) for n, text in enumerate(texts)]


@pytest.fixture
def unnamed(plan: Plan) -> Plan:
    return replace(plan, language=None, asr=WhisperRecognizer())


def test_references_in_one_language_are_told(unnamed: Plan) -> None:
    [warning] = find_unnamed_language(unnamed, {"dev": utter(CZECH), "vowels": utter(ENGLISH)})
    assert warning.startswith("language: the plan names none") and "`language: cs`" in warning


def test_nothing_is_told_where_the_language_is_known_or_is_not_one(unnamed: Plan) -> None:
    def warn(plan: Plan, dev: list[Utterance], test: list[Utterance] | None = None) -> list[str]:
        return list(find_unnamed_language(plan, {"dev": dev, "test": test or []}))

    assert warn(unnamed, utter([*ITALIAN, *ENGLISH])) == []
    assert warn(unnamed, utter(CZECH, "cs")) == []
    assert warn(unnamed, [], utter(CZECH)) == [], "gates decide on development sets alone"
    assert warn(replace(unnamed, language="cs"), utter(CZECH)) == []
    assert warn(replace(unnamed, asr=Conformer()), utter(CZECH)) == []
