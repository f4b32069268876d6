"""What a run is doing right now, read off the disk: no stage has to tell anybody.

A stage works in a hidden folder, and there it appends its manifest a window at a time; how many
lines there are, against those of what it reads, is how far it is.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.artifacts import PROVENANCE, read_json
from ..core.types import Seconds
from ..pipeline.run_folder import RunFolder

BLOCK = 1 << 20
"""Bytes that are read at a time."""


@dataclass(frozen=True)
class StageProgress:
    """The stage that was begun and is not finished."""

    round: int
    stage: str
    """Its folder, relative to the round: `pseudo`, `voices/splice/spoken`."""
    set_name: str = ""
    """Which of several sets."""
    done: int = 0
    total: int | None = None
    """None where that cannot be known from the disk."""
    unit: str = "utterances"
    """What is counted: `utterances`, or `steps` of a training."""
    idle_seconds: Seconds = 0.0
    """Since it last wrote something; a stage that was killed is quiet for ever."""
    loss: float | None = None
    """Of the last step of a training."""


def find_current_stage(run: Path) -> StageProgress | None:
    """The newest unfinished stage of the round in progress; None where there is none."""
    at = RunFolder.read(run).in_progress
    if at is None:
        return None
    hidden = [each for place in (at, *at.glob("voices/*")) for each in place.glob(".*")]
    begun = [each for each in hidden if (each / PROVENANCE).is_file()]
    if not begun:
        return None
    return _read(at, max(begun, key=lambda each: (each / PROVENANCE).stat().st_mtime))


def _read(at: Path, work: Path) -> StageProgress:
    stage = (work.parent / work.name[1:]).relative_to(at).as_posix()
    number = int(re.sub(r"\D", "", at.name))
    log = work / "training.jsonl"
    if log.is_file():
        last = _last_line(log)
        return StageProgress(
            number, stage, "", last.get("step", 0), None, "steps", _quiet(log), last.get("loss")
        )
    found = list(_manifests(work))
    if not found:
        return StageProgress(number, stage, idle_seconds=_quiet(work))
    newest = max(found, key=lambda each: each.stat().st_mtime)
    in_pieces = (work / "windows").is_dir() or (work / "shards").is_dir()
    done = sum(map(_lines, found)) if in_pieces else _lines(newest)
    source = _source(at, work, newest)
    takes = _takes(at, work) if work.name == ".spoken" else 1
    return StageProgress(
        round=number,
        stage=stage,
        set_name=""
        if in_pieces or newest.parent == work
        else newest.parent.name.removesuffix("-full-window"),
        done=done,
        total=takes * _lines(source) if source and source.is_file() else None,
        idle_seconds=_quiet(newest),
    )


def _manifests(work: Path) -> Iterator[Path]:
    """Never the audio: a stage may have written a million files of that."""
    for pattern in ("manifest.jsonl", "*/manifest.jsonl", "*/*/manifest.jsonl"):
        yield from work.glob(pattern)


def _source(at: Path, work: Path, manifest: Path) -> Path | None:
    """The manifest that a stage reads one line for every line of its own."""
    if work.name in {".untouched", ".champion", ".report", ".candidate_by_labeler"}:
        kind, name = manifest.parts[-3:-1]
        return at / "inputs" / kind / name.removesuffix("-full-window") / "manifest.jsonl"
    reads = {
        ".pool": at / "inputs" / "pool",
        ".annotated": at / "pool",
        ".speakers": at / "annotated",
        ".pseudo_labels": at / "pool",
        ".spoken": at / "texts",
        ".verified": work.parent / "spoken",
        ".aligned": work.parent / ("verified" if "voices" in work.parts else "pseudo_labels"),
        ".aligned_human": at / "inputs" / "human",
        ".aligned_replay": at / "inputs" / "replay",
        ".augmented": at / ("packed" if (at / "packed").is_dir() else "mixture"),
    }
    folder = reads.get(work.name)
    return folder / "manifest.jsonl" if folder else None


def _takes(at: Path, work: Path) -> int:
    voices = read_json(at / "plan.json")["plan"]["voices"]
    return next(
        (each["samples_per_text"] for each in voices if each["name"] == work.parent.name), 1
    )


def _lines(path: Path) -> int:
    with path.open("rb") as file:
        return sum(block.count(b"\n") for block in iter(lambda: file.read(BLOCK), b""))


def _last_line(log: Path) -> dict[str, Any]:
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 4096))
        whole = [each for each in file.read().split(b"\n")[:-1] if each.startswith(b"{")]
    last: dict[str, Any] = json.loads(whole[-1]) if whole else {}
    return last


def _quiet(path: Path) -> Seconds:
    return round(max(0.0, time.time() - path.stat().st_mtime), 1)
