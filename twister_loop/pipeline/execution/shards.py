"""Long manifests made in shards, each by a process of its own, here or on other machines.

A shard is a folder `shards/FIRST-END/` that appears when it is finished. Finished shards are not
made again, so a worker that dies costs only the shard that it was working on. Shards are cut at
window boundaries and joined in order, so the manifest is byte for byte what one process makes.
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
"""Function that yields one utterance for every line, in order, and writes new audio to a folder.
It must be picklable."""
WORKER_CODE = "from twister_loop.pipeline.execution.shards import main; main()"
UNCHECKED_PACKAGES = frozenset({"prefect"})
"""Packages that a machine which only runs shards may lack, or have in another version."""


class LineSource(Protocol):
    """Lines to process, any range of which can be read without the rest."""

    def __len__(self) -> int: ...

    def iter_lines(
        self, first_line: int = 0, end_line: int | None = None
    ) -> Iterator[Utterance]: ...


@dataclass(frozen=True)
class RepeatedTexts:
    """Texts repeated as often as a voice has to synthesize each."""

    texts: Manifest
    samples_per_text: int

    def __len__(self) -> int:
        return self.samples_per_text * len(self.texts)

    def iter_lines(self, first_line: int = 0, end_line: int | None = None) -> Iterator[Utterance]:
        """Yield the lines from `first_line` up to, but not including, `end_line`."""
        # A range may begin between two samples of a text, which is then read whole.
        skipped_texts = first_line // self.samples_per_text
        lines = (
            replace(text, id=f"{text.id}-{sample}", origin="synthetic")
            for text in self.texts.iter_lines(skipped_texts)
            for sample in range(1, self.samples_per_text + 1)
        )
        skipped_lines = skipped_texts * self.samples_per_text
        end = None if end_line is None else end_line - skipped_lines
        return islice(lines, first_line - skipped_lines, end)


class Cluster(Part):
    """Workers that process shards, on this machine or on others."""

    package = "twister_loop.pipeline.execution.clusters"
    shard: int
    """Lines per shard, a multiple of `manifest.WINDOW`."""
    deadline: Seconds
    """Time after which a process that still works on its shard is killed."""

    def check(self) -> None:
        """Check that the workers can be reached, before a round is begun.

        Raises:
            ConfigError: They cannot.
        """

    @abstractmethod
    def map(self, work: Callable[[T], R], tasks: Sequence[T]) -> Iterator[R]:
        """Apply a function to every task, and yield the results in any order.

        A task whose worker dies is given to another worker. An exception of `work` is raised here,
        and no more tasks are given out.
        """


def run_in_shards(
    engine: Engine, source: LineSource, task: str, cluster: Cluster | None, out: Path
) -> Manifest:
    """Write a manifest with one line per line of the source, and resume it if it was interrupted.

    Args:
        engine: Function that makes the lines.
        source: Lines to make them from.
        task: Description for the progress bar, such as `labeling`.
        cluster: Workers; without one, or with no more lines than one shard, this process does it.
        out: Folder of the manifest; new audio goes to `audio/` in it.
    """
    line_count, shards_folder, joined = len(source), out / "shards", out / ".joined"
    if cluster is None or line_count <= cluster.shard:
        # The stage may have been started on a cluster, and be resumed without one.
        for folder in (shards_folder, joined):
            shutil.rmtree(folder, ignore_errors=True)

        def run_engine(lines: Iterable[Utterance]) -> Iterator[Utterance]:
            return show_progress(engine(lines, out / "audio"), task, line_count)

        return Manifest.resume(run_engine, source.iter_lines(), out)
    if not joined.exists():
        shards_folder.mkdir(exist_ok=True)
        shards = [
            Shard(
                engine=engine,
                source=source,
                first_line=first_line,
                end_line=min(first_line + cluster.shard, line_count),
                shards_folder=shards_folder,
            )
            for first_line in range(0, line_count, cluster.shard)
        ]
        _run_missing_shards(shards, task, cluster, shards_folder)
        lines = (line for shard in shards for line in Manifest.load(shard.folder))
        Manifest.write(lines, out)
        # Renamed before it is removed: a kill while it is removed must not look like lost shards.
        shards_folder.rename(joined)
    shutil.rmtree(joined)
    return Manifest(out)


@dataclass(frozen=True)
class Shard:
    """Range of a source's lines that one process works on."""

    engine: Engine
    source: LineSource
    first_line: int
    end_line: int
    """Line after the last one."""
    shards_folder: Path
    """Folder of all shards of the stage."""

    @property
    def folder(self) -> Path:
        return self.shards_folder / f"{self.first_line:09d}-{self.end_line:09d}"

    def run(self) -> None:
        """Write the shard to its folder, unless another attempt did so first.

        Raises:
            EngineError: The engine made more or fewer lines than the shard has.
        """
        # A worker may still run after the cluster gave its shard to another one, so every attempt
        # has its own folder.
        scratch = self.shards_folder / f".{self.folder.name}.{uuid4().hex[:8]}"
        scratch.mkdir()
        lines = self.engine(
            self.source.iter_lines(self.first_line, self.end_line), scratch / "audio"
        )
        out = self.shards_folder.parent
        count = len(Manifest.write(_move_audio(lines, scratch, out), scratch))
        expected = self.end_line - self.first_line
        if count != expected:
            raise EngineError(f"the engine made {count} lines from {expected} lines")
        # Renaming to a folder that exists fails: then another attempt has finished the shard.
        with suppress(OSError):
            scratch.rename(self.folder)


def _move_audio(lines: Iterator[Utterance], scratch: Path, out: Path) -> Iterator[Utterance]:
    """Move new audio of a shard to where a single process would have written it."""
    for utterance in lines:
        path = utterance.audio_filepath
        # Audio elsewhere is the input of a transcription and stays where it is.
        if path != TEXT_ONLY and path.is_relative_to(scratch):
            final_path = out / path.relative_to(scratch)
            final_path.parent.mkdir(exist_ok=True)
            # Renamed and not copied, so that no other process sees half a file.
            path.rename(final_path)
            utterance = replace(utterance, audio_filepath=final_path)
        yield utterance


def _run_missing_shards(
    shards: Sequence[Shard], task: str, cluster: Cluster, shards_folder: Path
) -> None:
    """Run the shards that are not finished on the cluster."""
    # Listed, not tested one by one: NFS caches for a while that a file did not exist.
    finished = {folder.name for folder in shards_folder.iterdir()}
    missing = [shard for shard in shards if shard.folder.name not in finished]
    log.info("%s: %d shards on %s, %d remaining", task, len(shards), cluster.name, len(missing))
    # Workers compare their own package versions with these.
    packages = describe_environment().packages
    orders = [
        ShardOrder(shard.folder.name, pickle.dumps((shard, packages)), shards_folder)
        for shard in missing
    ]
    results = cluster.map(partial(run_guarded, cluster.deadline), orders)
    for _ in show_progress(results, task, len(orders)):
        pass


@dataclass(frozen=True)
class ShardOrder:
    """Pickled shard, which a worker passes to a process without importing any engine itself."""

    shard: str
    """Name of the shard's folder."""
    pickled: bytes
    """The shard, and the package versions of the machine that orders it."""
    shards_folder: Path

    @property
    def log(self) -> Path:
        return self.shards_folder / f"{self.shard}.log"


def run_guarded(deadline: Seconds, order: ShardOrder) -> str:
    """Run a shard in a process of its own, which ends with this process or at the deadline.

    Only a process can be killed at a deadline, and a crash in an engine's native code must not take
    the cluster's worker with it.

    Args:
        deadline: Seconds after which the process is killed.
        order: The shard.

    Returns:
        Name of the shard's folder.

    Raises:
        EngineError: The process failed, or did not finish by the deadline.
    """
    stage = order.shards_folder.parent.name.lstrip(".")
    where = f"{stage}: shard {order.shard} on {socket.gethostname()}"
    # Appended, so that the log of an earlier attempt is not lost.
    with order.log.open("ab") as log_file:
        process = subprocess.Popen(
            [sys.executable, "-c", WORKER_CODE],
            stdin=subprocess.PIPE,
            stdout=log_file,
            stderr=log_file,
            # A session of its own, so that processes that it starts can be killed with it.
            start_new_session=True,
            env=child_environment(),
        )
    assert process.stdin
    try:
        # A process that died before it read the order is reported by its exit code below.
        with suppress(BrokenPipeError):
            process.stdin.write(order.pickled)
            # Flushed but not closed: the process exits when its standard input closes.
            process.stdin.flush()
        exit_code = process.wait(deadline)
    except subprocess.TimeoutExpired as cause:
        raise EngineError(
            f"{where} took more than {deadline:g} s and was killed; raise `deadline` in `cluster`, "
            f"or make `shard` smaller; see {order.log}"
        ) from cause
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        with suppress(BrokenPipeError):
            process.stdin.close()
    if exit_code:
        lines = order.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        # The last line of a traceback names the error; a negative code is a signal.
        reason = (
            lines[-1] if lines and exit_code > 0 else f"killed by {signal.Signals(-exit_code).name}"
        )
        raise EngineError(f"{where} failed: {reason}; see {order.log}")
    return order.shard


def main() -> None:
    """Run the shard on standard input, which `run_guarded` keeps open as long as it lives."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    # Reading a pickle runs code. This one comes from the process that started us, through a pipe
    # and, on a cluster, through its own channel, and never from a file: not from a run folder.
    shard, packages = pickle.load(sys.stdin.buffer)
    exit_when_stdin_closes()
    _check_packages(packages)
    shard.run()


def _check_packages(required: Mapping[str, str]) -> None:
    """Raise EngineError if a package version differs from the one that the stage started with.

    Otherwise shards of one manifest could be made in different ways.
    """
    installed = describe_environment().packages
    for name in sorted(set(required) - UNCHECKED_PACKAGES):
        here, there = installed.get(name, "none"), required[name]
        # What follows a plus is the build, such as +cpu or +cu128, which may differ.
        if here.partition("+")[0] != there.partition("+")[0]:
            raise EngineError(
                f"this machine has {name} {here}, but the stage was started with {name} {there}; "
                "install the same version"
            )
