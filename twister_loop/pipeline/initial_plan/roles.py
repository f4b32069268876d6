"""Roles of transcribed speech: which of it is held out, trained on, or kept from being forgotten.

Names decide where they tell something (`dev/`, `test.tsv`, a column `split`). Transcripts without
such a name are divided by a hash of their speakers or recordings, so that nobody is on both sides.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ...core.types import Language
from .names import Role, find_language, find_role, iter_names
from .recordings import FolderRecordings, hash_text
from .transcripts import Transcript, TranscriptSource

MIN_HELD_OUT = 20
"""Utterances of a held-out set: the default of `minimum_utterances`."""
MAX_HELD_OUT = 300
"""Most utterances of a set that is drawn from transcripts which no folder calls a set. With so many
the gates see a change of a tenth, and the rest is worth more as training data."""
MIN_SPEAKERS = 6
"""Speakers from which transcripts are divided by speaker; fewer make sets of one or two voices."""
RANKS: Mapping[Role | None, int] = {"test": 0, "development": 1, "human": 2, None: 3}
"""Order in which roles claim a recording that several tables have: a list of everything comes
last."""


@dataclass(frozen=True)
class Group:
    """Transcripts of one source with one role and one language."""

    role: Role | None
    name: str
    """Name that told the role, else that of the table."""
    source: TranscriptSource
    language: Language | None
    """Language that a column or a folder names; None if nothing does."""
    transcripts: tuple[Transcript, ...]
    is_divided: bool = False
    """True if a hash drew it from a larger group."""


@dataclass(frozen=True)
class Roles:
    """Groups of transcripts by what a plan does with them."""

    development: tuple[Group, ...] = ()
    test: tuple[Group, ...] = ()
    human: tuple[Group, ...] = ()
    retention: tuple[Group, ...] = ()
    replay: tuple[Group, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def held_out(self) -> set[Path]:
        """Return the recordings of all held-out sets."""
        return _list_paths([*self.development, *self.test, *self.retention])


def group_transcripts(
    recordings: FolderRecordings, sources: Iterable[TranscriptSource]
) -> list[Group]:
    """Return the transcripts by source, role and language; each stretch of speech once."""
    groups: dict[tuple[Role | None, str, int, Language | None], list[Transcript]] = {}
    by_number = dict(enumerate(sources))
    # All first, since a later table may claim by its name what an earlier one only lists.
    placed = [
        (RANKS[role], number, role, name, language, transcript)
        for number, source in by_number.items()
        for transcript in source.transcripts
        for role, name, language in [_read_names(transcript, source, recordings.folder)]
    ]
    # Copies count as one recording: a set and the pool must not have one each.
    claimed = set[tuple[Path, float]]()
    held_out = set[Path]()
    for _, number, role, name, language, transcript in sorted(placed, key=lambda row: row[:2]):
        path = recordings.first_twin(transcript.path)
        stretch = (path, transcript.offset)
        # A held-out recording is in no other set, and in no training data.
        if stretch in claimed or (path in held_out and role not in ("development", "test")):
            continue
        # By stretch: one long recording may be cut into a hundred utterances.
        claimed.add(stretch)
        if role in ("development", "test"):
            held_out.add(path)
        groups.setdefault((role, name, number, language), []).append(transcript)
    return [
        Group(role, name, by_number[number], language, tuple(transcripts))
        for (role, name, number, language), transcripts in groups.items()
    ]


def assign_roles(
    groups: Sequence[Group], language: Language | None, *, has_unlabeled: bool
) -> Roles:
    """Decide what a plan does with each group.

    Args:
        groups: Transcripts of the folder.
        language: Language of the plan; other languages are not to be forgotten.
        has_unlabeled: There are recordings without transcripts; else some have to be the pool.
    """
    foreign = [group for group in groups if _is_foreign(group, language, groups)]
    own = [group for group in groups if not any(group is member for member in foreign)]
    by_role: dict[Role | None, list[Group]] = {"development": [], "test": [], "human": [], None: []}
    for group in own:
        by_role[group.role].append(group)
    development, test, human, free = (by_role[r] for r in ("development", "test", "human", None))
    if not development and not free:
        # Speech that is meant for training is better spent on a set without which nothing runs.
        free, human = (human, []) if count_transcripts(human) else (test, human)
        test = [group for group in test if group not in free]
    # What has no role is drawn from only for sets that are missing; people's own sets stay theirs.
    if free:
        drawn, rest = _divide(
            free, needs=[not development, not test], keep_most=not (has_unlabeled or human)
        )
        development, test = [*development, *drawn[0]], [*test, *drawn[1]]
        human = [*human, *rest]
    retention, replay, remarks = _assign_foreign(foreign)
    return Roles(
        development=tuple(development),
        test=tuple(test),
        human=tuple(human),
        retention=tuple(retention),
        replay=tuple(replay),
        remarks=tuple(remarks),
    )


def count_transcripts(groups: Iterable[Group]) -> int:
    """Return the number of transcripts of some groups."""
    return sum(len(group.transcripts) for group in groups)


def _read_names(
    transcript: Transcript, source: TranscriptSource, folder: Path
) -> tuple[Role | None, str, Language | None]:
    """Return role, name and language of a transcript, by columns and names."""
    is_table = source.kind in ("metadata", "table")
    table_names = list(iter_names(source.place, folder, stem=is_table)) if is_table else []
    if source.kind == "kaldi":
        table_names = list(reversed(source.place.relative_to(folder).parts))
    # The table's own name says most, then the folders of the audio, then those of the table.
    audio_names = list(iter_names(transcript.path, folder))
    role, name = find_role(
        [*filter(None, [transcript.split]), *table_names[:1], *audio_names, *table_names[1:]]
    ) or (None, "")
    language = transcript.lang or find_language([*audio_names, *table_names])
    return role, name, language


def _is_foreign(group: Group, language: Language | None, groups: Sequence[Group]) -> bool:
    """Return whether a group is of another language than the plan, as far as it is known."""
    if language:
        return group.language not in (None, language)
    # A folder `english/` beside sets that name no language is hardly one of them.
    has_unnamed = any(neighbor.language is None for neighbor in groups)
    return group.language is not None and group.role is None and has_unnamed


def _divide(
    groups: Sequence[Group], needs: Sequence[bool], *, keep_most: bool
) -> tuple[list[list[Group]], list[Group]]:
    """Draw the sets that are needed from groups, by a hash of speakers or recordings.

    Args:
        groups: Transcripts without a role.
        needs: Whether a development and a test set are needed.
        keep_most: Leave at least half of the speech, which the pool needs.

    Returns:
        Groups for each set, empty for one that is not needed; and the groups of the rest.
    """
    transcripts = [transcript for group in groups for transcript in group.transcripts]
    wanted = sum(needs)
    size = min(MAX_HELD_OUT, len(transcripts) // (4 if keep_most else max(1, wanted)))
    if wanted == 2 and size < MIN_HELD_OUT:
        # Too few for two sets: without a development set nothing runs.
        needs = [True, False]
        size = min(MAX_HELD_OUT, len(transcripts) // (2 if keep_most else 1))
    # Whole speakers or recordings at a time, so a set may get a few more than it needs.
    units = _draw_units(transcripts)
    sets, position = list[set[tuple[Path, float]]](), 0
    takes_all = not keep_most and len(transcripts) <= sum(needs) * MAX_HELD_OUT
    for number, is_needed in enumerate(needs):
        members = set[tuple[Path, float]]()
        # The last set takes the odd ones too: they are too few to be trained on.
        wants_rest = takes_all and not any(needs[number + 1 :])
        while is_needed and position < len(units) and (wants_rest or len(members) < size):
            members |= {(line.path, line.offset) for line in units[position]}
            position += 1
        sets.append(members)
    # By recording again, since the stretches of one must not be on both sides.
    held_out = {path for members in sets for path, _ in members}
    drawn = [
        _select(groups, name, members) for name, members in zip(("dev", "test"), sets, strict=True)
    ]
    rest = [
        replace(group, transcripts=left, is_divided=group.is_divided or bool(held_out))
        for group in groups
        if (left := tuple(line for line in group.transcripts if line.path not in held_out))
    ]
    return drawn, rest


def _draw_units(transcripts: Sequence[Transcript]) -> list[list[Transcript]]:
    """Return the transcripts by speaker, or by recording, in the order of a hash."""
    # By voice if possible: a model that learned a voice does better on its other recordings.
    speakers = Counter(line.speaker for line in transcripts)
    by_speaker = None not in speakers and len(speakers) >= MIN_SPEAKERS
    units: dict[str, list[Transcript]] = {}
    for line in transcripts:
        key = f"speaker {line.speaker}" if by_speaker else line.path.name
        units.setdefault(key, []).append(line)
    return [units[key] for key in sorted(units, key=hash_text)]


def _select(groups: Iterable[Group], name: str, members: set[tuple[Path, float]]) -> list[Group]:
    """Return the members of each group as groups of their own."""
    selected = list[Group]()
    for group in groups:
        lines = tuple(line for line in group.transcripts if (line.path, line.offset) in members)
        if lines:
            is_whole = len(lines) == len(group.transcripts)
            selected.append(replace(group, name=name, transcripts=lines, is_divided=not is_whole))
    return selected


def _assign_foreign(groups: Iterable[Group]) -> tuple[list[Group], list[Group], list[str]]:
    """Return retention sets, replayed speech and remarks for speech of other languages."""
    retention, replay, remarks = list[Group](), list[Group](), list[str]()
    for group in groups:
        count = len(group.transcripts)
        # Called `train`: meant to be learned from, which against forgetting is `replay`.
        if group.role == "human":
            replay.append(group)
        elif count >= MIN_HELD_OUT:
            retention.append(group)
        else:
            remarks.append(
                f"{group.source.place}: {count} transcripts in {group.language} are too few for a "
                f"retention set, which needs {MIN_HELD_OUT}; they are left out"
            )
    return retention, replay, remarks


def _list_paths(groups: Iterable[Group]) -> set[Path]:
    return {line.path for group in groups for line in group.transcripts}
