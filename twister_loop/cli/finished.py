"""Check whether a run is finished, without loading its plan."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..core.errors import ConfigError
from ..pipeline.default_voices import NOTE_KEY
from ..pipeline.plan_reader import parse_value
from ..pipeline.run_check import read_note
from ..pipeline.run_folder import RunFolder


def is_finished(plan: Path, run: Path, changes: Mapping[str, Any]) -> bool:
    """Return whether all rounds are finished and pruned, and the last one had the same plan.

    Compares files only: loading the plan would import engines, which takes seconds, and would
    fail if the data has been moved away since.

    Args:
        plan: YAML file of the experiment.
        run: Run folder; it may not exist yet.
        changes: Top-level keys of the plan that are replaced.
    """
    if not (run / "run.json").is_file() or not plan.is_file():
        return False
    run_folder = RunFolder.read(run)
    # Compared as documents, so that comments and the order of keys do not matter.
    try:
        document = parse_value(plan.read_text(encoding="utf-8-sig"))
    except (ConfigError, OSError, UnicodeDecodeError):
        return False  # whoever loads the plan says what is wrong with it
    if not run_folder.finished_rounds or not isinstance(document, dict):
        return False
    current = {**document, **changes}
    last_folder = run_folder.finished_rounds[-1]
    last = parse_value((last_folder / "plan.yaml").read_text(encoding="utf-8"))
    # Voices that the plan does not name were chosen when the round began, and written there.
    if read_note(last_folder).get(NOTE_KEY):
        last.pop("voices", None)
    round_count = current.pop("rounds", 1)
    last.pop("rounds", None)  # a larger number asks for more rounds, not for another plan
    return bool(
        len(run_folder.finished_rounds) >= round_count
        and current == last
        and not run_folder.in_progress
        and not run_folder.unfinished_pruning.exists()
    )
