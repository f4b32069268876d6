"""Looks at held-out sets: how many candidates of a run were judged on the same recordings.

One look at a set is honest. With every further candidate the best of them looks better than it is,
so verdicts state the number of looks, and gates may spend their error level over them.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path

from ..core.artifacts import PROVENANCE
from ..core.digests import digest_path
from ..core.forgotten import DIGEST_LENGTH
from ..core.manifest import Manifest
from ..evaluation.outcomes import HeldOutSet
from .stage_table import INPUTS, REPORT, VERDICT

log = logging.getLogger(__name__)

JUDGED_KINDS = ("development", "retention")
"""Kinds of sets that gates see."""


def count_looks(round_folder: Path, sets: Mapping[str, HeldOutSet]) -> dict[str, int]:
    """Count the candidates that a run has judged on each development and retention set.

    A candidate was judged on a set if its round evaluated it on a set that shares a recording with
    it, whatever the name of that set and the verdict were. Rounds that were set aside count from
    their report on, since their figures were seen.

    Args:
        round_folder: Folder of the round to be judged, which may still be hidden.
        sets: Held-out sets of that round by name.

    Returns:
        Number of looks by set name, the one of this round included: 1 for new recordings.
    """
    judged = {
        name: _content_digests(held_out.speech)
        for name, held_out in sets.items()
        if held_out.kind in JUDGED_KINDS
    }
    # From 1, because this round will judge its own candidate.
    looks = dict.fromkeys(judged, 1)
    for earlier in _find_judged_rounds(round_folder):
        if not (earlier / INPUTS).is_dir():
            log.warning("%s: its lists are missing, so it counts as a look at every set", earlier)
            looks = {name: count + 1 for name, count in looks.items()}
            continue
        digests = set[str]()
        for kind in JUDGED_KINDS:
            # The lists and not the transcripts: pruning and removal on request keep them right.
            for manifest in (earlier / INPUTS / kind).glob("*/manifest.jsonl"):
                digests |= _content_digests(Manifest(manifest.parent))
        for name, own_digests in judged.items():
            looks[name] += not own_digests.isdisjoint(digests)
    return looks


def describe_looks(looks: Mapping[str, int]) -> str:
    """Return the number of looks at each set in words.

    >>> describe_looks({"dev": 4, "calls": 1, "english": 4, "french": 4})
    'look 4 at dev, english and french; look 1 at calls'
    """
    names_by_count: dict[int, list[str]] = {}
    for name, count in looks.items():
        names_by_count.setdefault(count, []).append(name)
    return "; ".join(
        f"look {count} at {_enumerate(names)}" for count, names in names_by_count.items()
    )


def _enumerate(names: list[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def _find_judged_rounds(round_folder: Path) -> Iterator[Path]:
    """Yield the other rounds of the run that have a report of their candidate, each once."""
    reports = set[str]()
    own_name = round_folder.name.lstrip(".")
    # Also `round-03.aside-1`; hidden folders are unfinished and do not match.
    for folder in sorted(round_folder.parent.glob("round-*")):
        records = (stage.path(folder) / PROVENANCE for stage in (REPORT, VERDICT))
        # Of a finished round whose report was deleted by hand, the verdict is left.
        record = next(filter(Path.is_file, records), None)
        if folder.name == own_name or record is None:
            continue
        # A copy made by hand, or a round that was begun again from the same inputs, has the same
        # candidate: the same result once more is no second chance.
        if (digest := digest_path(record)) not in reports:
            reports.add(digest)
            yield folder


def _content_digests(speech: Manifest) -> set[str]:
    """Return the digests of the recordings, however they are cut: ids of speech begin with them."""
    return {utterance.id[:DIGEST_LENGTH] for utterance in speech}
