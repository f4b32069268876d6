"""Texts of held-out sets stay out of labels, texts, human and replayed speech, and are counted."""

from __future__ import annotations

from pathlib import Path

import pytest

from twister_loop import Utterance
from twister_loop.audio import io as audio
from twister_loop.audio import toy_language
from twister_loop.core.manifest import Manifest
from twister_loop.core.tallies import Funnel
from twister_loop.pipeline.stages.filtering import (
    HELD_OUT_TEXT,
    REJECTED,
    filter_transcribed,
    filter_utterances,
)
from twister_loop.pipeline.stages.text_selection import TextSelection, select_texts
from twister_loop.text.normalizers._base import Normalizer

SETS = {
    "development": "please hold the line for the next agent",
    "test": "we're gonna be there but we won't stay",
    "retention": "il numero chiamato non è attivo",
}
NEAR = [
    "Please hold, the line for the next agent!",
    "and then: please hold the line for the next agent, thank you",
    "il numеro chiаmato non è аttivo",
]
SHORT = "Yes, thank you."
OTHER = "the weather is fine in all parts of the country"


@pytest.fixture
def held_out(tmp_path: Path) -> list[Manifest]:
    return [
        Manifest.write(
            [Utterance(id=name, text=text, lang="en"), Utterance(id="s", text=SHORT, lang="en")],
            tmp_path / name,
        )
        for name, text in SETS.items()
    ]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("audio") / "clip.wav"
    audio.write(toy_language.synthesize("a e", toy_language.standard_codebook()), path)
    return path


def speech(folder: Path, clip: Path) -> Manifest:
    texts = [*NEAR, SHORT.lower(), OTHER]
    return Manifest.write(
        [
            Utterance(id=str(n), text=text, lang="en", audio_filepath=clip, duration=0.3)
            for n, text in enumerate(texts)
        ],
        folder,
    )


def kept(folder: Path) -> list[str]:
    rejected = list(Manifest(folder / REJECTED))
    assert {line.rejected_by for line in rejected} <= {HELD_OUT_TEXT}
    funnel = Funnel.load(folder)
    assert funnel.rejected[HELD_OUT_TEXT].utterances == len(rejected)
    return [line.text or "" for line in Manifest(folder)]


def test_labels_near_any_set_are_dropped_but_not_short_ones_that_are_equal(
    held_out: list[Manifest], clip: Path, tmp_path: Path
) -> None:
    labels, out = speech(tmp_path / "labels", clip), tmp_path / "out"
    filter_utterances([], labels, None, held_out, out=out)
    assert kept(out) == [SHORT.lower(), OTHER]
    first = next(iter(Manifest(out / REJECTED)))
    assert SETS["development"] in (first.objection or "")


def test_human_speech_loses_short_texts_that_are_equal_too(
    held_out: list[Manifest], clip: Path, tmp_path: Path
) -> None:
    nothing = Manifest.write([], tmp_path / "nothing")
    human, out = speech(tmp_path / "human", clip), tmp_path / "out"
    filter_utterances([], nothing, human, held_out, out=out)
    assert kept(out) == [OTHER]
    filter_transcribed(human, held_out, out=tmp_path / "replay")
    assert kept(tmp_path / "replay") == [OTHER]


def test_texts_for_voices_are_dropped_by_the_same_rule(
    held_out: list[Manifest], clip: Path, tmp_path: Path
) -> None:
    texts, out = speech(tmp_path / "texts", clip), tmp_path / "out"
    select_texts([], TextSelection(), texts, held_out, out=out)
    assert kept(out) == [OTHER]


def test_the_plans_normalizer_decides_too(
    held_out: list[Manifest], clip: Path, tmp_path: Path
) -> None:
    text = "we are going to be there but we will not stay"
    line = Utterance(id="0", text=text, lang="en", audio_filepath=clip, duration=0.3)
    human = Manifest.write([line], tmp_path / "human")
    filter_transcribed(human, held_out, out=tmp_path / "basic")
    assert len(Manifest(tmp_path / "basic")) == 1
    normalizer = Normalizer.build({"use": "whisper_english"})
    filter_transcribed(human, held_out, normalizer, out=tmp_path / "english")
    assert len(Manifest(tmp_path / "english")) == 0
