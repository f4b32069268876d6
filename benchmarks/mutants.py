"""Tests that bite: faults put into the code that decides, and which tests see them.

    python benchmarks/mutants.py [--count 300] [--seed 20] [--checkout FOLDER] [--out FILE.jsonl]
    python benchmarks/mutants.py --list --out FILE.jsonl      the table and the survivors
    python benchmarks/mutants.py --again --out FILE.jsonl     try survivors with the tests of now

Mutations (`mutations.py`) of the modules of `ROOMS` are drawn by the seed. Each is put into a copy
of the checkout, whose room's tests run, and those of the loop if the room's pass. It is killed by
the first test that fails, or by a timeout. Nothing is written to the checkout. The table counts by
room; an interrupted run resumes. 300 mutants take about half an hour on two cores.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mutations import Mutation, draw_mutations

ROOT = Path(__file__).parents[1]
PACKAGE = "twister_loop"
TIERS = "not model and not pretrained and not prefect and not browser and not cluster"
"""The default tier of the tests, and nothing slow."""
HEAVY = "hypothesis numpy pydantic pytest rapidfuzz soundfile torch transformers yaml".split()
"""Imported once, before the forks; torch and transformers take seconds."""
LOOP = ("tests/pipeline/test_loop.py", "tests/pipeline/test_approval.py")
"""Tests that run whole rounds in the toy world."""
EXAMPLES = "tests/test_house.py::test_examples_in_docstrings_run"
NOT_COPIED = shutil.ignore_patterns(".*", "__pycache__", "runs", "node_modules")
PATIENCE = 8
"""Times of what the tests take without a fault, after which a mutant counts as killed: it hangs."""
LEAST_PATIENCE = 60.0
"""Seconds."""


@dataclass(frozen=True)
class Room:
    """Modules, and the tests that have to see a fault in them."""

    modules: tuple[str, ...]
    """Patterns below the package."""
    tests: tuple[str, ...]
    """Patterns below the folder of tests; those that see most come first."""


ROOMS = {
    "gates": Room(
        (
            "evaluation/gates/*.py",
            "evaluation/looks.py",
            "evaluation/paired_test.py",
            "evaluation/power.py",
        ),
        ("evaluation/test_*gate*.py", "evaluation/test_*paired*.py", "evaluation/test_*power*.py"),
    ),
    "metrics": Room(
        ("evaluation/metrics.py", "evaluation/measures.py", "evaluation/pooling.py"),
        ("evaluation/test_me*.py", "evaluation/test_pool*.py", "evaluation/test_outcomes.py"),
    ),
    "outcomes": Room(
        ("evaluation/outcomes.py", "evaluation/evidence.py"),
        ("evaluation/test_outcomes.py", "evaluation/test_[!s]*.py", "pipeline/test_evaluation.py"),
    ),
    "artifacts": Room(
        ("core/artifacts.py", "core/content_check.py", "core/digests.py", "core/scratch.py"),
        ("core/test_artifacts.py", "core/test_s[tc]*.py"),
    ),
    "run folder": Room(
        (
            "pipeline/run_folder.py",
            "pipeline/run_check.py",
            "pipeline/rollback*.py",
            "pipeline/pruning.py",
            "pipeline/novelty.py",
        ),
        ("pipeline/test_run_folder*.py", "pipeline/test_rollback*.py", "pipeline/test_novel*.py"),
    ),
    "mixture": Room(
        ("data/mixture*.py", "pipeline/stages/mixture.py"),
        (
            "data/test_mixture*.py",
            "pipeline/test_mixture*.py",
            "pipeline/stages/test_mixture*.py",
            "audio/test_augmentation.py",
        ),
    ),
    "packing": Room(
        ("data/pack*.py", "data/neighbors.py", "pipeline/stages/packing.py"),
        ("data/test_pack*.py", "data/test_neigh*.py", "pipeline/stages/test_pack*.py"),
    ),
    "filtering": Room(
        ("pipeline/stages/filtering.py",),
        (
            "pipeline/stages/test_filter*.py",
            "pipeline/stages/test_held*.py",
            "pipeline/test_held_out_t*.py",
        ),
    ),
    "contamination": Room(
        ("text/contamination.py", "text/comparison_form.py", "text/hashed_keys.py"),
        ("text/test_contamination*.py", "text/test_hashed_keys.py", "evaluation/test_metrics.py"),
    ),
    "leaks": Room(
        ("pipeline/leak_check.py",),
        ("pipeline/test_leak*.py",),
    ),
    "held-out sets": Room(
        (
            "pipeline/held_out_check.py",
            "pipeline/set_*.py",
            "pipeline/reference_check.py",
            "pipeline/look_count.py",
            "evaluation/misplaced_references.py",
        ),
        (
            "pipeline/test_held_out_[bc]*.py",
            "pipeline/test_set_*.py",
            "pipeline/test_reference_*.py",
            "pipeline/test_looks.py",
            "evaluation/test_misplaced*.py",
        ),
    ),
    "evaluation": Room(
        ("pipeline/stages/evaluation.py",),
        ("pipeline/stages/test_evaluation*.py", "pipeline/test_evaluation*.py"),
    ),
}


@dataclass(frozen=True)
class Outcome:
    """Result of one mutant."""

    room: str
    mutation: Mutation
    fault: str
    """The changed line, before and after."""
    killed_by: str
    """`room`, `loop`, `timeout`, or nothing if it survived."""
    test: str
    """First test that failed."""
    seconds: float


class FirstFailure:
    """Plugin of pytest that writes the name of the first test that fails."""

    def __init__(self, note: Path) -> None:
        self.note = note

    def pytest_runtest_logreport(self, report: Any) -> None:
        self._keep(report)

    def pytest_collectreport(self, report: Any) -> None:
        self._keep(report)

    def _keep(self, report: Any) -> None:
        if report.failed and not self.note.exists():
            self.note.write_text(report.nodeid)


class Slot:
    """A copy of the checkout, in which one test process runs at a time."""

    def __init__(self, folder: Path, checkout: Path) -> None:
        self.folder, self.root = folder, folder / "copy"
        self.log, self.note, self.pid = folder / "log", folder / "note", 0
        shutil.copytree(checkout, self.root, ignore=NOT_COPIED)
        self.start_time = self.deadline = 0.0

    def start(self, tests: Sequence[str], patience: float) -> None:
        """Run tests in a fork of this process, which has imported the heavy libraries."""
        self.note.unlink(missing_ok=True)
        self.start_time = time.monotonic()
        self.deadline = self.start_time + patience
        self.pid = os.fork()
        if self.pid == 0:
            try:
                os._exit(self._run(tests))
            except BaseException as error:  # the fork must not go on as its parent would
                tell(f"{type(error).__name__}: {error}")
                os._exit(1)

    def _run(self, tests: Sequence[str]) -> int:
        os.setsid()  # so that a timeout ends the processes that tests start, too
        descriptor = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        os.chdir(self.root)
        os.environ.update(PYTHONPATH=str(self.root), XDG_CACHE_HOME=str(self.folder / "cache"))
        sys.path.insert(0, str(self.root))
        pytest = importlib.import_module("pytest")
        options = ["-x", "-q", "-p", "no:cacheprovider", "-m", TIERS, "--hypothesis-seed=0"]
        scratch = f"--basetemp={self.folder / 'scratch'}"
        code = int(pytest.main([*options, scratch, *tests], plugins=[FirstFailure(self.note)]))
        package = sys.modules.get(PACKAGE)
        if package and not str(package.__file__).startswith(str(self.root)):
            tell(f"the tests read {package.__file__}, which is not the mutated copy")
            return 70
        return code

    def poll(self) -> str | None:
        """Return what became of the tests: `passed`, `failed`, `timeout`; None if they run."""
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        if pid == 0 and time.monotonic() < self.deadline:
            return None
        if pid == 0:
            os.killpg(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            return "timeout"
        code = os.waitstatus_to_exitcode(status)
        if code in (5, 70):
            raise SystemExit(f"mutants: no tests ran:\n{self.log.read_text()[-2000:]}")
        return "failed" if code else "passed"

    def wait(self) -> str:
        while (state := self.poll()) is None:
            time.sleep(0.02)
        return state

    @property
    def failed_test(self) -> str:
        return self.note.read_text() if self.note.exists() else "the tests could not be imported"


class Trial:
    """One mutant on its way through the room's tests and the loop's."""

    def __init__(self, slot: Slot, room: str, mutation: Mutation, limits: dict[str, float]) -> None:
        self.slot, self.room, self.mutation, self.limits = slot, room, mutation, limits
        self.file = slot.root / mutation.module
        self.source, self.seconds = self.file.read_text(encoding="utf-8"), 0.0
        self.file.write_text(mutation.apply(self.source), encoding="utf-8")
        tests = find_tests(slot.root, room, mutation.module)
        # A room of an earlier version may have no tests of its own.
        self.tier = room if tests else "loop"
        slot.start(tests or LOOP, limits.get(self.tier, LEAST_PATIENCE))

    def poll(self) -> Outcome | None:
        """Return the outcome once the mutant is killed or has passed all tests."""
        state = self.slot.poll()
        if state is None:
            return None
        self.seconds += time.monotonic() - self.slot.start_time
        if state == "passed" and self.tier != "loop":
            self.tier = "loop"
            self.slot.start(LOOP, self.limits["loop"])
            return None
        self.file.write_text(self.source, encoding="utf-8")
        tier = "loop" if self.tier == "loop" else "room"
        killed_by = {"passed": "", "failed": tier, "timeout": "timeout"}[state]
        test = self.slot.failed_test if state == "failed" else ""
        fault, seconds = self.mutation.describe(self.source), round(self.seconds, 1)
        return Outcome(self.room, self.mutation, fault, killed_by, test, seconds)


def find_modules(root: Path) -> dict[str, str]:
    """Return the room of every module that faults are drawn from."""
    return {
        str(path.relative_to(root)): name
        for name, room in ROOMS.items()
        for pattern in room.modules
        for path in sorted((root / PACKAGE).glob(pattern))
    }


def find_tests(root: Path, room: str, module: str = "") -> list[str]:
    """Return the test files of a room, and the examples in the docstrings of a module."""
    files = [
        str(path.relative_to(root))
        for pattern in ROOMS[room].tests
        for path in sorted((root / "tests").glob(pattern))
    ]
    if module and ">>>" in (root / module).read_text(encoding="utf-8"):
        name = module.removesuffix(".py").replace("/", ".")
        files.insert(0, f"{EXAMPLES}[{name}]")
    return list(dict.fromkeys(files))


def measure_limits(slots: Sequence[Slot], rooms: set[str]) -> dict[str, float]:
    """Run the tests without a fault, which must pass, and return how long a mutant may take."""
    limits = {}
    for tier in ["loop", *sorted(rooms)]:
        tests = LOOP if tier == "loop" else find_tests(slots[0].root, tier)
        if not tests:
            continue
        for slot in slots:
            slot.start(tests, 900)
        for slot in slots:
            if slot.wait() != "passed":
                raise SystemExit(
                    f"mutants: the tests of {tier} fail without a fault ({slot.failed_test}):\n"
                    f"{slot.log.read_text()[-3000:]}"
                )
        seconds = time.monotonic() - slots[0].start_time
        limits[tier] = max(LEAST_PATIENCE, PATIENCE * seconds)
        tell(f"{tier}: {seconds:.1f} s without a fault")
    return limits


def try_all(checkout: Path, todo: list[Mutation], workers: int) -> Iterator[Outcome]:
    """Yield the outcome of every mutant as it comes."""
    modules = find_modules(checkout)
    warm_up()
    with tempfile.TemporaryDirectory(prefix="mutants-") as scratch:
        slots = [Slot(Path(scratch) / str(number), checkout) for number in range(workers)]
        limits = measure_limits(slots, {modules[mutation.module] for mutation in todo})
        free, running = list(slots), list[Trial]()
        try:
            while todo or running:
                while todo and free:
                    mutation = todo.pop(0)
                    running.append(Trial(free.pop(), modules[mutation.module], mutation, limits))
                for trial in list(running):
                    if outcome := trial.poll():
                        running.remove(trial)
                        free.append(trial.slot)
                        yield outcome
                time.sleep(0.02)
        finally:
            # An interrupted benchmark leaves no tests behind, which have a session of their own.
            for trial in running:
                os.killpg(trial.slot.pid, signal.SIGKILL)


def tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def warm_up() -> None:
    """Import what is heavy, with one thread: a fork does not take threads along."""
    os.environ.update(OMP_NUM_THREADS="1", HF_HUB_OFFLINE="1")
    # A lower priority: the machine may have other work.
    os.nice(max(0, 10 - os.nice(0)))
    for name in HEAVY:
        importlib.import_module(name)
    sys.modules["torch"].set_num_threads(1)


def read_outcomes(file: Path) -> dict[Mutation, Outcome]:
    """Return the last outcome of every mutant of a file."""
    outcomes = {}
    for line in file.read_text().splitlines() if file.exists() else ():
        fields = json.loads(line)
        mutation = Mutation(**fields.pop("mutation"))
        outcomes[mutation] = Outcome(mutation=mutation, **fields)
    return outcomes


def print_table(outcomes: Sequence[Outcome]) -> None:
    """Print by room how many mutants were killed by which tests, and those that survived."""
    tell("| room | drawn | killed by the room's tests | by the loop's | survived |")
    tell("|---|---|---|---|---|")
    total = Counter[str]()
    for room in [*ROOMS, "all"]:
        count = Counter(outcome.killed_by for outcome in outcomes if outcome.room == room)
        total += count
        if room == "all":
            count = total
        by_room = count["room"] + count["timeout"]
        tell(f"| {room} | {count.total()} | {by_room} | {count['loop']} | {count['']} |")
    killed = total.total() - total[""]
    tell(f"killed: {killed} of {total.total()}, {killed / max(1, total.total()):.1%}")
    for outcome in outcomes:
        if not outcome.killed_by:
            tell(f"[{outcome.mutation.operator}] {outcome.fault}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=300, help="mutants to draw")
    parser.add_argument("--seed", type=int, default=20, help="seed of the draw")
    parser.add_argument("--rooms", nargs="*", default=list(ROOMS), choices=ROOMS)
    parser.add_argument("--checkout", type=Path, default=ROOT, help="checkout to try")
    parser.add_argument("--out", type=Path, default=Path("mutants.jsonl"), help="outcomes")
    parser.add_argument("--workers", type=int, default=2, help="processes at a time")
    parser.add_argument("--list", action="store_true", help="only print what is in --out")
    parser.add_argument("--again", action="store_true", help="try the survivors in --out again")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # with the tests that are running
    checkout = options.checkout.absolute()
    outcomes = read_outcomes(options.out)
    if options.list:
        return print_table(list(outcomes.values()))
    if options.again:
        todo = [mutation for mutation, outcome in outcomes.items() if not outcome.killed_by]
    else:
        modules = [name for name, room in find_modules(checkout).items() if room in options.rooms]
        drawn = draw_mutations(checkout, modules, options.count, options.seed)
        todo = [mutation for mutation in drawn if mutation not in outcomes]
    start, count = time.monotonic(), len(todo)
    with options.out.open("a") as file:
        for number, outcome in enumerate(try_all(checkout, todo, options.workers), start=1):
            file.write(json.dumps(asdict(outcome)) + "\n")
            file.flush()
            outcomes[outcome.mutation] = outcome
            fate = outcome.killed_by or "SURVIVED"
            minutes = (time.monotonic() - start) / 60
            place = f"{outcome.mutation.module}:{outcome.mutation.line}"
            tell(f"{number}/{count} {minutes:.1f} min {place} {fate} {outcome.test}")
    return print_table(list(outcomes.values()))


if __name__ == "__main__":
    main()
