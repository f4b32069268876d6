"""Dask and Ray workers: the manifest of one process, and a dead worker costs only its shard."""

import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests import world as toy
from tests.hostile import plant_hostile_modules
from tests.shards import Noted, times_transcribed
from twister_loop import Utterance, load, next_round
from twister_loop.asr.toy import ToyRecognizer
from twister_loop.audio import io as audio
from twister_loop.audio import toy_language
from twister_loop.core.manifest import WINDOW, Manifest
from twister_loop.errors import ConfigError
from twister_loop.pipeline.execution.shards import Cluster
from twister_loop.pipeline.plan import Labeler
from twister_loop.pipeline.stages.labeling import transcribe
from twister_loop.types import Checkpoint

pytestmark = pytest.mark.cluster

ROOT = Path(__file__).parents[2]
LINES = 4 * WINDOW
UNTRAINED = Checkpoint("toy", source="the toy language")


@pytest.fixture(scope="module")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """Manifest of four windows that share a few recordings."""
    home = tmp_path_factory.mktemp("speech")
    clips = []
    for text in ("a e i", "o u", "io e lui"):
        path = home / f"{text}.wav"
        clips.append(
            (
                path,
                audio.write(toy_language.synthesize(text, toy_language.standard_codebook()), path),
            )
        )
    lines = (
        Utterance(id=f"{number:04d}", audio_filepath=path, duration=duration)
        for number in range(LINES)
        for path, duration in [clips[number % 3]]
    )
    return Manifest.write(lines, home)


@pytest.fixture(scope="module")
def unsharded(speech: Manifest, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Manifest that one process makes of the speech."""
    out = tmp_path_factory.mktemp("alone") / "pseudo_labels"
    return transcribe(ToyRecognizer(), UNTRAINED, speech, out=out).path.read_bytes()


@pytest.fixture
def noted(tmp_path: Path) -> Noted:
    """Recognizer that kills its worker in the middle of the second shard, once."""
    (tmp_path / "notes").mkdir()
    return Noted(notes=tmp_path / "notes", fatal=f"{WINDOW + 100:04d}")


@pytest.fixture
def scheduler(tmp_path: Path) -> Iterator[str]:
    """Address of a Dask scheduler with two workers, each started by a command of its own."""
    pytest.importorskip("distributed")
    note = tmp_path / "scheduler.json"
    common = ["--scheduler-file", str(note), "--no-dashboard"]
    worker = [*common, "--nthreads", "1", "--nworkers", "1", "--local-directory", str(tmp_path)]
    processes = [_dask("scheduler", *common, "--host", "127.0.0.1", "--port", "0")]
    processes += [_dask("worker", *worker, "--host", "127.0.0.1") for _ in range(2)]
    from distributed import Client

    try:
        with Client(scheduler_file=str(note), timeout=60) as client:
            client.wait_for_workers(2, timeout=60)
            address: str = client.scheduler.address
        yield address
    finally:
        for process in reversed(processes):
            process.terminate()
        for process in processes:
            process.wait(30)


def _dask(*arguments: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "distributed.cli.dask_" + arguments[0], *arguments[1:]]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def build(**spec: Any) -> Cluster:
    return Cluster.build({"shard": WINDOW, "deadline": 120, **spec})


def test_a_dask_worker_killed_half_way_costs_only_its_shard(
    speech: Manifest, unsharded: bytes, noted: Noted, scheduler: str, tmp_path: Path
) -> None:
    cluster = build(use="dask", address=scheduler)
    labels = transcribe(noted, UNTRAINED, speech, cluster=cluster, out=tmp_path / "pseudo_labels")
    _check_only_the_second_shard_ran_twice(noted)
    assert labels.path.read_bytes() == unsharded


def test_a_ray_worker_killed_half_way_costs_only_its_shard_and_shards_have_own_gpus(
    speech: Manifest,
    unsharded: bytes,
    noted: Noted,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("ray", reason="an extra of its own")
    witness = plant_hostile_modules(tmp_path)
    monkeypatch.chdir(tmp_path)
    cluster = build(use="ray", count=2, gpu=True)
    labels = transcribe(noted, UNTRAINED, speech, cluster=cluster, out=tmp_path / "pseudo_labels")
    _check_only_the_second_shard_ran_twice(noted)
    assert labels.path.read_bytes() == unsharded
    assert _gpus(noted.notes.glob("0*")) == {"0", "1"}
    assert not witness.exists(), witness.read_text()


def test_a_round_on_dask_gives_the_same_files_and_shards_have_own_gpus(
    tmp_path: Path,
) -> None:
    pytest.importorskip("distributed")
    path = toy.build(tmp_path)
    plan = path.read_text().replace("rounds: 2", "rounds: 1")
    plan = plan.replace("  toy: toy\n", "  toy: {use: toy, samples_per_text: 140}\n")
    cluster = "cluster: {use: dask, count: 2, gpu: true, shard: 256}\n"
    environment = dict(os.environ)
    for run, text in (("unsharded", plan), ("sharded", plan + cluster)):
        path.write_text(text)
        (tmp_path / f"{run}-notes").mkdir()
        noted = Noted(notes=tmp_path / f"{run}-notes")
        next_round(replace(load(path), asr=noted, labeler=Labeler(noted)), tmp_path / run)
    sharded, unsharded = _content(tmp_path / "sharded"), _content(tmp_path / "unsharded")
    assert sharded == unsharded
    assert sum("toy/spoken/audio/" in name for name in sharded) == 280
    synthesized = sorted(noted.notes.glob("*-140"))
    assert len(synthesized) == 2 and _gpus(synthesized) <= {"0", "1"}
    assert dict(os.environ) == environment  # else the training that follows would have one thread


def _content(run: Path) -> dict[str, bytes]:
    """Return all files but the plan as written, times and locks."""
    ignored = {"timing.json", "speed.json", "lock", "hashes.json", "plan.yaml"}
    return {
        path.relative_to(run).as_posix(): path.read_bytes()
        for path in run.rglob("*")
        if path.is_file() and path.name not in ignored
    }


def test_an_address_that_does_not_answer_is_named(speech: Manifest, tmp_path: Path) -> None:
    for use, package in (("dask", "distributed"), ("ray", "ray")):
        pytest.importorskip(package)
        cluster = build(use=use, address="127.0.0.1:1")
        with pytest.raises(ConfigError, match=rf"{use} does not answer at 127.0.0.1:1"):
            transcribe(ToyRecognizer(), UNTRAINED, speech, cluster=cluster, out=tmp_path / use)


def _check_only_the_second_shard_ran_twice(noted: Noted) -> None:
    # Workers are no nicer than the round that waits for them.
    assert int((noted.notes / "killed").read_text()) == os.nice(0)
    second_shard = {f"{number:04d}" for number in range(WINDOW, WINDOW + 101)}
    ids = (f"{number:04d}" for number in range(LINES))
    repeated = {
        utterance_id for utterance_id in ids if times_transcribed(noted.notes, utterance_id) > 1
    }
    assert repeated == second_shard


def _gpus(notes: Iterable[Path]) -> set[str]:
    return {line for note in notes for line in note.read_text().split()}
