"""The folder of a run is its ledger: what it says is read from it, and never kept twice.

run/
├── run.json          marks the root; paths below it are relative
├── round-01/         plan.yaml, and one folder a stage
├── round-02/         ...
├── round-03.aside-1/ a round that was set aside by --restart
└── evaluation-01/    the champion on the sets as they were then
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..core import schema
from ..core.artifacts import PROVENANCE, PRUNED, RUN_MARKER, JsonRecord, read_json, write_json
from ..core.errors import BusyError, ConfigError
from ..core.types import Checkpoint, Report, Seconds, Verdict
from ..evaluation.trials import VoiceTrial

FORMAT = 2
"""Of the run folder; 2 since reports say how they were normalized."""
RESULTS = frozenset(".json .jsonl .yaml .html .log".split())
"""What `thin` leaves of an old round."""


@dataclass(frozen=True)
class PruneOptions:
    """Which rounds stay whole; the others are thinned to manifests, reports and verdicts.

    The champion's round stays whole too, however old it is.
    """

    last: int = 2
    __pydantic_config__ = schema.STRICT


@dataclass(frozen=True)
class Approval(JsonRecord):
    """What a person said of an accepted candidate; written once."""

    approved: bool
    by: str
    when: str
    """ISO 8601, with the offset from UTC."""
    note: str = ""

    def __str__(self) -> str:
        said = "approved" if self.approved else "refused"
        return f"{said} by {self.by} on {self.when}{f': {self.note}' if self.note else ''}"


@dataclass(frozen=True)
class Round:
    """One round of the loop, complete."""

    number: int
    folder: Path
    candidate: Checkpoint
    report: Report
    verdict: Verdict
    trials: tuple[VoiceTrial, ...] = ()


@dataclass(frozen=True)
class NewAudioOptions:
    """What must have come into the pool before `twister retrain` runs a round."""

    minutes: float = 10.0
    """Of audio that no round has listed yet."""
    settled: Seconds = 30.0
    """A file that changed more recently may still be being written; it is left for the next
    look."""
    __pydantic_config__ = schema.STRICT

    def __post_init__(self) -> None:
        if min(self.minutes, self.settled) < 0:
            raise ValueError("nothing below 0")


@dataclass(frozen=True)
class RunFolder:
    """What a run folder says of itself."""

    run: Path

    @classmethod
    def open(cls, run: Path) -> RunFolder:
        """Make the run folder if it is not there yet. Raises ConfigError."""
        if (
            run.exists()
            and not (run / RUN_MARKER).is_file()
            and (not run.is_dir() or any(run.iterdir()))
        ):
            raise ConfigError(f"{run}: not a run, and not empty; name another folder")
        run.mkdir(parents=True, exist_ok=True)
        if not (run / RUN_MARKER).is_file():
            write_json({"format": FORMAT}, run / RUN_MARKER)
        return cls.read(run)

    @classmethod
    def read(cls, run: Path) -> RunFolder:
        """Raises ConfigError where there is no run, or one of another version."""
        if not (run / RUN_MARKER).is_file():
            raise ConfigError(f"{run}: no run here; `twister run PLAN {run}` begins one")
        if (found := read_json(run / RUN_MARKER).get("format")) != FORMAT:
            raise ConfigError(
                f"{run}: a run of format {found}, and this version reads {FORMAT}; begin another, "
                "or go on with the version that began it (`twister-loop` in environment.json)"
            )
        return cls(run)

    @property
    def round_folders(self) -> list[Path]:
        """Of all rounds, finished or not, in order."""
        return sorted(each for each in self.run.glob("round-[0-9]*") if each.suffix == "")

    @property
    def finished_rounds(self) -> list[Path]:
        return [each for each in self.round_folders if is_finished(each)]

    @property
    def in_progress(self) -> Path | None:
        """The round that was begun and has no verdict yet."""
        return next((each for each in self.round_folders if not is_finished(each)), None)

    @property
    def champion(self) -> Checkpoint | None:
        """The candidate of the last accepted round; None while the model as it came is in use."""
        folder = self.champion_folder
        return Checkpoint.load(folder / "candidate") if folder else None

    @property
    def champion_folder(self) -> Path | None:
        return next((each for each in reversed(self.finished_rounds) if is_approved(each)), None)

    @property
    def last_labels(self) -> Path | None:
        """Where the last finished round says what it heard in the pool, before any filter."""
        return self.finished_rounds[-1] / "pseudo_labels" if self.finished_rounds else None

    @property
    def last_filtered_labels(self) -> Path | None:
        """Where the labels lie that the filters of the last finished round kept."""
        return self.finished_rounds[-1] / "filtered_labels" if self.finished_rounds else None

    @property
    def last_speakers(self) -> Path | None:
        """Where a finished round last told speakers apart and named them."""
        named = (each / "speakers" for each in reversed(self.finished_rounds))
        return next((each for each in named if each.is_dir()), None)

    @property
    def awaiting_approval(self) -> Path | None:
        """The round whose candidate the gates accepted, while a person has not said yes or no."""
        return next((each for each in self.finished_rounds[-1:] if awaits_approval(each)), None)

    def next_folder(self) -> Path:
        return self.run / f"round-{len(self.round_folders) + 1:02d}"

    def next_evaluation(self) -> Path:
        """Where the champion is measured next; the one that was interrupted, if one was."""
        done = sum(1 for each in self.run.glob("evaluation-*") if (each / "report").is_dir())
        return self.run / f"evaluation-{done + 1:02d}"

    def set_aside(self) -> Path | None:
        """Rename the round in progress, so that the next begins anew; give its new name."""
        folder = self.in_progress
        if folder is None:
            return None
        taken = len(list(self.run.glob(f"{folder.name}.aside-*")))
        return folder.rename(folder.with_name(f"{folder.name}.aside-{taken + 1}"))

    def voice(self, name: str) -> Checkpoint | None:
        """The last voice of that name that passed its trial, whatever became of the candidate."""
        for folder in reversed(self.finished_rounds):
            home = folder / "voices" / name
            voice = home / "voice"
            whole = (voice / "checkpoint.json").is_file() and not (voice / PRUNED).exists()
            if whole and (home / "trial").is_dir() and VoiceTrial.load(home / "trial").passed:
                return Checkpoint.load(voice)
        return None

    def prune(self, keep: PruneOptions) -> int:
        """Take weights and audio out of older rounds; give the bytes that were freed."""
        whole = {*self.finished_rounds[-max(keep.last, 1) :], self.champion_folder}
        freed = 0
        for folder in set(self.finished_rounds) - whole:
            for path in folder.rglob("*"):
                result = path.suffix in RESULTS and not _is_model_file(path)
                if path.is_file() and not result and path.name != PRUNED:
                    freed += path.stat().st_size
                    path.unlink()
                    made = (each for each in path.parents if (each / PROVENANCE).is_file())
                    (next(made, folder) / PRUNED).touch()
        return freed

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes out; the lock dies with its holder. Raises BusyError."""
        with (self.run / "lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as cause:
                raise BusyError(
                    f"{self.run}: another process is at work on this run; wait for it, or end it"
                ) from cause
            yield


def is_finished(folder: Path) -> bool:
    return (folder / "verdict").is_dir()


def verdict_of(folder: Path) -> Verdict:
    return Verdict.load(folder / "verdict")


def asks_approval(folder: Path) -> bool:
    """Whether the plan asked for it when the round began."""
    note = folder / "plan.json"
    return note.is_file() and bool(read_json(note).get("approval"))


def approval_of(folder: Path) -> Approval | None:
    return Approval.load(folder / "approval") if (folder / "approval").is_dir() else None


def awaits_approval(folder: Path) -> bool:
    """Whether a finished round waits for a person's word."""
    asked = verdict_of(folder).accepted and asks_approval(folder)
    return asked and not (folder / "approval").is_dir()


def is_approved(folder: Path) -> bool:
    """Whether the gates accepted a finished round, and a person where the plan asks for one."""
    if not verdict_of(folder).accepted or not asks_approval(folder):
        return verdict_of(folder).accepted
    said = approval_of(folder)
    return said is not None and said.approved


def round_number(folder: Path) -> int:
    return int(folder.name.removeprefix("round-"))


def load_round(folder: Path) -> Round:
    """A finished round, read back."""
    trials = sorted(folder.glob("voices/*/trial"))
    return Round(
        number=round_number(folder),
        folder=folder,
        candidate=Checkpoint.load(folder / "candidate"),
        report=Report.load(folder / "report"),
        verdict=verdict_of(folder),
        trials=tuple(VoiceTrial.load(each) for each in trials),
    )


def _is_model_file(path: Path) -> bool:
    """A tokenizer is JSON and large, and of no use without its weights."""
    return path.name in {"tokenizer.json", "vocab.json"}
