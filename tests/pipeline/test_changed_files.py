"""Files that change after they were listed: an error of a pool line, the end of a held-out set."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import world as toy
from twister_loop import Utterance, load, next_round
from twister_loop.asr.toy import ToyRecognizer
from twister_loop.audio import io as audio
from twister_loop.audio import toy_language
from twister_loop.audio.augmentation import load_audio
from twister_loop.core.errors import AudioError
from twister_loop.core.file_hashes import FileHashCache, VerifiedManifest
from twister_loop.core.manifest import Manifest
from twister_loop.core.tallies import Funnel
from twister_loop.errors import StaleError
from twister_loop.pipeline.stages import labeling
from twister_loop.types import Plan


class StoppedHereError(Exception):
    """Ends a round before one of its stages."""


def run_stopping_before(stage_name: str, plan: Plan, run: Path) -> Path:
    """Run a round up to a stage, and return the folder of the round."""

    def run_stage(stage: Any, /) -> Any:
        def run(*args: Any, **kwargs: Any) -> Any:
            if kwargs["out"].name == stage_name:
                raise StoppedHereError
            return stage(*args, **kwargs)

        return run

    with pytest.raises(StoppedHereError):
        next_round(plan, run, run_stage)
    return run / "round-01"


def overwrite(path: Path, text: str = "uuu oo") -> None:
    """Put another recording in the place of one."""
    audio.write(toy_language.synthesize(text, toy_language.standard_codebook()), path)


@pytest.fixture
def pool_file(tmp_path: Path) -> Path:
    return tmp_path / "data" / "pool" / "0.wav"


@pytest.mark.parametrize(
    ("stage_name", "rejected_in"),
    [
        ("pool", "pool"),
        ("pseudo_labels", "filtered_labels"),
        ("filtered_labels", "filtered_labels"),
    ],
)
def test_a_changed_pool_file_is_rejected_and_counted(
    plan: Plan, tmp_path: Path, pool_file: Path, stage_name: str, rejected_in: str
) -> None:
    folder = run_stopping_before(stage_name, plan, tmp_path / "run")
    overwrite(pool_file)
    done = next_round(plan, tmp_path / "run")
    assert done.folder == folder
    [rejected] = (
        line
        for line in Manifest.load(folder / rejected_in / "rejected")
        if line.audio_filepath == pool_file
    )
    assert "changed since it was listed" in (rejected.objection or "")
    reason = "unreadable" if rejected_in == "pool" else "error"
    assert Funnel.load(folder / rejected_in).rejected[reason].utterances == 1
    mixture = Manifest.load(folder / "mixture")
    assert pool_file not in {utterance.audio_filepath for utterance in mixture}


def test_a_file_that_changes_before_packing_is_rejected_there(
    plan: Plan, tmp_path: Path, pool_file: Path
) -> None:
    folder = run_stopping_before("packed", plan, tmp_path / "run")
    [changed] = {
        line for line in Manifest.load(folder / "mixture") if line.audio_filepath == pool_file
    }
    overwrite(pool_file)
    next_round(plan, tmp_path / "run")
    rejected = list(Manifest.load(folder / "packed" / "rejected"))
    assert {line.id for line in rejected} == {changed.id}
    assert Funnel.load(folder / "packed").rejected["error"].utterances == len(rejected)
    pieces = {piece.id for line in Manifest.load(folder / "packed") for piece in line.pieces}
    assert changed.id not in pieces and pieces


def test_a_file_that_changes_before_training_is_not_trained_on(
    world: Path, tmp_path: Path, pool_file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    world.write_text(
        "\n".join(line for line in world.read_text().splitlines() if "pack:" not in line)
    )
    plan = load(world)
    folder = run_stopping_before("candidate", plan, tmp_path / "run")
    overwrite(pool_file)
    next_round(plan, tmp_path / "run")
    assert "changed since it was listed" in caplog.text
    training_set = VerifiedManifest(folder / "mixture")
    changed = [line for line in training_set if line.audio_filepath == pool_file]
    assert changed and all(line.error for line in changed)
    with pytest.raises(AudioError, match="changed since it was listed"):
        load_audio(training_set, changed[0], epoch=1)


def test_human_speech_that_changed_is_rejected_too(plan: Plan, tmp_path: Path) -> None:
    folder = run_stopping_before("filtered_labels", plan, tmp_path / "run")
    overwrite(tmp_path / "data" / "human" / "0.wav")
    next_round(plan, tmp_path / "run")
    rejected = list(Manifest.load(folder / "filtered_labels" / "rejected"))
    assert ("error", toy.HUMAN[0]) in {(line.rejected_by, line.text) for line in rejected}


def touch(path: Path) -> None:
    os.utime(path, (1, 1))


def copy(path: Path) -> None:
    shutil.copy(path, path.with_suffix(".new"))
    path.with_suffix(".new").replace(path)


@pytest.mark.parametrize("renew", [touch, copy])
def test_the_same_content_with_another_time_is_the_same_file(
    plan: Plan, tmp_path: Path, pool_file: Path, renew: Callable[[Path], None]
) -> None:
    folder = run_stopping_before("pseudo_labels", plan, tmp_path / "run")
    renew(pool_file)
    renew(tmp_path / "data" / "test" / "0.wav")
    next_round(plan, tmp_path / "run")
    assert "error" not in Funnel.load(folder / "filtered_labels").rejected
    labels = Manifest.load(folder / "filtered_labels")
    assert pool_file in {line.audio_filepath for line in labels}


def test_a_file_is_hashed_only_if_its_size_or_time_changed(
    plan: Plan, tmp_path: Path, pool_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = run_stopping_before("pseudo_labels", plan, tmp_path / "run")
    hashed: list[Path] = []
    digest_path = FileHashCache.digest.__globals__["digest_path"]
    monkeypatch.setattr(
        "twister_loop.core.file_hashes.digest_path",
        lambda path: hashed.append(path) or digest_path(path),
    )
    assert len(list(VerifiedManifest(folder / "pool"))) == len(toy.POOL)
    assert not hashed
    touch(pool_file)
    assert len(list(VerifiedManifest(folder / "pool"))) == len(toy.POOL)
    assert hashed == [pool_file]


def test_the_record_of_files_does_not_depend_on_the_working_directory(
    plan: Plan, tmp_path: Path, pool_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = run_stopping_before("pseudo_labels", plan, tmp_path / "run")
    overwrite(pool_file)
    monkeypatch.chdir(tmp_path)
    [changed] = [line for line in VerifiedManifest(Path("run/round-01/pool")) if line.error]
    assert changed.audio_filepath == pool_file
    assert folder.is_absolute()


@pytest.mark.parametrize("stage_name", ["untouched", "champion", "report"])
def test_a_held_out_file_that_changes_ends_the_round(
    plan: Plan, tmp_path: Path, stage_name: str
) -> None:
    folder = run_stopping_before(stage_name, plan, tmp_path / "run")
    path = tmp_path / "data" / "test" / "1.wav"
    before = path.read_bytes()
    overwrite(path)
    with pytest.raises(StaleError, match=r"test\.test: .*1\.wav changed .* --restart"):
        next_round(plan, tmp_path / "run")
    assert not (folder / "report").exists()
    path.write_bytes(before)
    assert next_round(plan, tmp_path / "run").folder == folder


def test_a_held_out_file_that_changes_while_it_is_transcribed_ends_the_round(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    transcribe = ToyRecognizer.transcribe

    def transcribe_and_change(self: ToyRecognizer, checkpoint: Any, speech: Any) -> Any:
        yield from transcribe(self, checkpoint, speech)
        overwrite(tmp_path / "data" / "test" / "1.wav")

    monkeypatch.setattr(ToyRecognizer, "transcribe", transcribe_and_change)
    with pytest.raises(StaleError, match=r"1\.wav changed"):
        next_round(plan, tmp_path / "run")


def test_an_earlier_label_is_not_carried_over_to_another_recording(
    plan: Plan, tmp_path: Path, pool_file: Path
) -> None:
    done = next_round(plan, tmp_path / "run")
    overwrite(pool_file)
    lines = VerifiedManifest(done.folder / "pool")
    earlier = Manifest.load(done.folder / "filtered_labels")
    labeled = labeling._transcribe_new(
        ToyRecognizer(), ToyRecognizer().initial_checkpoint(), earlier, lines, tmp_path
    )
    errors = {utterance.audio_filepath.name for utterance in labeled if utterance.error}
    assert errors == {"0.wav"}


def test_audio_that_the_run_wrote_itself_is_not_checked(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{}")
    path = tmp_path / "audio" / "a.wav"
    audio.write(np.zeros(1600, np.float32), path)
    lines = [Utterance(id="packed-000000", audio_filepath=path, duration=0.1)]
    manifest = Manifest.write(lines, tmp_path / "packed")
    assert list(VerifiedManifest(manifest.folder)) == lines
