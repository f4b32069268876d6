"""Retraining on new audio: new means new content, and files still being written are ignored."""

import os
import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests import world as toy
from twister_loop import RunFolder, evaluate, load, next_round
from twister_loop import retrain as retrain_run
from twister_loop.core.manifest import Manifest
from twister_loop.data.corpora.audiofolder import AudioFolder
from twister_loop.errors import ConfigError, NothingNew
from twister_loop.pipeline.plan_schema import NewAudioOptions
from twister_loop.types import Plan


@pytest.fixture
def eager_plan(plan: Plan) -> Plan:
    """A plan that retrains on 0.01 min of new audio, and ignores no recent files."""
    return replace(plan, new_audio=NewAudioOptions(minutes=0.01, settled=0.0))


def test_a_clock_that_was_set_back_does_not_hide_the_audio_that_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toy.speak(["a io"], tmp_path, labeled=False)
    folder = AudioFolder(tmp_path, settled=30)
    assert list(folder.files()) == []
    now = time.time()
    for offset, is_listed in ((-3600, True), (-10, False), (10, False), (3600, True)):
        monkeypatch.setattr("time.time", lambda offset=offset: now + offset)
        assert bool(list(folder.files())) == is_listed


def test_a_round_starts_only_with_enough_new_audio(eager_plan: Plan, tmp_path: Path) -> None:
    run, pool = tmp_path / "run", tmp_path / "data" / "pool"
    assert retrain_run(eager_plan, run).number == 1
    with pytest.raises(NothingNew, match=r"0 new recordings, 0\.0 min, since round 1, which was a"):
        retrain_run(eager_plan, run)
    toy.speak(["e"], pool / "little", labeled=False)
    with pytest.raises(NothingNew, match="1 new recordings"):
        retrain_run(eager_plan, run)
    toy.speak(["io e lei e lui", "aia e oui"], pool / "more", labeled=False)
    assert retrain_run(eager_plan, run).number == 2
    assert len(Manifest(run / "round-02/inputs/pool")) == len(toy.POOL) + 3


def test_the_same_audio_under_another_name_is_not_new(eager_plan: Plan, tmp_path: Path) -> None:
    run, pool = tmp_path / "run", tmp_path / "data" / "pool"
    retrain_run(eager_plan, run)
    for recording in list(pool.iterdir()):
        shutil.copy(recording, pool / f"again-{recording.name}")
    with pytest.raises(NothingNew, match="0 new recordings"):
        retrain_run(eager_plan, run)


def test_a_refused_round_is_not_run_again_without_anything_new(
    eager_plan: Plan, tmp_path: Path
) -> None:
    hopeless = replace(eager_plan, mix=replace(eager_plan.mix, human=0.0), voices=())
    assert not retrain_run(hopeless, tmp_path / "run").verdict.accepted
    with pytest.raises(NothingNew, match="since round 1, which was refused"):
        retrain_run(hopeless, tmp_path / "run")
    assert len(RunFolder.read(tmp_path / "run").round_folders) == 1


def test_recently_modified_files_are_ignored_until_the_next_listing(
    eager_plan: Plan, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    run, pool = tmp_path / "run", tmp_path / "data" / "pool"
    next_round(eager_plan, run)
    time.sleep(0.7)
    toy.speak(["io e lei e lui", "aia e oui"], pool / "new", labeled=False)
    growing = pool / "new" / "1.wav"
    os.utime(growing, (0, 0))  # copying tools set the time of the content back
    patient = replace(eager_plan, new_audio=NewAudioOptions(minutes=0.01, settled=0.6))
    with pytest.raises(NothingNew, match="0 new recordings"):
        retrain_run(patient, run)
    assert "ignoring 2 files modified within the last 0.6 s" in caplog.text
    time.sleep(0.7)
    growing.write_bytes(growing.read_bytes())
    assert retrain_run(patient, run).number == 2
    names = {utterance.audio_filepath.name for utterance in Manifest(run / "round-02/inputs/pool")}
    assert "0.wav" in names and len(Manifest(run / "round-02/inputs/pool")) == len(toy.POOL) + 1


def test_a_round_in_progress_is_finished_even_without_new_audio(
    eager_plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from twister_loop.asr.toy import ToyRecognizer

    monkeypatch.setattr(ToyRecognizer, "train", None)
    with pytest.raises(TypeError):
        retrain_run(eager_plan, tmp_path / "run")
    monkeypatch.undo()
    patient = replace(eager_plan, new_audio=NewAudioOptions(minutes=1e6))
    assert retrain_run(patient, tmp_path / "run").number == 1


def test_options_of_new_audio_are_checked(world: Path) -> None:
    assert load(world).new_audio == NewAudioOptions(10.0, 30.0)
    with pytest.raises(ConfigError, match=r"new_audio\.minutes: must be a number"):
        load(world, {"new_audio": {"minutes": -1}})
    with pytest.raises(ConfigError, match=r"new_audio.minuets: unknown; did you mean 'minutes'"):
        load(world, {"new_audio": {"minuets": 1}})


def test_ignoring_recent_files_does_not_change_the_cache_key(world: Path) -> None:
    from twister_loop.core.artifacts import cache_key

    folder = AudioFolder(world.parent)
    assert cache_key(folder.excluding_recent_files(9)) == cache_key(folder)


def test_the_champion_is_evaluated_on_the_current_sets(eager_plan: Plan, tmp_path: Path) -> None:
    done = next_round(eager_plan, tmp_path / "run")
    assert evaluate(eager_plan, tmp_path / "run").scores == done.report.scores
    toy.speak(["zebra", "fox"], tmp_path / "data" / "test", labeled=True)
    again = evaluate(eager_plan, tmp_path / "run")
    assert again.folder == tmp_path / "run/evaluation-02/report"
    assert again.score("test").words.length == 2
