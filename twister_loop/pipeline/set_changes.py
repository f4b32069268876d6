"""Changes of held-out sets between rounds: recordings that are gone, new or labeled otherwise.

All models of a round are evaluated on the sets as they are in that round. Figures of rounds with
different sets do not compare, so every change is told, and a large one needs a new name.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ..core.artifacts import JsonRecord
from ..core.errors import ConfigError
from ..core.manifest import Manifest
from ..core.types import Language, Seconds, SetKind, Share, Utterance
from ..evaluation.outcomes import HeldOutSet
from ..text.normalizers._base import Normalizer
from .run_folder import round_number
from .stage_table import INPUTS

log = logging.getLogger(__name__)

# An error rate moves by about this share if one utterance in twenty is left out because it is hard.
MAX_CHANGED_SHARE: Share = 0.05
"""Share of a set's recordings that may be lost or labeled otherwise, over all rounds of its name;
one always may."""
MAX_CHANGED = 19
"""The same as a number: as many as make a set (`minimum_utterances`) are never lost unasked."""
EXAMPLES = 3
"""Files that a message names."""


@dataclass(frozen=True)
class SetChange:
    """Difference of a held-out set from the round that measured it last."""

    # No field names a file: speech of the set may have to be removed from the run later.
    name: str
    kind: SetKind
    since: int
    """Number of the round that it is compared with."""
    before: int
    """Utterances of the set in that round."""
    gone: int = 0
    relabeled: int = 0
    """Utterances of both rounds with another normalized reference, language or duration."""
    added: int = 0
    is_in_plan: bool = True
    """False if the plan has no set of that name any more."""

    def __str__(self) -> str:
        place = f"{self.kind}.{self.name}"
        if not self.is_in_plan:
            return f"{place}: the plan has no such set any more; round {self.since} had {self.gone}"
        counts = {
            "gone": self.gone,
            "with another reference, language or duration": self.relabeled,
            "added": self.added,
        }
        changes = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
        return f"{place}: since round {self.since}, which had {self.before} utterances: {changes}"


@dataclass(frozen=True)
class SetChanges(JsonRecord):
    """Differences of a round's held-out sets from those of earlier rounds."""

    changes: tuple[SetChange, ...]


def check_set_changes(
    sets: Mapping[str, HeldOutSet],
    finished_rounds: Iterable[Path],
    normalizer: Normalizer,
    round_folder: Path,
) -> None:
    """Compare the held-out sets with earlier rounds, and record and log what changed.

    Args:
        sets: Held-out sets of the round by name.
        finished_rounds: Folders of the finished rounds, in order.
        normalizer: Brings references to the form in which they are counted.
        round_folder: Folder of the round, which receives the record if something changed.

    Raises:
        ConfigError: A set lost, or has otherwise labeled, more than `MAX_CHANGED_SHARE` of the
            recordings that finished rounds measured under its name.
    """
    # References of all rounds are normalized, and nearly all of them are the same.
    normalize = cache(normalizer.normalize)
    # All rounds and not the last one alone: a set that loses one recording a round loses them all.
    histories = _read_histories(finished_rounds, normalize)
    last_round = max((history.last_round for history in histories.values()), default=0)
    changes = []
    for (kind, name), history in histories.items():
        held_out = sets.get(name)
        if held_out is None or held_out.kind != kind:
            if history.last_round == last_round:  # else it was told before
                changes.append(history.describe_removal())
            continue
        contents = {line.id: _content(line, normalize) for line in held_out.speech}
        history.check(contents)
        changes.append(history.compare(contents))
    changes = [change for change in changes if change.gone or change.relabeled or change.added]
    for change in changes:
        log.warning("%s; all models are measured on the set as it is now", change)
    # Only then, so that most rounds have no such file, and those of earlier versions are the same.
    if changes:
        SetChanges(tuple(changes)).save(round_folder / INPUTS)


Content = tuple[str, Language | None, Seconds]
"""Normalized reference, language and duration of an utterance."""
Normalize = Callable[[str, Language | None], str]


class _History:
    """What finished rounds have measured under the name of one set."""

    def __init__(self, kind: SetKind, name: str) -> None:
        self.kind, self.name = kind, name
        self.last_round = 0
        self.last: dict[str, Content] = {}
        """Utterances of the last round with that set, by id."""
        self.ever: dict[str, tuple[Content, Path]] = {}
        """Utterances of all rounds with that set, as they were measured first."""

    def check(self, contents: Mapping[str, Content]) -> None:
        """Raise ConfigError if too much of what was ever measured is gone or labeled otherwise."""
        gone = [path for line_id, (_, path) in self.ever.items() if line_id not in contents]
        relabeled = [
            path
            for line_id, (content, path) in self.ever.items()
            if line_id in contents and contents[line_id] != content
        ]
        # At least one, because in a small set one recording is more than that share.
        allowed = min(max(1, int(MAX_CHANGED_SHARE * len(self.ever))), MAX_CHANGED)
        if len(gone) + len(relabeled) <= allowed:
            return
        lost = [f"{len(gone)} are gone ({_name_files(gone)})"] if gone else []
        if relabeled:
            lost.append(
                f"{len(relabeled)} have another reference, language or duration "
                f"({_name_files(relabeled)})"
            )
        raise ConfigError(
            f"{self.kind}.{self.name}: of {len(self.ever)} utterances that earlier rounds measured "
            f"under this name, {' and '.join(lost)}, so results before and after would not "
            "compare; restore them, or, if the set was changed on purpose, give it another name "
            f"in the plan, such as `{self.name}-2`"
        )

    def compare(self, contents: Mapping[str, Content]) -> SetChange:
        """Return the difference from the last round that measured the set."""
        both = self.last.keys() & contents.keys()
        return SetChange(
            self.name,
            self.kind,
            since=self.last_round,
            before=len(self.last),
            gone=len(self.last) - len(both),
            relabeled=sum(1 for line_id in both if self.last[line_id] != contents[line_id]),
            added=len(contents) - len(both),
        )

    def describe_removal(self) -> SetChange:
        """Return the difference of a plan that has no such set any more."""
        count = len(self.last)
        return SetChange(self.name, self.kind, self.last_round, count, gone=count, is_in_plan=False)


def _read_histories(
    finished_rounds: Iterable[Path], normalize: Normalize
) -> dict[tuple[SetKind, str], _History]:
    """Read the lists of held-out sets of finished rounds, which pruning leaves."""
    kinds: tuple[SetKind, ...] = ("development", "test", "retention")
    histories: dict[tuple[SetKind, str], _History] = {}
    for folder in finished_rounds:
        for kind in kinds:
            for path in sorted((folder / INPUTS / kind).glob("*/manifest.jsonl")):
                name = path.parent.name
                history = histories.setdefault((kind, name), _History(kind, name))
                lines = list(Manifest(path.parent))
                history.last_round = round_number(folder)
                history.last = {line.id: _content(line, normalize) for line in lines}
                for line in lines:
                    history.ever.setdefault(line.id, (history.last[line.id], line.audio_filepath))
    return histories


def _content(utterance: Utterance, normalize: Normalize) -> Content:
    # Not the reference as it is written: another case or a comma more changes no count.
    reference = normalize(utterance.text or "", utterance.lang)
    return reference, utterance.lang, round(utterance.duration, 2)


def _name_files(paths: list[Path]) -> str:
    names = ", ".join(path.name for path in paths[:EXAMPLES])
    return f"{names}, ..." if len(paths) > EXAMPLES else names
