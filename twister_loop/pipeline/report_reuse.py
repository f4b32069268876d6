"""Reports of earlier rounds: copied if nothing that decides them differs, else measured again.

A champion that was measured in the round before need not decode all held-out sets again. Its report
counts for the next round only if the same decoder measured it: the same versions of the libraries,
on the same kind of device, in the same precision. Otherwise the decoder alone would make a
candidate look better or worse than it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..asr._base import Recognizer
from ..core.artifacts import PROVENANCE, find_differences, reuse_result
from ..core.content_check import read_record
from ..core.errors import ConfigError
from ..core.scratch import discard, is_hidden
from ..core.types import Checkpoint, Report
from ..evaluation.outcomes import HeldOutSet
from .plan import Plan
from .run_folder import RunFolder
from .stage_runner import StageRunner
from .stages.evaluation import check_held_out_files, evaluate

log = logging.getLogger(__name__)

DECODER = "from.decoder"
"""Place of the decoder's versions in the record of a report."""


def evaluate_or_reuse(
    *,
    plan: Plan,
    run_folder: RunFolder,
    recognizer: Recognizer,
    checkpoint: Checkpoint,
    sets: Mapping[str, HeldOutSet],
    run_stage: StageRunner,
    out: Path,
) -> Report:
    """Evaluate a checkpoint, or copy the report if an earlier round evaluated exactly the same."""
    arguments = {
        "recognizer": recognizer,
        "checkpoint": checkpoint,
        "sets": sets,
        "normalizer": plan.normalizer,
        "full_window": plan.full_window,
        "seed": 0 if isinstance(plan.full_window, bool) else plan.seed,  # equal in all rounds
        "decoder": recognizer.decoder_identity(),
        "key_terms": plan.terms,
    }
    inputs = evaluate.cache_key_inputs(**arguments)  # type: ignore[attr-defined]
    # A round that is resumed after an update measures all of its models with the new versions: no
    # later stage but the verdict reads a report, and a round with a verdict is not resumed.
    if out.exists() and (changes := _decoder_changes(out, inputs)):
        _log_measured_again(out, changes)
        discard(out, first=PROVENANCE)
    if not out.exists():  # also before a copy, which reads no audio: the next model would read it
        check_held_out_files(sets)
        reports = sorted(run_folder.path.glob("round-*/**/report.json"))
        reuse_result(evaluate, out, reports, **arguments)
        others = _reports_by_another_decoder(reports, run_folder.path, inputs)
        if not out.exists() and (changes := next(others, [])):
            _log_measured_again(out, changes)
    return run_stage(evaluate)(**arguments, out=out)  # type: ignore[arg-type]


def _reports_by_another_decoder(
    reports: list[Path], run: Path, inputs: Mapping[str, Any]
) -> Iterator[list[str]]:
    """Yield the differences of earlier reports that differ in the decoder alone, newest first."""
    # The newest is the one that would have been carried over.
    for report in reversed(reports):
        if not is_hidden(report, run) and (changes := _decoder_changes(report.parent, inputs)):
            yield changes


def _decoder_changes(report: Path, inputs: Mapping[str, Any]) -> list[str]:
    """Return the differences of the decoder as `torch 2.8 -> 2.9`, if nothing else differs."""
    try:
        record = read_record(report)
    except ConfigError:
        return []
    # Reports of earlier versions do not say what measured them, so they name no old version.
    before = record.get("from")
    old = before.get("decoder") if isinstance(before, dict) else None
    new = inputs["from"]["decoder"]
    places = [place for place, _, _ in find_differences(record, inputs)]
    if not places or any(not place.startswith(DECODER) for place in places):
        return []
    if not isinstance(old, dict):
        return ["it is not recorded which versions measured it before"]
    return [f"{place} {was} -> {now}" for place, was, now in find_differences(old, new)]


def _log_measured_again(out: Path, changes: list[str]) -> None:
    log.info("%s/%s: measured again, because %s", out.parent.name, out.name, ", ".join(changes))
