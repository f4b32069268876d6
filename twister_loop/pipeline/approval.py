"""A person's decision on an accepted candidate: written once, after the candidate was checked.

Days may pass between a verdict and its approval. So before a candidate becomes the champion it
transcribes a few development clips again, and the transcripts must match those of its report. The
decision and that proof appear together, by one renaming; until then the old champion stays.
"""

from __future__ import annotations

import getpass
import logging
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from itertools import islice
from pathlib import Path

from ..asr._base import Recognizer
from ..core.artifacts import stage
from ..core.errors import ConfigError, EngineError
from ..core.manifest import Manifest
from ..core.types import Checkpoint, Report, Share, Utterance
from ..evaluation import metrics
from .plan_reader import load
from .run_folder import Approval, RunFolder, approval_of, round_number
from .stage_table import APPROVAL, CANDIDATE, REPORT

CLIPS_TO_CHECK = 8
MAX_CER: Share = 0.2
"""Highest character error rate against the transcripts of the report. Another machine rounds
otherwise and comes close to 0; weights that are broken or not those of the report come to about
1."""

log = logging.getLogger(__name__)


def approve(run: Path | str, note: str = "", by: str | None = None) -> Approval:
    """Make the candidate that awaits approval the champion.

    Args:
        run: Folder of the run.
        note: Why, for the record.
        by: Name of the person; the user of this process if left out.

    Raises:
        ConfigError: No candidate awaits approval.
        EngineError: The candidate's transcripts differ from those of its report. Nothing has
            changed then.
        BusyError: Another process works on this run.
    """
    run_folder = RunFolder.read(run)
    with run_folder.locked():
        folder = _awaiting_approval(run_folder)
        plan = load(folder / "plan.yaml")
        out = APPROVAL.path(folder)
        try:
            approval = promote(
                recognizer=plan.asr,
                candidate=Checkpoint.load(CANDIDATE.path(folder)),
                report=Report.load(REPORT.path(folder)),
                approval=_decision(approved=True, note=note, by=by),
                out=out,
            )
        except Exception:
            # The next attempt decides anew, so it must not resume this one.
            shutil.rmtree(out.with_name(f".{out.name}"), ignore_errors=True)
            raise
        run_folder.note_champion()
        return approval


def refuse(run: Path | str, note: str, by: str | None = None) -> Approval:
    """Keep the champion, and record why.

    Raises:
        ConfigError: No candidate awaits approval.
        BusyError: Another process works on this run.
    """
    run_folder = RunFolder.read(run)
    with run_folder.locked():
        folder = _awaiting_approval(run_folder)
        return record_refusal(
            report=Report.load(REPORT.path(folder)),
            approval=_decision(approved=False, note=note, by=by),
            out=APPROVAL.path(folder),
        )


@stage(version=1)
def promote(
    recognizer: Recognizer,
    candidate: Checkpoint,
    report: Report,
    approval: Approval,
    *,
    out: Path,
) -> Approval:
    """Transcribe some development clips again, and write the approval if the transcripts match."""
    clips = list(islice(_development_transcripts(report), CLIPS_TO_CHECK))
    if not clips:
        raise EngineError(
            f"{report.folder}: not promoted, because its report has no transcripts to compare with"
        )
    # Without the old transcripts, so that nothing but the weights can produce the new ones.
    untranscribed = (replace(clip, text=None, pred_text=None) for clip in clips)
    transcribed = list(
        Manifest.write(recognizer.transcribe(candidate, untranscribed), out / "transcripts")
    )
    if error := next((clip.error for clip in transcribed if clip.error), None):
        raise EngineError(f"{report.folder.parent}: not promoted: {error}")
    errors = metrics.sum_counts(
        [
            metrics.count_character_errors(before.pred_text or "", now.pred_text or "")
            for before, now in zip(clips, transcribed, strict=True)
        ]
    )
    if errors.rate > MAX_CER:
        raise EngineError(
            f"{report.folder.parent}: not promoted: on {len(clips)} development clips the "
            f"candidate's transcripts differ from those of its report (CER {errors.rate:.0%}, "
            f"limit {MAX_CER:.0%}); its weights, or what decodes them, have changed"
        )
    log.info("transcribed %d development clips again, CER %s to the report", len(clips), errors)
    return approval.save(out)


@stage(version=1)
def record_refusal(report: Report, approval: Approval, *, out: Path) -> Approval:
    """Write the refusal."""
    return approval.save(out)


def _development_transcripts(report: Report) -> Iterator[Utterance]:
    """Yield the candidate's transcripts of the development sets, as its report holds them."""
    for score in report.scores:
        if score.kind == "development":
            for utterance in Manifest.load(report.folder / score.kind / score.name):
                if utterance.pred_text and not utterance.error:
                    yield utterance


def _awaiting_approval(run_folder: RunFolder) -> Path:
    if folder := run_folder.awaiting_approval:
        return folder
    last = next(iter(run_folder.finished_rounds[-1:]), None)
    decision = approval_of(last) if last else None
    if last and decision:
        raise ConfigError(
            f"{run_folder.path}: round {round_number(last)} was {decision}; a decision is final"
        )
    raise ConfigError(f"{run_folder.path}: no candidate awaits approval")


def _decision(*, approved: bool, note: str, by: str | None) -> Approval:
    now = datetime.now().astimezone().isoformat(timespec="seconds")
    return Approval(approved=approved, by=by or current_user(), when=now, note=note)


def current_user() -> str:
    """Return the name of the user of this process, for the record of a decision."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # in a container the user may have a number and no name
        return f"user {os.getuid()}"
