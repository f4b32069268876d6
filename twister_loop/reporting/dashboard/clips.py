"""Short copies of the utterances that the page plays, so that a run can be moved and pruned.

Held-out and pool recordings lie outside the run, and synthetic speech is deleted when its round is
pruned. Each utterance that the page shows is copied once, as mono FLAC at 16 kHz, which browsers
play.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from pathlib import Path

from ...audio import io as audio
from ...core.errors import AudioError, describe_fault
from ...core.manifest import Manifest
from ...core.types import TEXT_ONLY, Utterance
from ...evaluation.outcomes import FULL_WINDOW_SUFFIX
from ...pipeline.run_folder import RunFolder
from ...pipeline.stage_table import REPORT
from ..details import listening_samples
from ..round_folders import MANIFEST
from ..summary import RoundSummary, round_summary

log = logging.getLogger(__name__)

FOLDER = "clips"
"""Folder of the clips, inside the run."""
MAX_CLIPS = 600
"""Clips of a run; a short one takes about 50 KB."""
MAX_SECONDS = 30.0
"""Seconds of a clip; longer utterances are cut."""
MAX_CLIPS_PER_ROUND = 120
"""Held-out utterances of a round; the sets take turns, the worst utterances first."""


def copy_clips(run: Path) -> int:
    """Copy the utterances of the newest round that have no clip yet.

    Older rounds were the newest once, so their clips exist already.

    Returns:
        Number of clips that were copied.
    """
    rounds = RunFolder.read(run).round_folders
    if not rounds:
        return 0
    folder, newest = run / FOLDER, rounds[-1]
    # In somebody else's run it may be a link to anywhere, and nothing is written out of a run.
    if folder.is_symlink():
        return 0
    existing = {path.stem for path in folder.glob("[!.]*.flac")} if folder.is_dir() else set()
    copied = 0
    for utterance in _shown_utterances(newest, round_summary(newest)):
        # Clips of older rounds stay, because the page still plays them.
        if len(existing) >= MAX_CLIPS:
            break
        is_new = utterance.id not in existing and utterance.audio_filepath != TEXT_ONLY
        if is_new and _is_safe_file_name(utterance.id):
            # Noted before it is copied: an unreadable utterance in two lists is tried only once.
            existing.add(utterance.id)
            copied += _copy_clip(utterance, folder / f"{utterance.id}.flac")
    return copied


def _shown_utterances(round_folder: Path, summary: RoundSummary) -> Iterator[Utterance]:
    """Yield the samples of a round, and the held-out utterances that its page lists."""
    for _, _, utterance in listening_samples(round_folder):
        yield utterance
    ids = _alternate(
        [
            diff.id
            for diff in (*summary.worst[name], *summary.improved[name], *summary.worsened[name])
        ]
        for name in summary.worst
    )
    # An utterance may be among the worst and among the worsened; it counts once.
    chosen = set(list(dict.fromkeys(ids))[:MAX_CLIPS_PER_ROUND])
    for folder in sorted(REPORT.path(round_folder).glob("[!.]*/[!.]*")):
        # A full-window folder lists the same recordings again.
        if (folder / MANIFEST).is_file() and not folder.name.endswith(FULL_WINDOW_SUFFIX):
            for utterance in Manifest(folder):
                if utterance.id in chosen:
                    yield utterance


def _alternate(lists: Iterable[list[str]]) -> Iterator[str]:
    """Yield the first elements of all lists, then the second ones, and so on.

    >>> list(_alternate([["a", "b", "c"], ["d"], ["e", "f"]]))
    ['a', 'd', 'e', 'b', 'f', 'c']
    """
    remaining = [list(ids) for ids in lists]
    while remaining := [ids for ids in remaining if ids]:
        yield from (ids.pop(0) for ids in remaining)


def _is_safe_file_name(name: str) -> bool:
    """Tell whether an id can name a file; ids from a user's manifest may contain anything.

    >>> _is_safe_file_name("it-dev_1.0"), _is_safe_file_name("../../etc/passwd")
    (True, False)
    """
    is_plain = all(letter.isalnum() or letter in "-_." for letter in name)
    return is_plain and not name.startswith(".")


def _copy_clip(utterance: Utterance, path: Path) -> bool:
    # A hidden name until it is complete, so that no page plays half a clip.
    scratch = path.with_name(f".{path.name}")
    try:
        seconds = min(utterance.duration or MAX_SECONDS, MAX_SECONDS)
        samples = audio.read(utterance.audio_filepath, utterance.offset, seconds, utterance.channel)
        scratch.unlink(missing_ok=True)
        audio.write(samples, scratch)
    # Any error: recordings may have been moved since, or hold what no encoder takes. The page then
    # says that there is no clip.
    except Exception as error:
        reason = error if isinstance(error, AudioError) else describe_fault(error)
        log.info("no clip of %s: %s: %s", utterance.id, utterance.audio_filepath, reason)
        return False
    scratch.replace(path)
    return True
