"""Kill -9 before every file operation of a toy run, and in the middle of every write.

python benchmarks/kills.py [--kills 50] [--only .untouched~]

The run has two rounds, copies earlier results, draws its page and prunes its first round. It runs
once undisturbed, which counts its operations below the run folder: open for writing, rename, copy,
mkdir, unlink and rmtree. For each operation a new run is killed there, `twister report` reads what
is left, and `twister run` finishes the run. Its files must be those of the undisturbed run.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twister_loop.audio import io as audio
from twister_loop.cli import toy_demo
from twister_loop.cli.main import main as twister

PLAN_CHANGES = (
    ("gates: [no_regression, significant]", "gates: [{use: no_regression, at_most: 0.9}]"),
    ("rounds: 2", "rounds: 2\nkeep: {last: 1}\nreferences: {toy: {use: toy, letters: 'aeio '}}"),
)
"""Both rounds are accepted, so that the first is pruned; a reference is copied in the second."""
NOT_COMPARED = {"timing.json", "speed.json", "lock", "hashes.json", "index.html"}
"""Times, times of files, and a page that shows both."""
DEADLINE = 120
"""Seconds after which a run counts as stuck; it takes about one."""
EVENTS = {
    "os.rename": "rename",
    "os.remove": "unlink",
    "os.rmdir": "rmdir",
    "os.mkdir": "mkdir",
    "shutil.copyfile": "copy",
    "shutil.copytree": "copy",
    "shutil.rmtree": "rmtree",
}
"""Audit events of Python that count, beside `open`; see the table in the manual of `sys.audit`."""


@dataclass(frozen=True)
class Operation:
    """One operation on a file of the run."""

    number: int
    kind: str
    path: str


@dataclass(frozen=True)
class Kill:
    """Where a process is killed."""

    operation: Operation
    in_the_middle: bool
    """While the file is written, so that it holds half of what it should; otherwise before."""


class Watcher:
    """Audit hook that counts the operations below a folder, and kills this process at one."""

    def __init__(self, folder: Path, kill: Kill | None, note: Path | None) -> None:
        self.prefix, self.kill, self.note = f"{folder}/", kill, note
        self.count, self.busy = 0, False
        self.half_written: tuple[str, int] | None = None

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.busy or (event != "open" and event not in EVENTS):
            return
        self.busy = True  # what the hook itself does to files raises events, too
        try:
            kind, path = self._describe(event, arguments)
            if kind and path.startswith(self.prefix):
                self._count(kind, path)
        finally:
            self.busy = False

    def _describe(self, event: str, arguments: tuple[Any, ...]) -> tuple[str, str]:
        path, *rest = arguments
        if not isinstance(path, str | bytes | os.PathLike):
            return "", ""  # a file descriptor, whose file was counted when it was opened
        if event == "open":
            mode, flags = rest
            if not (flags & (os.O_WRONLY | os.O_RDWR) or set(mode or "") & set("wax+")):
                return "", ""
        # rmtree works relative to an open folder.
        folder = rest[-1] if event in {"os.remove", "os.rmdir"} else -1
        place = Path(f"/proc/self/fd/{folder}").readlink() if folder != -1 else Path.cwd()
        return EVENTS.get(event, "write"), str(place / os.fsdecode(path))

    def _count(self, kind: str, path: str) -> None:
        self.count += 1
        if self.note:
            with self.note.open("a") as lines:
                lines.write(f"{self.count}\t{kind}\t{path.removeprefix(self.prefix)}\n")
        if self.kill is None:
            return
        if self.half_written:
            # Nothing has happened since but the write, so its half is what a kill in it leaves.
            name, old_size = self.half_written
            if (size := size_of(name)) > old_size:
                os.truncate(name, old_size + (size - old_size) // 2)
            os.kill(os.getpid(), signal.SIGKILL)
        if self.count == self.kill.operation.number:
            if not self.kill.in_the_middle:
                os.kill(os.getpid(), signal.SIGKILL)
            # What a file held before it was opened to append stays whole.
            self.half_written = path, size_of(path)


def size_of(path: str) -> int:
    """Return the size of a file in bytes; 0 if there is none."""
    return Path(path).stat().st_size if Path(path).is_file() else 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=0, help="most kills; 0 kills everywhere")
    parser.add_argument("--only", default="", help="only at paths that contain this text")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        sys.exit(measure(Path(home).resolve(), options.kills, options.only))


def measure(home: Path, most: int, only: str) -> int:
    """Print the table; return 1 if a run was stuck or ended otherwise than the undisturbed one."""
    plan = toy_demo.write_toy_world(home)
    text = plan.read_text()
    for before, after in PLAN_CHANGES:
        assert before in text
        text = text.replace(before, after)
    plan.write_text(text)
    run, log = home / "run", home / "log"
    arguments = ["run", str(plan), str(run), "--no-prefect"]
    code = run_forked(arguments, log, Watcher(run, None, home / "operations"))
    assert code == 0, log.read_text()
    expected = content(run)
    operations = read_operations(home / "operations")
    kills = [Kill(operation, in_the_middle=False) for operation in operations]
    kills += [
        Kill(operation, in_the_middle=True)
        for operation in operations[:-1]
        if operation.kind == "write"
    ]
    kills = [kill for kill in kills if only in kill.operation.path]
    # Spread over the whole run.
    chosen = kills[:: max(1, len(kills) // most)][:most] if most else kills
    counts = {name: Counter[str]() for name in ("kills", "stuck", "differing", "left")}
    for number, kill in enumerate(chosen):
        folder = home / f"run-{number}"
        failure = try_kill(kill, plan, folder, log)
        kind = f"{kill.operation.kind}, half done" if kill.in_the_middle else kill.operation.kind
        counts["kills"][kind] += 1
        ours = {} if failure else content(folder)
        differing = (
            []
            if failure
            else [name for name in {**ours, **expected} if ours.get(name) != expected.get(name)]
        )
        left = [] if failure else hidden_files(folder)
        counts["stuck"][kind] += bool(failure)
        counts["differing"][kind] += len(differing)
        counts["left"][kind] += len(left)
        if failure or differing or left:
            place = f"{kind} {kill.operation.number} of {kill.operation.path}"
            sys.stdout.write(f"{place}: {failure or differing[:3] or left[:3]}\n")
            sys.stdout.flush()
        shutil.rmtree(folder)
    print_table(operations, counts)
    return 1 if any(counts[name].total() for name in ("stuck", "differing", "left")) else 0


def try_kill(kill: Kill, plan: Path, run: Path, log: Path) -> str:
    """Kill a run, read it, and finish it; return what failed, or an empty string."""
    arguments = ["run", str(plan), str(run), "--no-prefect"]
    code = run_forked(arguments, log, Watcher(run, kill, None))
    if code != -signal.SIGKILL:
        return f"not killed, exit code {code}: {last_line(log)}"
    code = run_forked(["report", str(run)], log)
    # 2: there is no run yet, or its first round has no folder yet.
    if code not in {0, 2}:
        return f"`report` ended with {code}: {last_line(log)}"
    code = run_forked(arguments, log)
    return f"`run` ended with {code}: {last_line(log)}" if code else ""


def run_forked(arguments: list[str], log: Path, watcher: Callable[..., None] | None = None) -> int:
    """Run a command of `twister` in a fork, which need not import anything again.

    Returns:
        Its exit code; negative for a signal, and that of SIGALRM if it did not end in time.
    """
    child = os.fork()
    if child == 0:
        code = 70
        try:
            os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), 1)
            os.dup2(1, 2)
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(DEADLINE)
            if watcher:
                watch_audio(watcher)
                sys.addaudithook(watcher)
            code = twister(arguments)
        except BaseException as error:
            sys.stderr.write(f"{type(error).__name__}: {error}\n")
        finally:
            sys.stdout.flush()
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def watch_audio(watcher: Callable[..., None]) -> None:
    """Tell the watcher of audio files too: libsndfile opens them, not Python."""
    write = audio.write

    def write_and_tell(samples: Any, path: Path) -> float:
        watcher("open", (os.fspath(path), "w", 0))
        return write(samples, path)

    audio.write = write_and_tell


def read_operations(note: Path) -> list[Operation]:
    """Return the operations of the undisturbed run."""
    lines = (line.split("\t") for line in note.read_text().splitlines())
    return [Operation(int(number), kind, path) for number, kind, path in lines]


def content(folder: Path) -> dict[str, bytes]:
    """Return all results of a run by their path."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in NOT_COMPARED and not is_hidden(path, folder)
    }


def hidden_files(folder: Path) -> list[str]:
    """Return files and folders that a kill left behind."""
    return [
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        # The cache of the page is hidden, and rebuilt whenever it does not fit.
        if is_hidden(path, folder) and ".summaries" not in path.parts
    ]


def is_hidden(path: Path, folder: Path) -> bool:
    """Return True if a part of the path below the folder begins with a dot."""
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


def last_line(log: Path) -> str:
    """Return the last line of a log."""
    return (log.read_text(errors="replace").strip().splitlines() or [""])[-1]


def print_table(operations: list[Operation], counts: dict[str, Counter[str]]) -> None:
    """Print a row for each kind of operation."""
    of_kind = Counter(operation.kind for operation in operations)
    sys.stdout.write(
        "| operation | of them in a run | kills | stuck | differing files | left over |\n"
    )
    sys.stdout.write("|---|---|---|---|---|---|\n")
    for kind in sorted(counts["kills"]):
        figures = [counts[name][kind] for name in ("kills", "stuck", "differing", "left")]
        row = [kind, of_kind[kind.partition(",")[0]], *figures]
        sys.stdout.write(f"| {' | '.join(map(str, row))} |\n")
    totals = [counts[name].total() for name in ("kills", "stuck", "differing", "left")]
    sys.stdout.write(f"| all | {len(operations)} | {' | '.join(map(str, totals))} |\n")


if __name__ == "__main__":
    began = time.monotonic()
    try:
        main()
    finally:
        sys.stdout.write(f"{time.monotonic() - began:.0f} s\n")
