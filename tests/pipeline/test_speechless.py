"""Clips in which nobody speaks: labels made up for them are dropped, and silence is learned."""

from __future__ import annotations

import json
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from tests import world as toy
from tests.pipeline.test_plan import changed
from twister_loop import load, next_round
from twister_loop.audio import io as audio
from twister_loop.audio import toy_language
from twister_loop.audio.toy_language import Codebook
from twister_loop.core.manifest import Manifest
from twister_loop.core.tallies import Funnel, MixtureContents
from twister_loop.data.corpora.manifest import ManifestFile
from twister_loop.reporting.summary import round_summary

STOCK_PHRASE = "grazie per la visione"
HUM = 200.0
"""Pitch of the clips for which the recognizer makes up a label; no letter has it."""
PSEUDO_FILTERS = {"pseudo": [{"use": "confidence", "at_least": -0.1}, "recurrence"]}


@pytest.fixture
def hallucinating(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the toy recognizer sure of one sentence where it hears a hum, and silent in silence."""
    transcribe = toy_language.transcribe

    def transcribe_or_hallucinate(samples: audio.Samples, codebook: Codebook) -> tuple[str, float]:
        if not samples.any():
            return "", 0.0
        if set(toy_language.detect_pitches(samples)) == {HUM}:
            return STOCK_PHRASE, 0.0
        return transcribe(samples, codebook)

    monkeypatch.setattr(toy_language, "transcribe", transcribe_or_hallucinate)


def hum(seconds: float) -> audio.Samples:
    time = np.arange(round(seconds * audio.SAMPLE_RATE)) / audio.SAMPLE_RATE
    return 0.3 * np.sin(2 * np.pi * HUM * time).astype(np.float32)


def write_hums(count: int, folder: Path) -> None:
    for number, seconds in enumerate(np.geomspace(0.5, 15, count)):
        audio.write(hum(float(seconds)), folder / f"hum-{number}.wav")


@pytest.mark.usefixtures("hallucinating")
def test_one_label_of_sixty_unlike_recordings_is_rejected_and_counted(
    world: Path, tmp_path: Path
) -> None:
    write_hums(60, tmp_path / "data" / "pool")
    done = next_round(load(changed(world, filters=PSEUDO_FILTERS)), tmp_path / "run")
    labels = done.folder / "filtered_labels"
    rejected = Counter(line.rejected_by for line in Manifest(labels / "rejected"))
    assert rejected["recurrence"] == 60
    assert Funnel.load(labels).rejected["recurrence"].utterances == 60
    assert {line.text for line in Manifest(labels)}.isdisjoint({STOCK_PHRASE})
    # The pool's own texts are not its labels' victims.
    assert "a i e o u" in {line.text for line in Manifest(labels)}


@pytest.mark.model
@pytest.mark.skipif(find_spec("silero_vad") is None, reason="needs silero-vad")
@pytest.mark.usefixtures("hallucinating")
def test_clips_without_speech_are_learned_with_an_empty_text(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from twister_loop.audio import vad

    def find_loud_parts(samples: audio.Samples) -> tuple[float, float] | None:
        """Take what is louder than the hum for speech, which the detector knows from tones."""
        return (0.0, 1.0) if np.abs(samples).max() > 0.4 else None

    monkeypatch.setattr(vad, "find_bounds", find_loud_parts)
    pool = tmp_path / "data" / "pool"
    write_hums(20, pool)
    # Transcribed alike, but somebody may speak in it.
    audio.write(2 * hum(7.0), pool / "loud-hum.wav")
    audio.write(np.zeros(4 * audio.SAMPLE_RATE, np.float32), pool / "silence.wav")
    # The recognizer hears a letter in it, so it is not sure that nobody speaks.
    click = np.zeros(29 * audio.SAMPLE_RATE, np.float32)
    click[100] = 0.3
    audio.write(click, pool / "click.wav")
    plan = changed(world, filters=PSEUDO_FILTERS, mix={"speechless": 0.5})
    done = next_round(load(plan), tmp_path / "run")

    speechless = done.folder / "speechless"
    assert {(line.text, line.speechless, line.rejected_by) for line in Manifest(speechless)} == {
        ("", True, None)
    }
    funnel = Funnel.load(speechless)
    assert funnel.kept.utterances == 21
    rejected = {reason: tally.utterances for reason, tally in funnel.rejected.items()}
    assert rejected == {"transcript": 1, "voice_activity": 1}
    assert not (speechless / "candidates").exists() and not (speechless / "checked").exists()

    [contents] = [
        source
        for source in MixtureContents.load(done.folder / "mixture").sources
        if source.origin == "speechless"
    ]
    assert contents.available.utterances == 21 and contents.taken.utterances > 0
    taken = [line for line in Manifest(done.folder / "mixture") if line.speechless]
    assert len(taken) == contents.taken.utterances
    # Each is packed by itself.
    packed = [line for line in Manifest(done.folder / "packed") if line.speechless]
    assert [(line.text, len(line.pieces)) for line in packed] == [("", 1)] * len(taken)
    summary = round_summary(done.folder)
    assert summary.mixture["speechless"].utterances == len(packed)
    assert summary.funnels["speechless"] == funnel


def test_a_plan_without_a_share_looks_for_no_clips_without_speech(
    world: Path, tmp_path: Path
) -> None:
    done = next_round(load(world), tmp_path / "run")
    assert not (done.folder / "speechless").exists()


def add_silence(folder: Path, seconds: int = 1, **columns: object) -> None:
    """Add a silent recording with these columns to an audiofolder."""
    audio.write(np.zeros(seconds * audio.SAMPLE_RATE, np.float32), folder / "nobody.wav")
    with (folder / "metadata.jsonl").open("a") as metadata:
        metadata.write(json.dumps({"file_name": "nobody.wav", **columns}) + "\n")


@pytest.mark.usefixtures("hallucinating")
def test_recordings_that_are_declared_speechless_are_learned_and_measured(
    world: Path, tmp_path: Path
) -> None:
    add_silence(tmp_path / "data" / "human", text="", speechless=True)
    add_silence(tmp_path / "data" / "development", seconds=2, speechless="yes")
    plan = changed(world, mix={"speechless": 0.4})
    done = next_round(load(plan), tmp_path / "run")
    silent = [line for line in Manifest(done.folder / "mixture") if line.speechless]
    assert {(line.text, line.origin) for line in silent} == {("", "human")}
    # Silence was transcribed as silence: no word of it counts.
    assert done.report.score("dev").utterances == len(toy.DEVELOPMENT) + 1
    assert done.report.score("dev").words.rate == 0.0


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"text": ""}, "no_text"),
        ({"speechless": False}, "no_text"),
        ({"text": "ciao", "speechless": True}, "bad_row"),
    ],
)
def test_an_empty_text_alone_declares_nothing(
    world: Path, tmp_path: Path, columns: dict[str, object], reason: str
) -> None:
    add_silence(tmp_path / "data" / "human", **columns)
    done = next_round(load(changed(world, mix={"speechless": 0.4})), tmp_path / "run")
    human = done.folder / "inputs" / "human"
    assert reason in {line.rejected_by for line in Manifest(human / "rejected")}
    assert not any(line.speechless for line in Manifest(done.folder / "mixture"))


def test_a_manifest_declares_clips_without_speech(tmp_path: Path) -> None:
    audio.write(np.zeros(audio.SAMPLE_RATE, np.float32), tmp_path / "a.wav")
    lines = [
        {"audio_filepath": "a.wav", "text": "", "speechless": True},
        {"audio_filepath": "a.wav", "text": "ciao", "speechless": True},
    ]
    (tmp_path / "m.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n")
    declared, contradiction = ManifestFile(tmp_path / "m.jsonl").utterances()
    assert declared.speechless and declared.text == ""
    assert "speechless is true, but the text is 'ciao'" in (contradiction.objection or "")
