"""A long manifest made in shards, by processes of their own, here or on other machines.

A shard is a folder `shards/FIRST-END/` that appears when it is finished: one that can be seen
is not made again, and what dies costs no more than the shards it was at. They are cut where
windows are and joined in order, so the manifest is byte for byte what one process makes.
"""

from __future__ import annotations

import logging
import os
import pickle
import shutil
import signal
import socket
import subprocess
import sys
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Protocol, TypeVar
from uuid import uuid4

from ...core.environment import describe_environment
from ...core.errors import EngineError
from ...core.manifest import Manifest
from ...core.processes import child_environment, exit_when_stdin_closes
from ...core.progress import show_progress
from ...core.registry import Part
from ...core.types import TEXT_ONLY, Seconds, Utterance

log = logging.getLogger(__name__)

T = TypeVar("T")
R = TypeVar("R")

Engine = Callable[[Iterable[Utterance], Path], Iterator[Utterance]]
"""Yields one utterance for every line it is given, in order, and puts audio that it makes into
the folder. It can be pickled."""
WORKER_CODE = "from twister_loop.pipeline.execution.shards import main; main()"
UNCHECKED_PACKAGES = frozenset({"prefect"})
"""Packages that a machine which only carries out shards may lack, or have in another version."""


class LineSource(Protocol):
    """Lines to work on, of which some can be had without the others."""

    def __len__(self) -> int: ...

    def iter_lines(
        self, first_line: int = 0, end_line: int | None = None
    ) -> Iterator[Utterance]: ...


@dataclass(frozen=True)
class RepeatedTexts:
    """Texts, as often as a voice is to speak each."""

    texts: Manifest
    samples_per_text: int

    def __len__(self) -> int:
        return self.samples_per_text * len(self.texts)

    def iter_lines(self, first_line: int = 0, end_line: int | None = None) -> Iterator[Utterance]:
        """From one line to another, as `Manifest.part`."""
        skipped = first_line // self.samples_per_text
        lines = (
            replace(text, id=f"{text.id}-{take}", origin="synthetic")
            for text in self.texts.iter_lines(skipped)
            for take in range(1, self.samples_per_text + 1)
        )
        before = skipped * self.samples_per_text
        end = None if end_line is None else end_line - before
        return islice(lines, first_line - before, end)


class Cluster(Part):
    """Workers that shards are given to, here or on other machines."""

    package = "twister_loop.pipeline.execution.clusters"
    shard: int
    """Lines that one process is given, a multiple of `manifest.WINDOW`."""
    deadline: Seconds
    """After which a process that still works on its shard is killed."""

    @abstractmethod
    def map(self, work: Callable[[T], R], items: Sequence[T]) -> Iterator[R]:
        """Do the work for every item wherever there is room; results come in any order.

        What dies with its worker is done again by another. Raises what the work raises, and
        then gives out no more.
        """


def run_in_shards(
    engine: Engine, source: LineSource, task: str, cluster: Cluster | None, out: Path
) -> Manifest:
    """Make a line of every line: in this process, or over a cluster if there is enough to do."""
    total, home, joined = len(source), out / "shards", out / ".joined"
    if cluster is None or total <= cluster.shard:
        for each in (home, joined):  # begun over a cluster, and gone on with without
            shutil.rmtree(each, ignore_errors=True)

        def shown(lines: Iterable[Utterance]) -> Iterator[Utterance]:
            return show_progress(engine(lines, out / "audio"), task, total)

        return Manifest.resume(shown, source.iter_lines(), out)
    if not joined.exists():
        home.mkdir(exist_ok=True)
        shards = [
            Shard(engine, source, first, min(first + cluster.shard, total), home)
            for first in range(0, total, cluster.shard)
        ]
        _have_made(shards, task, cluster, home)
        Manifest.write((line for each in shards for line in Manifest.load(each.folder)), out)
        home.rename(joined)
    shutil.rmtree(joined)
    return Manifest(out)


@dataclass(frozen=True)
class Shard:
    """Lines of a source that one process works on."""

    engine: Engine
    source: LineSource
    first: int
    end: int
    home: Path
    """Of all shards of the stage."""

    @property
    def folder(self) -> Path:
        return self.home / f"{self.first:09d}-{self.end:09d}"

    def run(self) -> None:
        """Leave the shard in its folder, unless another attempt was quicker.

        Raises EngineError where the engine did not answer every line.
        """
        scratch = self.home / f".{self.folder.name}.{uuid4().hex[:8]}"  # an attempt's own
        scratch.mkdir()
        made = self.engine(self.source.iter_lines(self.first, self.end), scratch / "audio")
        count = len(Manifest.write(_settled(made, scratch, self.home.parent), scratch))
        if count != self.end - self.first:
            raise EngineError(f"{count} answers to {self.end - self.first} lines")
        with suppress(OSError):
            scratch.rename(self.folder)


def _settled(made: Iterator[Utterance], scratch: Path, out: Path) -> Iterator[Utterance]:
    """Bring new audio to where one process would have put it; by a rename, so it is whole."""
    for utterance in made:
        path = utterance.audio_filepath
        if path != TEXT_ONLY and path.is_relative_to(scratch):
            settled = out / path.relative_to(scratch)
            settled.parent.mkdir(exist_ok=True)
            path.rename(settled)
            utterance = replace(utterance, audio_filepath=settled)
        yield utterance


def _have_made(shards: Sequence[Shard], what: str, over: Cluster, home: Path) -> None:
    """Have the shards made that cannot be seen yet."""
    # Listed, not asked for by name: a network file system remembers for a while what was not there.
    seen = {each.name for each in home.iterdir()}
    left = [each for each in shards if each.folder.name not in seen]
    log.info("%s in %d shards over %s, %d are left", what, len(shards), over.name, len(left))
    packages = describe_environment().packages
    orders = [ShardOrder(each.folder.name, pickle.dumps((each, packages)), home) for each in left]
    for _ in show_progress(
        over.map(partial(run_guarded, over.deadline), orders), what, len(orders)
    ):
        pass


@dataclass(frozen=True)
class ShardOrder:
    """A shard on its way to a worker, which need not import any engine to pass it on."""

    shard: str
    pickled: bytes
    home: Path

    @property
    def log(self) -> Path:
        return self.home / f"{self.shard}.log"


def run_guarded(deadline: Seconds, order: ShardOrder) -> str:
    """Make a shard in a process that ends with this one, or at its deadline; gives its name.

    Raises EngineError with the last line of the process, where it failed.
    """
    where = f"{order.home.parent.name.lstrip('.')}: shard {order.shard} on {socket.gethostname()}"
    with order.log.open("ab") as lines:
        command = [sys.executable, "-c", WORKER_CODE]
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=lines,
            stderr=lines,
            start_new_session=True,
            env=child_environment(),
        )
    assert process.stdin
    try:
        with suppress(BrokenPipeError):  # it died before it read; its code says so
            process.stdin.write(order.pickled)
            process.stdin.flush()
        code = process.wait(deadline)
    except subprocess.TimeoutExpired as cause:
        raise EngineError(
            f"{where} took more than {deadline:g} s and was ended; raise `deadline` in `cluster`, "
            f"or make `shard` smaller; see {order.log}"
        ) from cause
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        with suppress(BrokenPipeError):
            process.stdin.close()
    if code:
        said = order.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        why = said[-1] if said and code > 0 else f"ended by {signal.Signals(-code).name}"
        raise EngineError(f"{where} failed: {why}; see {order.log}")
    return order.shard


def main() -> None:
    """Make the shard that comes by standard input, which the guard keeps open while it lives."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    shard, packages = pickle.load(sys.stdin.buffer)
    exit_when_stdin_closes()
    _same_packages(packages)
    shard.run()


def _same_packages(theirs: Mapping[str, str]) -> None:
    """Raises EngineError where versions differ, since one manifest would be of two makings."""
    ours = describe_environment().packages
    for name in sorted(set(theirs) - UNCHECKED_PACKAGES):
        here, there = ours.get(name, "none"), theirs[name]
        if here.partition("+")[0] != there.partition("+")[0]:  # a build for CPU or for CUDA
            raise EngineError(f"here is {name} {here}, where the stage began {name} {there}")
