"""The folder of a run: the only record of what happened, read from disk and never kept twice.

run/
├── run.json          marks the root and names the format; paths below it are relative
├── lock              held by the process that works on the run
├── round-01/         plan.yaml, inputs/, and one folder for each stage (see `stage_table`)
├── round-02/         ...
├── round-03.aside-1/ a round that was set aside by --restart
└── evaluation-01/    the champion on the sets as they were then
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..core import schema
from ..core.artifacts import PROVENANCE, PRUNED, RUN_MARKER, JsonRecord, read_json, write_json
from ..core.errors import ConfigError
from ..core.locks import exclusive_lock
from ..core.ranges import CountOrZero
from ..core.types import Checkpoint, Report, Verdict
from ..evaluation.trials import VoiceTrial
from .stage_table import (
    APPROVAL,
    CANDIDATE,
    FILTERED_LABELS,
    PSEUDO_LABELS,
    REPORT,
    SPEAKERS,
    VERDICT,
    VOICE,
    VOICE_TRIAL,
)

FORMAT = 3
"""Format of the run folder. 2: reports name their normalizer. 3: stages, folders and records have
their present names."""
ROUND_NAME = re.compile(r"round-\d+")
"""A round that was set aside or copied by hand has a longer name, and is no round of the run."""
RESULT_SUFFIXES = frozenset(".json .jsonl .yaml .html .log".split())
"""Files that `prune` leaves in an old round: the record of what happened, without its bulk."""


@dataclass(frozen=True)
class PruneOptions:
    """Options for pruning old rounds to manifests, reports and verdicts."""

    last: CountOrZero = 2
    """Number of rounds that stay whole. The champion's round stays whole too, however old."""
    __pydantic_config__ = schema.FORBID_UNKNOWN_FIELDS


@dataclass(frozen=True)
class Approval(JsonRecord):
    """A person's decision on an accepted candidate; it is written once."""

    approved: bool
    by: str
    """Name of the person."""
    when: str
    """Time of the decision: ISO 8601, with the offset from UTC."""
    note: str = ""

    def __str__(self) -> str:
        decision = "approved" if self.approved else "refused"
        return f"{decision} by {self.by} on {self.when}{f': {self.note}' if self.note else ''}"


@dataclass(frozen=True)
class Round:
    """A finished round of the loop."""

    number: int
    folder: Path
    candidate: Checkpoint
    report: Report
    verdict: Verdict
    trials: tuple[VoiceTrial, ...] = ()


@dataclass(frozen=True)
class RunFolder:
    """A run on disk: its rounds, its champion and its lock."""

    path: Path

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """Open the run, and make its folder if there is none.

        Raises:
            ConfigError: The folder holds something else, or a run of another format.
        """
        if path.exists() and not is_run_or_empty(path):
            raise ConfigError(f"{path}: not a run, and not empty; name another folder")
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as cause:
            raise ConfigError(f"{path}: the folder cannot be made ({cause.strerror})") from cause
        if not (path / RUN_MARKER).is_file():
            write_json({"format": FORMAT}, path / RUN_MARKER)
        return cls.read(path)

    @classmethod
    def read(cls, path: Path) -> RunFolder:
        """Open the run without making anything.

        Raises:
            ConfigError: There is no run, or one of another format.
        """
        if not (path / RUN_MARKER).is_file():
            raise ConfigError(f"{path}: no run here; `twister run PLAN {path}` begins one")
        run_format = read_json(path / RUN_MARKER).get("format")
        if run_format != FORMAT:
            raise ConfigError(_other_format(path, run_format))
        return cls(path)

    @property
    def round_folders(self) -> list[Path]:
        """Folders of all rounds, finished or not, in the order of their numbers."""
        return _round_folders(self.path)

    @property
    def finished_rounds(self) -> list[Path]:
        """Folders of the rounds that have a verdict, in order."""
        return [folder for folder in self.round_folders if is_finished(folder)]

    @property
    def in_progress(self) -> Path | None:
        """Folder of the round that was begun and has no verdict yet."""
        return next((folder for folder in self.round_folders if not is_finished(folder)), None)

    @property
    def champion(self) -> Checkpoint | None:
        """The candidate of the last accepted round; None while the untouched model is in use."""
        folder = self.champion_folder
        return Checkpoint.load(CANDIDATE.path(folder)) if folder else None

    @property
    def champion_folder(self) -> Path | None:
        """Folder of the last accepted round."""
        return next(
            (folder for folder in reversed(self.finished_rounds) if is_approved(folder)), None
        )

    @property
    def last_labels(self) -> Path | None:
        """Pseudo-labels of the last finished round, before any filter."""
        return PSEUDO_LABELS.path(self.finished_rounds[-1]) if self.finished_rounds else None

    @property
    def last_filtered_labels(self) -> Path | None:
        """Labels that the filters of the last finished round kept."""
        return FILTERED_LABELS.path(self.finished_rounds[-1]) if self.finished_rounds else None

    @property
    def last_speakers(self) -> Path | None:
        """The last pool in which speakers were clustered and named."""
        folders = (SPEAKERS.path(folder) for folder in reversed(self.finished_rounds))
        return next((folder for folder in folders if folder.is_dir()), None)

    @property
    def awaiting_approval(self) -> Path | None:
        """The last round, if its candidate awaits a person's decision."""
        return next(
            (folder for folder in self.finished_rounds[-1:] if awaits_approval(folder)), None
        )

    def next_folder(self) -> Path:
        """Return the folder of the round that comes next."""
        # Not from the count, since a round may have been deleted by hand.
        last = round_number(self.round_folders[-1]) if self.round_folders else 0
        return self.path / f"round-{last + 1:02d}"

    def next_evaluation(self) -> Path:
        """Return the folder of the next evaluation; an interrupted one is resumed."""
        evaluations = self.path.glob("evaluation-*")
        finished = sum(1 for folder in evaluations if REPORT.path(folder).is_dir())
        # Unfinished evaluations do not count, so an interrupted one is found again and resumed.
        return self.path / f"evaluation-{finished + 1:02d}"

    def set_aside(self) -> Path | None:
        """Rename the round in progress, so that the next one starts anew; return its new name."""
        folder = self.in_progress
        if folder is None:
            return None
        earlier = len(list(self.path.glob(f"{folder.name}.aside-*")))
        return folder.rename(folder.with_name(f"{folder.name}.aside-{earlier + 1}"))

    def voice(self, name: str) -> Checkpoint | None:
        """Return the last voice of that name that passed its trial.

        It does not matter whether the candidate of that round was accepted: the voice is judged by
        its own trial.
        """
        for folder in reversed(self.finished_rounds):
            voice, trial = VOICE.path(folder, voice=name), VOICE_TRIAL.path(folder, voice=name)
            # Pruned rounds keep the note of their voice, but not its weights.
            has_weights = (voice / "checkpoint.json").is_file() and not (voice / PRUNED).exists()
            if has_weights and trial.is_dir() and VoiceTrial.load(trial).passed:
                return Checkpoint.load(voice)
        return None

    def prune(self, keep: PruneOptions) -> int:
        """Delete weights and audio of old rounds; return the number of bytes that were freed."""
        # The last round is never pruned, whatever `keep` says: the next round reads its labels.
        finished = self.finished_rounds
        whole = {*finished[-max(keep.last, 1) :], self.champion_folder}
        bulk = [
            (path, folder)
            for folder in finished
            if folder not in whole
            for path in list(folder.rglob("*"))
            if path.is_file() and _is_bulk(path)
        ]
        # Only this file tells the next process that a kill fell into the loop below.
        self.unfinished_pruning.touch()
        freed = 0
        for path, folder in bulk:
            artifacts = (parent for parent in path.parents if (parent / PROVENANCE).is_file())
            # The mark comes first: a pruned artifact must never be reused as if it were whole.
            (next(artifacts, folder) / PRUNED).touch()
            freed += path.stat().st_size
            path.unlink()
        self.unfinished_pruning.unlink(missing_ok=True)
        return freed

    @property
    def unfinished_pruning(self) -> Path:
        """File that exists while a round runs and `prune` deletes, and after a kill in there."""
        return self.path / ".pruning"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes out of the run; the lock ends with the process that holds it.

        Raises:
            BusyError: Another process holds the lock.
        """
        with exclusive_lock(self.path / "lock", wait=False):
            yield


def _round_folders(path: Path) -> list[Path]:
    """Return the round folders of a run by number: as text, `round-100` is before `round-11`."""
    folders = (folder for folder in path.glob("round-*") if ROUND_NAME.fullmatch(folder.name))
    return sorted(folders, key=round_number)


def is_finished(folder: Path) -> bool:
    """Return True if the round has a verdict."""
    return VERDICT.path(folder).is_dir()


def verdict_of(folder: Path) -> Verdict:
    """Return the verdict of a finished round."""
    return Verdict.load(VERDICT.path(folder))


def asks_approval(folder: Path) -> bool:
    """Return True if the plan wanted a person's approval when the round began."""
    note = folder / "plan.json"
    return note.is_file() and bool(read_json(note).get("approval"))


def approval_of(folder: Path) -> Approval | None:
    """Return a person's decision on the round's candidate; None if there is none."""
    decision = APPROVAL.path(folder)
    return Approval.load(decision) if decision.is_dir() else None


def awaits_approval(folder: Path) -> bool:
    """Return True if the gates accepted a finished round and a person has yet to decide."""
    accepted = verdict_of(folder).accepted
    return accepted and asks_approval(folder) and not APPROVAL.path(folder).is_dir()


def is_approved(folder: Path) -> bool:
    """Return True if a finished round's candidate became the champion.

    The gates must have accepted it, and a person too where the plan asks for that.
    """
    if not verdict_of(folder).accepted or not asks_approval(folder):
        return verdict_of(folder).accepted
    approval = approval_of(folder)
    return approval is not None and approval.approved


def round_number(folder: Path) -> int:
    """Return the number of a round.

    >>> round_number(Path("runs/mine/round-07"))
    7
    """
    return int(folder.name.removeprefix("round-"))


def load_round(folder: Path) -> Round:
    """Read a finished round."""
    trials = sorted(folder.glob(VOICE_TRIAL.folder.format(voice="*")))
    return Round(
        number=round_number(folder),
        folder=folder,
        candidate=Checkpoint.load(CANDIDATE.path(folder)),
        report=Report.load(REPORT.path(folder)),
        verdict=verdict_of(folder),
        trials=tuple(VoiceTrial.load(trial) for trial in trials),
    )


def is_run_or_empty(path: Path) -> bool:
    """Return whether a folder holds a run, or nothing."""
    return (path / RUN_MARKER).is_file() or _is_empty_folder(path)


def _is_empty_folder(path: Path) -> bool:
    """Return True for a folder that holds nothing, or only what a kill left of `RUN_MARKER`."""
    return path.is_dir() and {file.name for file in path.iterdir()} <= {f".{RUN_MARKER}"}


def _is_bulk(path: Path) -> bool:
    """Return True for weights and audio, which `prune` deletes."""
    # A tokenizer is JSON, but large and useless without its weights.
    is_model_file = path.name in {"tokenizer.json", "vocab.json"}
    is_result = path.suffix in RESULT_SUFFIXES and not is_model_file
    return not is_result and path.name != PRUNED


def _other_format(path: Path, run_format: object) -> str:
    """Return the refusal of a run of another format, with the way to go on from its champion."""
    accepted = [
        folder
        for folder in _round_folders(path)
        if (folder / "verdict" / "verdict.json").is_file()
        and not read_json(folder / "verdict" / "verdict.json").get("objections")
        and (folder / "candidate").is_dir()
    ]
    go_on = (
        f"begin a new run from its champion: `asr: {{use: whisper, model: "
        f"{(accepted[-1] / 'candidate').absolute()}}}` in the plan, and a new folder"
        if accepted
        else "it has no champion, so begin a new run in another folder"
    )
    return (
        f"{path}: a run of format {run_format}, and this version reads format {FORMAT}; {go_on}. "
        "To finish the old run, use the version named in its environment.json"
    )
