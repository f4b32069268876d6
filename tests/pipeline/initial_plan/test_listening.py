"""Clips that are listened to: which are drawn, what is told of them, and when nothing is heard."""

from __future__ import annotations

from pathlib import Path

import pytest

from twister_loop.asr._weights_status import WeightsStatus
from twister_loop.pipeline.initial_plan import listening
from twister_loop.pipeline.initial_plan.first_plan import hear, survey_folder
from twister_loop.pipeline.initial_plan.listening import choose_model, draw_clips, listen
from twister_loop.pipeline.initial_plan.recordings import survey_recordings

from .folders import make_hearing, names, record, transcribe


def at_hand(monkeypatch: pytest.MonkeyPatch, **parameters: float) -> None:
    models = [
        WeightsStatus(name, "the hub's cache", parameters=round(count))
        for name, count in parameters.items()
    ]
    monkeypatch.setattr(listening, "list_models_at_hand", lambda: models)
    monkeypatch.setattr(listening, "_find_device", lambda: "cpu")


def test_the_largest_model_that_trains_quickly_is_chosen(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    at_hand(monkeypatch, tiny=39e6, base=74e6, small=244e6)
    assert choose_model(None)[0] == "base" and choose_model("mine")[0] == "mine"
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    assert choose_model("mine")[0] == str(tmp_path / "mine")
    at_hand(monkeypatch, large=1550e6)
    assert choose_model(None)[0] == "large"
    at_hand(monkeypatch)
    assert choose_model(None) == ("openai/whisper-base", [])


def test_clips_come_from_many_recordings_or_from_all_over_a_long_one(tmp_path: Path) -> None:
    record(tmp_path / "many", names(30), seconds=3.5, rate=4000)
    record(tmp_path / "many", ["word.wav"], seconds=0.5, rate=4000)
    many = survey_recordings(tmp_path / "many")
    clips = draw_clips(many, many.paths, 8, 30.0)
    assert len({clip.audio_filepath for clip in clips}) == 8
    assert {(clip.offset, clip.duration) for clip in clips} == {(0.0, 3.5)}
    assert clips == draw_clips(many, many.paths, 8, 30.0)
    [long] = record(tmp_path / "long", ["a.wav"], seconds=300, rate=4000)
    one = survey_recordings(tmp_path / "long")
    clips = draw_clips(one, [long], 8, 30.0)
    assert len(clips) == 8 and clips[-1].offset > 250
    assert all(clip.offset + clip.duration <= 300 for clip in clips)


def test_without_weights_nothing_is_downloaded_and_the_reason_is_told(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    record(tmp_path, names(1))
    hearing = listen(survey_recordings(tmp_path), [], "openai/whisper-base", [])
    assert "nothing is downloaded now" in (hearing.skipped or "") and not hearing.clips


def test_without_pytorch_the_reason_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(tmp_path, names(1))
    monkeypatch.setattr(listening, "find_spec", lambda package: None)
    hearing = listen(survey_recordings(tmp_path), [], "openai/whisper-base", [])
    assert "twister-loop[whisper]" in (hearing.skipped or "")


def test_languages_are_counted_with_their_probability() -> None:
    hearing = make_hearing("it", "en", "it")
    assert hearing.languages == {"it": 2, "en": 1}
    assert hearing.count_language("it") == (2, pytest.approx(0.9))
    assert hearing.confidence == pytest.approx(-0.2)


@pytest.mark.model
def test_a_folder_with_a_model_is_used_and_transcribed_recordings_are_not(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    from tests.asr.conftest import SPECIAL_TOKENS, TIMESTAMPS, write_tiny_whisper

    folder, tokens = tmp_path / "model", [*SPECIAL_TOKENS, *TIMESTAMPS]
    # Random weights go on to the limit of tokens, so it is low.
    model = write_tiny_whisper(folder, tokens, token_limit=96).location
    record(tmp_path / "in" / "dev", names(3, "d"))
    transcribe(tmp_path / "in" / "dev", names(3, "d"))
    record(tmp_path / "in" / "pool", names(2, "p"), seconds=1.0, rate=8000)
    hearing = hear(survey_folder(tmp_path / "in"), str(model), [])
    assert hearing.skipped is None
    assert {clip.path.name for clip in hearing.clips} == {"p000.wav", "p001.wav"}
    assert all(0 < clip.bandwidth <= 4100 for clip in hearing.clips)
