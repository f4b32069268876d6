"""The folder of a run: the only record of what happened, read from disk and never kept twice.

run/
├── run.json          marks the root and names the format; paths below it are relative
├── lock              held by the process that works on the run
├── rollbacks.jsonl   who went back to an older champion, when and why (see `rollbacks`)
├── round-01/         plan.yaml, inputs/, and one folder for each stage (see `stage_table`)
├── round-02/         ...
├── round-03.aside-1/ a round that was set aside by --restart
└── evaluation-01/    the champion on the sets as they were then
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from ..core.artifacts import PROVENANCE, PRUNED, RUN_MARKER, JsonRecord, read_json, write_json
from ..core.content_check import check_unchanged
from ..core.errors import ConfigError
from ..core.locks import exclusive_lock
from ..core.types import Checkpoint, Report, Verdict
from ..evaluation.trials import VoiceTrial
from .pruning import PruneOptions as PruneOptions
from .pruning import delete_bulk
from .rollbacks import Rollback, find_standing, last_rollback_of, read_rollbacks
from .run_check import (
    FORMAT,
    check_champion,
    check_order,
    check_place,
    describe_other_format,
    list_rounds,
    read_note,
    recorded_champion,
    round_name,
)
from .run_check import ROUND_NAME as ROUND_NAME
from .run_check import round_number as round_number
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
    def open(cls, path: Path | str) -> RunFolder:
        """Open the run, and make its folder if there is none.

        Raises:
            ConfigError: The folder holds something else, or a run of another format.
        """
        check_place(path := Path(path))
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as cause:
            raise ConfigError(f"{path}: the folder cannot be made ({cause.strerror})") from cause
        if not (path / RUN_MARKER).is_file():
            write_json({"format": FORMAT}, path / RUN_MARKER)
        return cls.read(path)  # the marker may have been there, of another format

    @classmethod
    def read(cls, path: Path | str) -> RunFolder:
        """Open the run without making anything.

        Raises:
            ConfigError: There is no run, or one of another format.
        """
        if not ((path := Path(path)) / RUN_MARKER).is_file():
            raise ConfigError(f"{path}: no run here; `twister run PLAN {path}` begins one")
        marker = read_json(path / RUN_MARKER)
        run_format = marker.get("format") if isinstance(marker, dict) else None
        if run_format != FORMAT:
            raise ConfigError(describe_other_format(path, run_format))
        return cls(path)

    @property
    def round_folders(self) -> list[Path]:
        """Folders of all rounds, finished or not, in the order of their numbers.

        Raises:
            ConfigError: One of them is a copy of another round.
        """
        return list_rounds(self.path)

    @property
    def finished_rounds(self) -> list[Path]:
        """Folders of the rounds that have a verdict, in order."""
        return [folder for folder in self.round_folders if is_finished(folder)]

    @property
    def standing_rounds(self) -> list[Path]:
        """Folders of the finished rounds that no rollback took back, in order."""
        return self._standing(self.finished_rounds, self.rollbacks)

    @property
    def rollbacks(self) -> tuple[Rollback, ...]:
        """Rollbacks of the run, in the order in which they happened."""
        return read_rollbacks(self.path)

    @property
    def in_progress(self) -> Path | None:
        """Folder of the round that was begun and has no verdict yet."""
        return next((folder for folder in self.round_folders if not is_finished(folder)), None)

    @property
    def champion(self) -> Checkpoint | None:
        """The champion's weights; None while the untouched model is in use."""
        folder = self.champion_folder
        return Checkpoint.load(CANDIDATE.path(folder)) if folder else None

    @property
    def champion_folder(self) -> Path | None:
        """Folder of the last accepted round that no rollback took back.

        Raises:
            ConfigError: Rounds were deleted or changed by hand, so that it would be another one
                than the run's records name.
        """
        finished, rollbacks = self.finished_rounds, self.rollbacks
        champion = _last_approved(self._standing(finished, rollbacks))
        check_champion(
            self.path,
            round_number(champion) if champion else 0,
            finished,
            rollbacks,
            # Not read if a rollback decides: its verdict may be what is damaged.
            last_approved=lambda: is_approved(finished[-1]),
        )
        return champion

    def champion_before(self, folder: Path) -> Path | None:
        """Return the round whose candidate was the champion when a round was begun."""
        number = round_number(folder)
        finished = [path for path in self.finished_rounds if round_number(path) < number]
        rollbacks = [back for back in self.rollbacks if back.after < number]  # those before it
        return _last_approved(self._standing(finished, rollbacks))

    def rollback_of(self, folder: Path) -> Rollback | None:
        """Return the rollback that took a finished round back; None if the round stands."""
        if folder in self.standing_rounds:  # also one that a later rollback has restored
            return None
        return last_rollback_of(round_number(folder), self.rollbacks)

    @staticmethod
    def _standing(finished: Sequence[Path], rollbacks: Sequence[Rollback]) -> list[Path]:
        standing = find_standing([round_number(folder) for folder in finished], rollbacks)
        return [folder for folder in finished if round_number(folder) in standing]

    @property
    def last_labels(self) -> Path | None:
        """Pseudo-labels of the last round that stands, before any filter."""
        return next((PSEUDO_LABELS.path(folder) for folder in self.standing_rounds[-1:]), None)

    @property
    def last_filtered_labels(self) -> Path | None:
        """Labels that the filters of the last round that stands kept."""
        return next((FILTERED_LABELS.path(folder) for folder in self.standing_rounds[-1:]), None)

    @property
    def last_speakers(self) -> Path | None:
        """The last pool in which speakers were clustered and named."""
        folders = (SPEAKERS.path(folder) for folder in reversed(self.standing_rounds))
        return next((folder for folder in folders if folder.is_dir()), None)

    @property
    def awaiting_approval(self) -> Path | None:
        """The last round, if its candidate awaits a person's decision."""
        return next(
            (folder for folder in self.finished_rounds[-1:] if awaits_approval(folder)), None
        )

    def next_folder(self) -> Path:
        """Return the folder of the round that comes next."""
        # Not from the count, since a round may have been deleted by hand. No number is used twice:
        # a rollback counts for the rounds before it.
        numbers = [round_number(folder) for folder in self.round_folders]
        numbers += [rollback.after for rollback in self.rollbacks]
        return self.path / round_name(max([recorded_champion(self.path), *numbers]) + 1)

    def check_rounds(self) -> None:
        """Check that at most the last round is in progress, before anything goes on from it.

        Raises:
            ConfigError: An earlier round has no verdict.
        """
        unfinished = [path for path in self.round_folders if not is_finished(path)]
        check_order(self.path, unfinished, self.finished_rounds)

    def note_champion(self) -> None:
        """Note the number of the champion's round, so that it is missed if it is deleted."""
        number = round_number(champion) if (champion := self.champion_folder) else 0
        marker = read_json(self.path / RUN_MARKER)  # with the format
        write_json({**marker, "champion": number}, self.path / RUN_MARKER)

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
        names = (folder.with_name(f"{folder.name}.aside-{number}") for number in count(1))
        return folder.rename(next(name for name in names if not name.exists()))

    def voice(self, name: str) -> Checkpoint | None:
        """Return the last voice of that name that passed its trial, of the rounds that stand.

        It does not matter whether the candidate of that round was accepted: the voice is judged by
        its own trial. A round that was taken back lends none: a champion that is no longer trusted
        wrote the labels that it learned.
        """
        for folder in reversed(self.standing_rounds):
            voice, trial = VOICE.path(folder, voice=name), VOICE_TRIAL.path(folder, voice=name)
            # Pruned rounds keep the note of their voice, but not its weights.
            has_weights = (voice / "checkpoint.json").is_file() and not (voice / PRUNED).exists()
            if has_weights and trial.is_dir() and VoiceTrial.load(trial).passed:
                return Checkpoint.load(voice)
        return None

    def prune(self, keep: PruneOptions) -> int:
        """Delete weights and audio of old rounds; return the number of bytes that were freed."""
        # The last round is never pruned, whatever `keep` says: the next round reads its labels.
        # After a rollback that is the last round that stands.
        finished = self.finished_rounds
        whole = {*finished[-max(keep.last, 1) :], *self.standing_rounds[-1:], self.champion_folder}
        # Only this file tells the next process that a kill fell into the deletion.
        self.unfinished_pruning.touch()
        freed = sum(delete_bulk(folder) for folder in finished if folder not in whole)
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


def is_finished(folder: Path) -> bool:
    """Return True if the round has a verdict."""
    return VERDICT.path(folder).is_dir()


def verdict_of(folder: Path) -> Verdict:
    """Return the verdict of a finished round.

    Raises:
        ConfigError: It is missing or damaged.
        EditedError: It was edited, so it is not that of the gates.
    """
    check_unchanged(VERDICT.path(folder))
    return Verdict.load(VERDICT.path(folder))


def asks_approval(folder: Path) -> bool:
    """Return True if the plan wanted a person's approval when the round began."""
    return bool(read_note(folder).get("approval"))


def approval_of(folder: Path) -> Approval | None:
    """Return a person's decision on the round's candidate; None if there is none."""
    decision = APPROVAL.path(folder)
    if not decision.is_dir():  # hidden while it is being written
        return None
    if (decision / PROVENANCE).is_file():
        check_unchanged(decision)
    return Approval.load(decision)


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


def _last_approved(folders: Sequence[Path]) -> Path | None:
    return next((folder for folder in reversed(folders) if is_approved(folder)), None)
