"""Engines that misbehave, in a module that the process of a shard can import."""

import os
import signal
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from twister_loop import Checkpoint, Utterance
from twister_loop.asr.toy import ToyRecognizer
from twister_loop.core.artifacts import not_in_cache_key


@dataclass(frozen=True)
class Noted(ToyRecognizer):
    """Notes every line that it hears, and the GPU it would hear it on."""

    notes: Path = not_in_cache_key(Path())
    fatal: str = ""
    """The line before which it kills the worker that began its process, the first time."""

    def transcribe(
        self, checkpoint: Checkpoint, speech: Iterable[Utterance]
    ) -> Iterator[Utterance]:
        for utterance in super().transcribe(checkpoint, speech):
            with (self.notes / utterance.id).open("a") as note:
                note.write(f"{os.environ.get('CUDA_VISIBLE_DEVICES', 'all')}\n")
            if utterance.id == self.fatal and not (self.notes / "killed").exists():
                (self.notes / "killed").write_text(str(os.getpid()))
                os.kill(os.getppid(), signal.SIGKILL)
                time.sleep(60)  # it is ended long before
            yield utterance


def times(notes: Path, id_: str) -> int:
    """How often a line was heard."""
    return len((notes / id_).read_text().splitlines())


def asleep(lines: Iterable[Utterance], _: Path) -> Iterator[Utterance]:
    time.sleep(60)
    yield from lines


def failing(lines: Iterable[Utterance], _: Path) -> Iterator[Utterance]:
    raise RuntimeError("the engine stumbled")


def forgetful(lines: Iterable[Utterance], _: Path) -> Iterator[Utterance]:
    yield from list(lines)[1:]


def forked(lines: Iterable[Utterance], out: Path) -> Iterator[Utterance]:
    """Notes its process, and begins one of its own that would outlive it."""
    child = os.fork()
    if child == 0:
        time.sleep(60)
        os._exit(0)
    (out.parents[1] / "pids").write_text(f"{os.getpid()} {child}")
    time.sleep(60)
    yield from lines
