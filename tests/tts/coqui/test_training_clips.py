"""Tests of the selection of training clips by speaker, and of their files."""

from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("TTS")

from tests.tones import LETTERS, write_labeled_clips
from twister_loop.audio import io as audio
from twister_loop.core.types import Utterance
from twister_loop.tts._coqui import glow_tts_model as glow
from twister_loop.tts._coqui import training_clips

pytestmark = pytest.mark.model


def test_clips_that_cannot_be_read_are_skipped_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    labels = list(write_labeled_clips(tmp_path / "filtered_labels"))
    clips = [*labels, replace(labels[0], audio_filepath=tmp_path / "gone.wav")]
    model = glow.create_model(8000, 16, 2, 1, f"{LETTERS} .")
    samples = training_clips.write_clips(clips, tmp_path, model)
    assert len(samples) == len(clips) - 1
    assert "gone.wav" in caplog.text
    first = audio.read(Path(samples[0]["audio_file"]))
    assert len(first) <= labels[0].duration * audio.SAMPLE_RATE


def speakers_of(clips: list[Utterance]) -> set[str | None]:
    return {clip.speaker for clip in clips}


def test_the_speaker_with_most_speech_is_selected_unless_one_is_named(tmp_path: Path) -> None:
    select_clips = training_clips.select_clips_of_one_speaker
    ada = write_labeled_clips(tmp_path / "a", clips=22)
    bob = write_labeled_clips(tmp_path / "b", clips=30, speaker="bob", first=50)
    assert speakers_of(select_clips([*ada, *bob], None)) == {"bob"}
    assert speakers_of(select_clips([*ada, *bob], "ada", "bob")) == {"ada"}


def test_a_voice_keeps_its_speaker_while_there_are_enough_clips_of_it(tmp_path: Path) -> None:
    select_clips = training_clips.select_clips_of_one_speaker
    ada = [*write_labeled_clips(tmp_path / "a", clips=20)]
    bob = [*write_labeled_clips(tmp_path / "b", clips=30, speaker="bob", first=50)]
    assert speakers_of(select_clips([*ada, *bob], None, "ada")) == {"ada"}
    assert speakers_of(select_clips([*ada[1:], *bob], None, "ada")) == {"bob"}
