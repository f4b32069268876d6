"""News for a round: nothing is made again from what an earlier round was made from.

A round is worth its hours if one of these is new: audio or texts (also human, replayed or held-out
speech), the plan, the share of labels that it keeps, or the champion: its labels of the same audio
are better. Nothing else is news: not a voice that would train further, not the seed of the round,
not a file under another name. So a candidate that the gates or a person refused, or that a rollback
took back, is not made again until something else is new.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..core import schema
from ..core.digests import digest_path
from ..core.errors import NothingNew
from ..core.file_hashes import FileHashCache
from ..core.forgotten import removal_dates
from ..core.manifest import Manifest
from ..core.progress import show_progress
from ..core.tallies import Tally
from ..core.types import TEXT_ONLY
from ..data.filters._base import Filter
from .annotation.sources import collect_annotated
from .plan import Plan
from .run_check import read_note
from .run_folder import RunFolder, approval_of, is_approved, round_number, verdict_of
from .stage_table import INPUTS
from .stages.filtering import REJECTED
from .stages.listing import list_corpora

log = logging.getLogger(__name__)


def champion_number(run_folder: RunFolder) -> int:
    """Return the number of the round whose candidate is the champion; 0 if that is untouched."""
    folder = run_folder.champion_folder
    return round_number(folder) if folder else 0


def check_something_new(
    run_folder: RunFolder, prepared: Path, filters: Sequence[Filter] = ()
) -> None:
    """Check that no finished round had the same plan, the same champion and the same lists.

    Args:
        run_folder: The run.
        prepared: Folder of the next round, with its note and its lists.
        filters: The plan's filters of pseudo-labels, which may keep more in a later round.

    Raises:
        NothingNew: One had; the next round would make much the same candidate again.
    """
    # All finished rounds and not only the last: after a rollback an older one may be repeated.
    now = read_note(prepared)
    for folder in reversed(run_folder.finished_rounds):
        # Its lists lost lines since it was trained, so it had more than they say.
        if removal_dates(run_folder.path, round_number(folder)):
            continue
        number = round_number(folder)
        if any(filter_.in_round(number) != filter_.in_round(now["round"]) for filter_ in filters):
            continue
        before = read_note(folder)
        champion = run_folder.champion_before(folder)
        # Runs of earlier versions did not note the champion that a round began from.
        began_from = before.get("champion", round_number(champion) if champion else 0)
        if (before["plan"], began_from) != (now["plan"], now["champion"]):
            continue
        if _have_equal_lists(folder / INPUTS, prepared / INPUTS):
            raise NothingNew(
                f"round {round_number(folder)} {describe_end(run_folder, folder)}, and pool, "
                "texts, other speech, plan and champion have not changed since, so there is "
                "nothing new to train on. Add audio or texts, or change the plan"
            )


def check_new_audio(plan: Plan, run_folder: RunFolder) -> Tally:
    """Count the audio of the pool that no round has listed yet, by content.

    Raises:
        NothingNew: There is less than the plan asks for.
    """
    new = Tally()
    listed_ids = {
        utterance.id
        for folder in run_folder.round_folders
        for utterance in Manifest.load(folder / INPUTS / "pool")
    }
    # Digests are cached by size and time of change: a pool of a million files is not read again.
    with FileHashCache(run_folder.path) as hashes:
        annotated = collect_annotated(plan)
        pool = list_corpora(plan.pool, plan.language, hashes, annotated=annotated)
        for utterance in show_progress(pool, "looking for new audio"):
            usable = not utterance.rejected_by and not utterance.error
            if usable and utterance.id not in listed_ids:
                new = new.add(utterance.duration)
    if not new.utterances or new.duration < 60 * plan.new_audio.minutes:
        raise NothingNew(
            f"{run_folder.path}: {new.utterances} new recordings, {new.duration / 60:.1f} min, "
            f"since {_last_event(run_folder)}; a round begins at {plan.new_audio.minutes:g} min "
            "(`new_audio` in the plan), or at once with `twister round`"
        )
    log.info("%d new recordings, %.1f min", new.utterances, new.duration / 60)
    return new


def describe_end(run_folder: RunFolder, folder: Path) -> str:
    """Return what became of a finished round: `was refused by Ada on 2026-11-29: it lisps`."""
    # First, since it is the last that happened to the round.
    if rollback := run_folder.rollback_of(folder):
        return f"was {rollback}"
    if is_approved(folder):
        return "was accepted"
    approval = approval_of(folder)
    return f"was {approval}" if approval else f"was {verdict_of(folder).outcome}"


def _last_event(run_folder: RunFolder) -> str:
    if not (finished := run_folder.finished_rounds):
        return "the run began"
    return f"round {round_number(finished[-1])}, which {describe_end(run_folder, finished[-1])}"


def _have_equal_lists(before: Path, now: Path) -> bool:
    """Return whether two rounds were given the same speech and texts, wherever the files lie."""
    lists = [_find_lists(folder) for folder in (before, now)]
    # Whole files first: usually they are equal, and parsing a million lines takes half a minute.
    return lists[0].keys() == lists[1].keys() and all(
        digest_path(lists[0][name]) == digest_path(lists[1][name])
        or _digest_lines(lists[0][name].parent) == _digest_lines(lists[1][name].parent)
        for name in lists[0]
    )


def _find_lists(inputs: Path) -> Mapping[str, Path]:
    """Return the lists of a round by name; what could not be used is no news."""
    # `rejected/` grows with every file that cannot be read, and nothing is trained on it.
    lists = ((path.relative_to(inputs), path) for path in inputs.rglob("manifest.jsonl"))
    return {place.as_posix(): path for place, path in lists if REJECTED not in place.parts}


def _digest_lines(folder: Path) -> Any:
    """Return a digest of the utterances of a list without their order and their files' names."""
    # Moved files, and lines in another order, train the same candidate.
    nameless = (
        replace(utterance, audio_filepath=TEXT_ONLY, corpus=None) for utterance in Manifest(folder)
    )
    lines = sorted(schema.to_json_line(utterance) for utterance in nameless)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
