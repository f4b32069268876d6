"""Shards: the joined manifest is the one that a single process makes."""

import pickle
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import pytest

from tests import shards as engines
from tests.shards import Noted, times_transcribed
from twister_loop import Utterance
from twister_loop.asr.toy import ToyRecognizer
from twister_loop.audio import io as audio
from twister_loop.audio import toy_language
from twister_loop.core.manifest import WINDOW, Manifest
from twister_loop.errors import EngineError
from twister_loop.pipeline.execution.shards import (
    UNCHECKED_PACKAGES,
    Cluster,
    RepeatedTexts,
    Shard,
    ShardOrder,
    run_guarded,
    run_in_shards,
)
from twister_loop.pipeline.stages.labeling import transcribe
from twister_loop.pipeline.stages.voices import synthesize
from twister_loop.tts.toy import ToySynthesizer
from twister_loop.types import Checkpoint

T = TypeVar("T")
R = TypeVar("R")

LINES = 2 * WINDOW + 20
UNTRAINED = Checkpoint("toy", source="the toy language")


@dataclass(frozen=True)
class OneByOne(Cluster):
    """Cluster that runs shards in this process, up to a limit."""

    shard: int = WINDOW
    deadline: float = 60.0
    at_most: int = 99
    """Shards after which it fails."""

    def map(self, work: Callable[[T], R], tasks: Sequence[T]) -> Iterator[R]:
        yield from map(work, islice(tasks, self.at_most))
        if len(tasks) > self.at_most:
            raise EngineError("the cluster is gone")


@pytest.fixture(scope="module")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """Manifest of more than two windows, with one broken file."""
    home = tmp_path_factory.mktemp("speech")
    letters = "aeiou"
    words = (f"{a}{b} {c}{d}" for a in letters for b in letters for c in letters for d in letters)
    utterances = []
    for number, text in enumerate(islice(words, LINES)):
        path = home / f"{number:04d}.wav"
        duration = audio.write(
            toy_language.synthesize(text, toy_language.standard_codebook()), path
        )
        utterances.append(Utterance(id=f"{number:04d}", audio_filepath=path, duration=duration))
    (home / "0300.wav").write_text("no sound at all")
    return Manifest.write(utterances, home)


@pytest.fixture(scope="module")
def unsharded(speech: Manifest, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Manifest that one process makes of the speech."""
    out = tmp_path_factory.mktemp("alone") / "pseudo_labels"
    return transcribe(ToyRecognizer(), UNTRAINED, speech, out=out).path.read_bytes()


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "timing.json"
    }


def test_transcribing_in_shards_gives_the_manifest_of_one_process(
    speech: Manifest, unsharded: bytes, tmp_path: Path
) -> None:
    (tmp_path / "notes").mkdir()
    noted = Noted(notes=tmp_path / "notes")
    labels = transcribe(
        noted, UNTRAINED, speech, cluster=OneByOne(), out=tmp_path / "pseudo_labels"
    )
    assert labels.path.read_bytes() == unsharded
    assert b"0300" in unsharded and b"cannot read audio" in unsharded
    assert all(
        times_transcribed(noted.notes, f"{number:04d}") == 1 for number in (0, 255, 256, 531)
    )
    remaining = {path.name for path in labels.folder.iterdir()}
    assert remaining == {"made.json", "manifest.jsonl", "timing.json"}


def test_synthesizing_in_shards_gives_the_files_of_one_process(tmp_path: Path) -> None:
    texts = [Utterance(id=f"text{n}", text="a i" if n % 7 else "Ж") for n in range(100)]
    corpus = Manifest.write(texts, tmp_path / "texts")
    toy_language.save(toy_language.standard_codebook(), tmp_path / "voice")
    voice = Checkpoint("toy", tmp_path / "voice")
    for run, cluster in (("alone", None), ("shards", OneByOne())):
        (tmp_path / run).mkdir()
        (tmp_path / run / "run.json").write_text("{}")
        synthesize(
            ToySynthesizer(), voice, corpus, 3, cluster=cluster, out=tmp_path / run / "spoken"
        )
    sharded, unsharded = files(tmp_path / "shards"), files(tmp_path / "alone")
    assert "spoken/audio/text1-3.wav" in sharded
    assert sharded == unsharded
    assert b'"audio_filepath":"audio/text1-3.wav"' in sharded["spoken/manifest.jsonl"]


def test_a_finished_shard_is_not_run_again(
    speech: Manifest, unsharded: bytes, tmp_path: Path
) -> None:
    (tmp_path / "notes").mkdir()
    noted = Noted(notes=tmp_path / "notes")
    with pytest.raises(EngineError, match="the cluster is gone"):
        transcribe(
            noted, UNTRAINED, speech, cluster=OneByOne(at_most=2), out=tmp_path / "pseudo_labels"
        )
    assert not (tmp_path / "pseudo_labels").exists()
    labels = transcribe(
        noted, UNTRAINED, speech, cluster=OneByOne(), out=tmp_path / "pseudo_labels"
    )
    assert labels.path.read_bytes() == unsharded
    assert all(
        times_transcribed(noted.notes, f"{number:04d}") == 1
        for number in range(LINES)
        if number != 300
    )


def test_a_stage_started_on_a_cluster_can_be_resumed_without_and_back(
    speech: Manifest, unsharded: bytes, tmp_path: Path
) -> None:
    with pytest.raises(EngineError):
        transcribe(
            ToyRecognizer(), UNTRAINED, speech, cluster=OneByOne(at_most=1), out=tmp_path / "one"
        )
    labels = transcribe(ToyRecognizer(), UNTRAINED, speech, out=tmp_path / "one")
    assert labels.path.read_bytes() == unsharded
    assert not (labels.folder / "shards").exists()
    cluster = OneByOne(shard=2 * WINDOW)
    assert (
        transcribe(ToyRecognizer(), UNTRAINED, speech, cluster=cluster, out=tmp_path / "one")
        == labels
    )


def test_joined_shards_are_not_run_again_if_their_removal_was_interrupted(
    speech: Manifest, tmp_path: Path
) -> None:
    Manifest.write(speech, tmp_path)
    (tmp_path / ".joined").mkdir()
    manifest = run_in_shards(engines.fail, speech, "failing", OneByOne(), tmp_path)
    assert len(manifest) == LINES and not (tmp_path / ".joined").exists()


def test_a_few_lines_do_not_use_the_cluster(tmp_path: Path) -> None:
    few = Manifest.write([Utterance(id="one")], tmp_path / "few")
    cluster = OneByOne(at_most=0)
    assert (
        len(transcribe(ToyRecognizer(), UNTRAINED, few, cluster=cluster, out=tmp_path / "out")) == 1
    )


@pytest.mark.parametrize(
    ("engine", "cluster", "message"),
    [
        (engines.sleep, OneByOne(deadline=2.0), r"took more than 2 s and was killed; raise `dead"),
        (engines.fail, OneByOne(), r"shard 000000000-000000256 on .* failed: RuntimeError: the"),
        (
            engines.lose_a_line,
            OneByOne(),
            r"EngineError: the engine made 255 lines from 256 lines; see .*\.log",
        ),
    ],
    ids=["sleep", "fail", "lose_a_line"],
)
def test_a_failed_shard_names_the_reason(
    speech: Manifest, tmp_path: Path, engine: Any, cluster: Cluster, message: str
) -> None:
    with pytest.raises(EngineError, match=message):
        run_in_shards(engine, speech, "transcribing", cluster, tmp_path)
    assert not (tmp_path / "shards" / "000000000-000000256").exists()


def test_another_package_version_is_refused(speech: Manifest, tmp_path: Path) -> None:
    (tmp_path / "shards").mkdir()
    shard = Shard(engines.fail, speech, 0, WINDOW, tmp_path / "shards")
    packages = {"prefect": "1.0", "numpy": "1.0"}
    assert "prefect" in UNCHECKED_PACKAGES
    order = ShardOrder(shard.folder.name, pickle.dumps((shard, packages)), shard.shards_folder)
    with pytest.raises(
        EngineError, match=r"has numpy \d.*, but the stage was started with numpy 1.0"
    ):
        run_guarded(60, order)


def test_a_shard_ends_with_its_guard_and_so_do_its_own_processes(
    speech: Manifest, tmp_path: Path
) -> None:
    (tmp_path / "shards").mkdir()
    shard = Shard(engines.fork, speech, 0, WINDOW, tmp_path / "shards")
    order = ShardOrder(shard.folder.name, pickle.dumps((shard, {})), shard.shards_folder)
    (tmp_path / "order").write_bytes(pickle.dumps(order))
    code = (
        "import pickle, sys; from twister_loop.pipeline.execution.shards import run_guarded;"
        "run_guarded(60, pickle.load(open(sys.argv[1], 'rb')))"
    )
    guard = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "order")])
    pids = _wait_for(20, lambda: (tmp_path / "shards" / "pids").read_text().split())
    guard.kill()
    guard.wait()
    _wait_for(10, lambda: [_check_gone(int(pid)) for pid in pids])


def test_lines_can_be_read_from_one_number_to_another(speech: Manifest) -> None:
    repeated = RepeatedTexts(speech, 3)
    all_lines = list(repeated.iter_lines())
    assert len(all_lines) == len(repeated) == 3 * LINES
    for source, whole in ((speech, list(speech)), (repeated, all_lines)):
        for first, end in ((0, 0), (0, 256), (255, 257), (256, 512), (511, None), (512, 9999)):
            assert list(source.iter_lines(first, end)) == whole[first:end]


def _check_gone(pid: int) -> None:
    """Raise OSError while a process runs; a zombie does not count."""
    stat = Path(f"/proc/{pid}/stat")
    if stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z":
        raise OSError(f"{pid} is still there")


def _wait_for(seconds: float, poll: Callable[[], R]) -> R:
    """Return the result of a function, called again while it is empty or raises OSError."""
    end = time.monotonic() + seconds
    while True:
        try:
            if answer := poll():
                return answer
        except OSError:
            if time.monotonic() > end:
                raise
        time.sleep(0.1)
