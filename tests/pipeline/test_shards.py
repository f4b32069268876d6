"""A manifest made in shards is the manifest that one process makes."""

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
from tests.shards import Noted, times
from twister_loop import Checkpoint, EngineError, Utterance
from twister_loop.asr.toy import ToyRecognizer
from twister_loop.audio import io as audio
from twister_loop.audio import toy_language
from twister_loop.core.manifest import WINDOW, Manifest
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

T = TypeVar("T")
R = TypeVar("R")

LINES = 2 * WINDOW + 20
UNTRAINED = Checkpoint("toy", source="the toy language")


@dataclass(frozen=True)
class OneByOne(Cluster):
    """Does the work here, until it has done as much as it may."""

    shard: int = WINDOW
    deadline: float = 60.0
    at_most: int = 99

    def map(self, work: Callable[[T], R], items: Sequence[T]) -> Iterator[R]:
        yield from map(work, islice(items, self.at_most))
        if len(items) > self.at_most:
            raise EngineError("the cluster is gone")


@pytest.fixture(scope="module")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """More utterances than two windows hold, a broken one among them."""
    home = tmp_path_factory.mktemp("speech")
    letters = "aeiou"
    words = (f"{a}{b} {c}{d}" for a in letters for b in letters for c in letters for d in letters)
    made = []
    for number, text in enumerate(islice(words, LINES)):
        path = home / f"{number:04d}.wav"
        duration = audio.write(
            toy_language.synthesize(text, toy_language.standard_codebook()), path
        )
        made.append(Utterance(id=f"{number:04d}", audio_filepath=path, duration=duration))
    (home / "0300.wav").write_text("no sound at all")
    return Manifest.write(made, home)


@pytest.fixture(scope="module")
def alone(speech: Manifest, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """What one process makes of it."""
    out = tmp_path_factory.mktemp("alone") / "pseudo_labels"
    return transcribe(ToyRecognizer(), UNTRAINED, speech, out=out).path.read_bytes()


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "timing.json"
    }


def test_labels_made_in_shards_are_those_of_one_process(
    speech: Manifest, alone: bytes, tmp_path: Path
) -> None:
    (tmp_path / "notes").mkdir()
    noted = Noted(notes=tmp_path / "notes")
    made = transcribe(noted, UNTRAINED, speech, cluster=OneByOne(), out=tmp_path / "pseudo_labels")
    assert made.path.read_bytes() == alone
    assert b"0300" in alone and b"cannot read audio" in alone
    assert all(times(noted.notes, f"{number:04d}") == 1 for number in (0, 255, 256, 531))
    left = {each.name for each in made.folder.iterdir()}
    assert left == {"made.json", "manifest.jsonl", "timing.json"}


def test_speech_made_in_shards_is_that_of_one_process(tmp_path: Path) -> None:
    texts = [Utterance(id=f"text{n}", text="a i" if n % 7 else "Ж") for n in range(100)]
    corpus = Manifest.write(texts, tmp_path / "texts")
    toy_language.save(toy_language.standard_codebook(), tmp_path / "voice")
    voice = Checkpoint("toy", tmp_path / "voice")
    for run, over in (("alone", None), ("shards", OneByOne())):
        (tmp_path / run).mkdir()
        (tmp_path / run / "run.json").write_text("{}")
        synthesize(ToySynthesizer(), voice, corpus, 3, cluster=over, out=tmp_path / run / "spoken")
    made, same = files(tmp_path / "shards"), files(tmp_path / "alone")
    assert "spoken/audio/text1-3.wav" in made
    assert made == same
    assert b'"audio_filepath":"audio/text1-3.wav"' in made["spoken/manifest.jsonl"]


def test_a_finished_shard_is_not_made_again(speech: Manifest, alone: bytes, tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    noted = Noted(notes=tmp_path / "notes")
    with pytest.raises(EngineError, match="the cluster is gone"):
        transcribe(
            noted, UNTRAINED, speech, cluster=OneByOne(at_most=2), out=tmp_path / "pseudo_labels"
        )
    assert not (tmp_path / "pseudo_labels").exists()
    made = transcribe(noted, UNTRAINED, speech, cluster=OneByOne(), out=tmp_path / "pseudo_labels")
    assert made.path.read_bytes() == alone
    assert all(times(noted.notes, f"{number:04d}") == 1 for number in range(LINES) if number != 300)


def test_a_stage_begun_over_a_cluster_can_end_without_and_the_other_way(
    speech: Manifest, alone: bytes, tmp_path: Path
) -> None:
    with pytest.raises(EngineError):
        transcribe(
            ToyRecognizer(), UNTRAINED, speech, cluster=OneByOne(at_most=1), out=tmp_path / "one"
        )
    made = transcribe(ToyRecognizer(), UNTRAINED, speech, out=tmp_path / "one")
    assert made.path.read_bytes() == alone
    assert not (made.folder / "shards").exists()
    over = OneByOne(shard=2 * WINDOW)
    assert (
        transcribe(ToyRecognizer(), UNTRAINED, speech, cluster=over, out=tmp_path / "one") == made
    )


def test_what_was_joined_is_not_made_again_when_the_shards_were_not_yet_removed(
    speech: Manifest, tmp_path: Path
) -> None:
    Manifest.write(speech, tmp_path)
    (tmp_path / ".joined").mkdir()
    made = run_in_shards(engines.failing, speech, "failing", OneByOne(), tmp_path)
    assert len(made) == LINES and not (tmp_path / ".joined").exists()


def test_a_few_lines_are_not_worth_a_cluster(tmp_path: Path) -> None:
    few = Manifest.write([Utterance(id="one")], tmp_path / "few")
    over = OneByOne(at_most=0)
    assert len(transcribe(ToyRecognizer(), UNTRAINED, few, cluster=over, out=tmp_path / "out")) == 1


@pytest.mark.parametrize(
    ("engine", "over", "said"),
    [
        (engines.asleep, OneByOne(deadline=2.0), r"took more than 2 s and was ended; raise `dead"),
        (engines.failing, OneByOne(), r"shard 000000000-000000256 on .* failed: RuntimeError: the"),
        (engines.forgetful, OneByOne(), r"EngineError: 255 answers to 256 lines; see .*\.log"),
    ],
    ids=["asleep", "failing", "forgetful"],
)
def test_what_went_wrong_with_a_shard_is_said(
    speech: Manifest, tmp_path: Path, engine: Any, over: Cluster, said: str
) -> None:
    with pytest.raises(EngineError, match=said):
        run_in_shards(engine, speech, "hearing", over, tmp_path)
    assert not (tmp_path / "shards" / "000000000-000000256").exists()


def test_another_version_of_an_engine_is_refused(speech: Manifest, tmp_path: Path) -> None:
    (tmp_path / "shards").mkdir()
    shard = Shard(engines.failing, speech, 0, WINDOW, tmp_path / "shards")
    packages = {"prefect": "1.0", "numpy": "1.0"}
    assert "prefect" in UNCHECKED_PACKAGES
    order = ShardOrder(shard.folder.name, pickle.dumps((shard, packages)), shard.home)
    with pytest.raises(EngineError, match=r"here is numpy \d.*, where the stage began numpy 1.0"):
        run_guarded(60, order)


def test_a_shard_ends_with_its_guard_and_so_does_what_it_began(
    speech: Manifest, tmp_path: Path
) -> None:
    (tmp_path / "shards").mkdir()
    shard = Shard(engines.forked, speech, 0, WINDOW, tmp_path / "shards")
    order = ShardOrder(shard.folder.name, pickle.dumps((shard, {})), shard.home)
    (tmp_path / "order").write_bytes(pickle.dumps(order))
    code = (
        "import pickle, sys; from twister_loop.pipeline.execution.shards import run_guarded;"
        "run_guarded(60, pickle.load(open(sys.argv[1], 'rb')))"
    )
    guard = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "order")])
    pids = _within(20, lambda: (tmp_path / "shards" / "pids").read_text().split())
    guard.kill()
    guard.wait()
    _within(10, lambda: [_gone(int(pid)) for pid in pids])


def test_a_part_of_a_manifest_is_what_lies_between_two_lines(speech: Manifest) -> None:
    takes = RepeatedTexts(speech, 3)
    every = list(takes.iter_lines())
    assert len(every) == len(takes) == 3 * LINES
    for source, whole in ((speech, list(speech)), (takes, every)):
        for first, end in ((0, 0), (0, 256), (255, 257), (256, 512), (511, None), (512, 9999)):
            assert list(source.iter_lines(first, end)) == whole[first:end]


def _gone(pid: int) -> None:
    """Raises OSError while a process is there, unless it is a zombie that nobody waits for."""
    stat = Path(f"/proc/{pid}/stat")
    if stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z":
        raise OSError(f"{pid} is still there")


def _within(seconds: float, ask: Callable[[], R]) -> R:
    """The answer, asked again as long as there is none."""
    end = time.monotonic() + seconds
    while True:
        try:
            if answer := ask():
                return answer
        except OSError:
            if time.monotonic() > end:
                raise
        time.sleep(0.1)
