"""The stage that a run is working on, and its progress, read from the disk alone.

No stage has to report anything: a stage works in a hidden folder and appends to its manifest there,
one window of utterances at a time. The number of lines, compared with the number of lines in the
manifest that the stage reads, is its progress.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.artifacts import PROVENANCE, read_json
from ..core.types import Seconds
from ..evaluation.outcomes import FULL_WINDOW_SUFFIX
from ..pipeline.run_folder import RunFolder, round_number
from ..pipeline.stage_table import EVALUATIONS, INPUTS, SYNTHESIZED, stage_of
from .round_folders import MANIFEST, TRAINING_LOG, stages_in_progress

BLOCK_SIZE = 1 << 20
"""Bytes that are read at once to count lines."""
TAIL_SIZE = 4096
"""Bytes at the end of a training log that are searched for its last line; a line has about 100."""
SHARD_FOLDERS = ("windows", "shards")
"""Folders inside a stage that works on parts of its input, each with a manifest of its own."""


@dataclass(frozen=True)
class StageProgress:
    """The stage that was begun and is not finished."""

    round: int
    stage: str
    """Folder of the stage, relative to the round, e.g. `voices/splice/spoken`."""
    set_name: str = ""
    """The held-out set that is being transcribed; empty for other stages."""
    done: int = 0
    """Finished units."""
    total: int | None = None
    """All units; None if the disk does not tell."""
    unit: str = "utterances"
    """Unit of `done` and `total` in the plural; `steps` in a training."""
    idle_seconds: Seconds = 0.0
    """Time since the stage last wrote to its folder. It keeps growing if the stage was killed."""
    loss: float | None = None
    """Loss of the last step of a training."""


def find_current_stage(run: Path) -> StageProgress | None:
    """Return the newest unfinished stage of the round in progress; None if there is none.

    Raises:
        ConfigError: `run` is not the folder of a run.
    """
    round_folder = RunFolder.read(run).in_progress
    if round_folder is None:
        return None
    # A stage that was killed leaves its hidden folder behind, so the newest one counts.
    begun = {
        folder: (folder / PROVENANCE).stat().st_mtime
        for folder in stages_in_progress(round_folder, marker=PROVENANCE)
    }
    return _read_progress(round_folder, max(begun, key=lambda path: begun[path])) if begun else None


def _read_progress(round_folder: Path, folder: Path) -> StageProgress:
    stage = (folder.parent / folder.name.removeprefix(".")).relative_to(round_folder).as_posix()
    number = round_number(round_folder)
    # A training writes no manifest; its log has one line for each step.
    log = folder / TRAINING_LOG
    if log.is_file():
        last_line = _last_line(log)
        return StageProgress(
            round=number,
            stage=stage,
            done=last_line.get("step", 0),
            unit="steps",
            idle_seconds=_seconds_since_change(log),
            loss=last_line.get("loss"),
        )
    manifests = list(_manifests(folder))
    # While models are loaded, and in stages without a manifest, only the name is known.
    if not manifests:
        idle_seconds = _seconds_since_change(folder)
        return StageProgress(number, stage, unit=_unit(stage), idle_seconds=idle_seconds)
    newest = max(manifests, key=lambda path: path.stat().st_mtime)
    in_shards = any((folder / name).is_dir() for name in SHARD_FOLDERS)
    # Shards are parts of one manifest; the sets of an evaluation are counted one by one.
    done = sum(map(_count_lines, manifests)) if in_shards else _count_lines(newest)
    one_set = not in_shards and newest.parent != folder
    return StageProgress(
        round=number,
        stage=stage,
        set_name=newest.parent.name.removesuffix(FULL_WINDOW_SUFFIX) if one_set else "",
        done=done,
        total=_count_total(round_folder, stage, newest),
        unit=_unit(stage),
        idle_seconds=_seconds_since_change(newest),
    )


def _unit(stage: str) -> str:
    description = stage_of(stage)
    return description.unit if description else "utterances"


def _manifests(folder: Path) -> Iterator[Path]:
    """Yield a stage's manifests.

    The depth is limited, because a stage's folder may also hold a million audio files.
    """
    for pattern in (MANIFEST, f"*/{MANIFEST}", f"*/*/{MANIFEST}"):
        yield from folder.glob(pattern)


def _count_total(round_folder: Path, stage: str, manifest: Path) -> int | None:
    """Return how many lines a stage will have written to its manifest; None if unknown."""
    description = stage_of(stage)
    if description is None:
        return None
    # The held-out sets depend on the plan, so the table of stages cannot name what is read.
    if description in EVALUATIONS:
        kind, set_name = manifest.parts[-3:-1]
        folder = round_folder / INPUTS / kind / set_name.removesuffix(FULL_WINDOW_SUFFIX)
        source: Path | None = folder / MANIFEST
    else:
        source = description.manifest_to_read(round_folder, stage)
    if source is None or not source.is_file():
        return None
    lines = _count_lines(source)
    # A voice can synthesize each text several times.
    return lines * _samples_per_text(round_folder, stage) if description is SYNTHESIZED else lines


def _samples_per_text(round_folder: Path, stage: str) -> int:
    """Return how often the plan wants each text from the voice whose stage this is."""
    name = Path(stage).parent.name
    voices = read_json(round_folder / "plan.json")["plan"]["voices"]
    return next((voice["samples_per_text"] for voice in voices if voice["name"] == name), 1)


def _count_lines(path: Path) -> int:
    # Line ends and not lines, so that a line that is still being written does not count.
    with path.open("rb") as file:
        return sum(block.count(b"\n") for block in iter(lambda: file.read(BLOCK_SIZE), b""))


def _last_line(log: Path) -> dict[str, Any]:
    """Return the last complete line of a log as JSON; {} if it has none yet."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - TAIL_SIZE))
        # The first line may begin before the tail, and the last may still be being written.
        lines = [line for line in file.read().split(b"\n")[:-1] if line.startswith(b"{")]
    last_line: dict[str, Any] = json.loads(lines[-1]) if lines else {}
    return last_line


def _seconds_since_change(path: Path) -> Seconds:
    # Clocks of file servers differ: a change in the future counts as now.
    return round(max(0.0, time.time() - path.stat().st_mtime), 1)
