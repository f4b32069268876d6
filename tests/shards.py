"""Engines that misbehave, in a module that the process of a shard can import."""

import os
import signal
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from twister_loop import Utterance
from twister_loop.asr.toy import ToyRecognizer
from twister_loop.core.artifacts import not_in_cache_key
from twister_loop.types import Checkpoint


@dataclass(frozen=True)
class Noted(ToyRecognizer):
    """Recognizer that notes every line it transcribes, and the GPU that it would use."""

    notes: Path = not_in_cache_key(Path())
    fatal: str = ""
    """Line at which it kills the worker that started its process, the first time, and notes the
    niceness that the worker has given it."""

    def transcribe(
        self, checkpoint: Checkpoint, speech: Iterable[Utterance]
    ) -> Iterator[Utterance]:
        for utterance in super().transcribe(checkpoint, speech):
            with (self.notes / utterance.id).open("a") as note:
                note.write(f"{os.environ.get('CUDA_VISIBLE_DEVICES', 'all')}\n")
            if utterance.id == self.fatal and not (self.notes / "killed").exists():
                (self.notes / "killed").write_text(str(os.nice(0)))
                os.kill(os.getppid(), signal.SIGKILL)
                time.sleep(60)  # this process is killed long before
            yield utterance


def times_transcribed(notes: Path, utterance_id: str) -> int:
    """Return how often a line was transcribed."""
    return len((notes / utterance_id).read_text().splitlines())


def sleep(lines: Iterable[Utterance], _: Path) -> Iterator[Utterance]:
    time.sleep(60)
    yield from lines


def fail(lines: Iterable[Utterance], _: Path) -> Iterator[Utterance]:
    raise RuntimeError("the engine stumbled")


def lose_a_line(lines: Iterable[Utterance], _: Path) -> Iterator[Utterance]:
    yield from list(lines)[1:]


def fork(lines: Iterable[Utterance], out: Path) -> Iterator[Utterance]:
    """Note its process, and start one of its own that would outlive it."""
    child = os.fork()
    if child == 0:
        time.sleep(60)
        os._exit(0)
    (out.parents[1] / "pids").write_text(f"{os.getpid()} {child}")
    time.sleep(60)
    yield from lines
