"""Short copies of what the page lets one listen to, so that a run can be moved and thinned.

Held-out and pool recordings lie elsewhere, and synthetic speech is thinned with its round; a
copy is made once for every utterance that is shown, mono, 16 kHz, FLAC, which browsers play.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from pathlib import Path

from ...audio import io as audio
from ...core.errors import AudioError
from ...core.manifest import Manifest
from ...core.types import TEXT_ONLY, Utterance
from ...pipeline.run_folder import RunFolder
from ..details import listening_samples
from ..summary import RoundSummary, round_summary

log = logging.getLogger(__name__)

FOLDER = "clips"
MOST = 600
"""Clips of a run; a short one takes about 50 KB."""
LONGEST = 30.0
"""Seconds of a clip."""
A_ROUND = 120
"""Clips of one round: sets take turns, the worst utterances first."""


def cut(run: Path) -> int:
    """Copy what is not there yet, and give how many were copied.

    Only the newest round is looked at: older ones had their turn.
    """
    rounds = RunFolder.read(run).round_folders
    if not rounds:
        return 0
    folder, at = run / FOLDER, rounds[-1]
    there = {path.stem for path in folder.glob("*.flac")} if folder.is_dir() else set()
    made = 0
    for one in _wanted(at, round_summary(at)):
        if len(there) >= MOST:
            break
        if one.id not in there and one.audio_filepath != TEXT_ONLY and _safe(one.id):
            there.add(one.id)
            made += _copy(one, folder / f"{one.id}.flac")
    return made


def _wanted(at: Path, summary: RoundSummary) -> Iterator[Utterance]:
    yield from (one for _, _, one in listening_samples(at))
    ids = _in_turn(
        [
            each.id
            for each in (*summary.worst[name], *summary.improved[name], *summary.worsened[name])
        ]
        for name in summary.worst
    )
    chosen = set(list(dict.fromkeys(ids))[:A_ROUND])
    for folder in sorted((at / "report").glob("*/*")):
        if (folder / "manifest.jsonl").is_file() and not folder.name.endswith("-full-window"):
            yield from (one for one in Manifest(folder) if one.id in chosen)


def _in_turn(lists: Iterable[list[str]]) -> Iterator[str]:
    left = [list(each) for each in lists]
    while left := [each for each in left if each]:
        yield from (each.pop(0) for each in left)


def _safe(name: str) -> bool:
    """Ids come from the content or from a manifest of the user's; only plain ones name a file."""
    return all(letter.isalnum() or letter in "-_." for letter in name) and not name.startswith(".")


def _copy(one: Utterance, path: Path) -> bool:
    scratch = path.with_name(f".{path.name}")
    try:
        length = min(one.duration or LONGEST, LONGEST)
        audio.write(audio.read(one.audio_filepath, one.offset, length, one.channel), scratch)
    except AudioError as cause:
        log.info("no clip to listen to: %s", cause)
        return False
    scratch.replace(path)
    return True
