"""Held-out speech in other recordings of a folder: in parts, at another speed, or in another codec.

A round refuses it. People cut their test clips out of the recordings that are to be learned from,
or keep a recording as WAV and MP3, so a first plan leaves such recordings out by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from ...audio import io as audio
from ...audio.recording_search import RecordingIndex
from ...core.progress import show_progress
from ...core.types import Utterance
from .recordings import FolderRecordings
from .roles import Group, Roles
from .transcripts import Transcript

MAX_HOURS = 4.0
"""Longest audio that is searched, at 300 to 400 times real time on one core. More takes minutes,
and the check before a round tells the same."""


def drop_overlaps(
    recordings: FolderRecordings, roles: Roles, pool: Sequence[Path]
) -> tuple[Roles, list[Path], list[str]]:
    """Return roles and pool without speech that is in a held-out set too, and remarks.

    Args:
        recordings: Recordings of the folder.
        roles: Groups of transcripts; of two held-out sets the first one keeps what both have.
        pool: Recordings that are to be the pool.
    """
    if recordings.survey.seconds > MAX_HOURS * 3600:
        hours = recordings.survey.seconds / 3600
        return roles, list(pool), [
            f"{hours:.0f} h were not searched for held-out speech: `twister run` does it before "
            "the first stage, and names what must go"
        ]  # fmt: skip
    # Development first: of two sets that have the same, it is the one that nothing runs without.
    held_out = [*roles.development, *roles.test, *roles.retention]
    lines = [(number, line) for number, group in enumerate(held_out) for line in group.transcripts]
    clips = [_to_utterance(recordings, line) for _, line in lines]
    index = RecordingIndex(show_progress(clips, "indexing held-out speech", len(clips)))
    dropped = set[int]()
    for position, (number, _) in enumerate(lines):
        # The first set keeps it, and what was dropped already is no reason to drop more.
        if any(
            lines[match.number][0] < number and match.number not in dropped
            for match in index.find(clips[position])
        ):
            dropped.add(position)
    doubled = {(lines[position][1].path, lines[position][1].offset) for position in dropped}

    def without(groups: Sequence[Group]) -> tuple[Group, ...]:
        """Return held-out groups without what another set has."""
        return _keep(groups, lambda line: (line.path, line.offset) not in doubled)

    def untouched(line: Transcript) -> bool:
        return not index.find(_to_utterance(recordings, line))

    # Human and replayed speech are never copied into a set, but may be cut from its recordings.
    training = sum(len(group.transcripts) for group in (*roles.human, *roles.replay))
    human, replay = _keep(roles.human, untouched), _keep(roles.replay, untouched)
    left = sum(len(group.transcripts) for group in (*human, *replay))
    paths = [
        path
        for path in show_progress(pool, "looking for held-out speech", len(pool))
        if untouched(Transcript(path, ""))
    ]
    remarks = [
        f"{what} too, in whole or in part: {count} left out"
        for count, what in (
            (len(doubled), "held-out transcripts that are in another held-out set"),
            (training - left, "transcripts for training that are in a held-out set"),
            (
                len(pool) - len(paths),
                "recordings for the pool that hold speech of a held-out set",
            ),
        )
        if count
    ]
    cleaned = replace(
        roles,
        development=without(roles.development),
        test=without(roles.test),
        retention=without(roles.retention),
        human=human,
        replay=replay,
    )
    return cleaned, paths, remarks


def _keep(groups: Sequence[Group], is_wanted: Callable[[Transcript], bool]) -> tuple[Group, ...]:
    """Return groups with the wanted transcripts, without those that have none left."""
    filtered = (
        replace(group, transcripts=tuple(line for line in group.transcripts if is_wanted(line)))
        for group in groups
    )
    return tuple(group for group in filtered if group.transcripts)


def _to_utterance(recordings: FolderRecordings, line: Transcript) -> Utterance:
    header = recordings.headers.get(line.path)
    # Without a header, of a folder that was sampled, as much as there is.
    duration = line.duration or (header.duration if header else audio.read_duration(line.path))
    return Utterance(
        id=f"{line.path}:{line.offset}",
        audio_filepath=line.path,
        offset=line.offset,
        duration=duration,
        channel=line.channel,
    )
