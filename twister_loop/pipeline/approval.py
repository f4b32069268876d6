"""A person's word on an accepted candidate: written once, and a yes only after a last listen.

Between a verdict and its approval days may pass. So before a candidate becomes the champion it
hears a few development clips again, and must hear what it heard when it was judged. The word
and that proof appear together, by one renaming; until then the old champion stays.
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
from .plan import load
from .run_folder import Approval, RunFolder, approval_of, round_number

CLIPS = 8
LIMIT: Share = 0.2
"""Character error rate against what was heard before: another machine rounds otherwise, weights
that are broken or not the ones that were judged come to about 1."""

log = logging.getLogger(__name__)


def approve(run: Path, note: str = "", by: str | None = None) -> Approval:
    """Make the waiting candidate the champion.

    Raises:
        ConfigError: nothing waits.
        EngineError: it does not hear what it heard when it was judged. Nothing has changed then.
        BusyError: another process is at work on this run.
    """
    ledger = RunFolder.read(run)
    with ledger.locked():
        at = _waiting(ledger)
        plan = load(at / "plan.yaml")
        candidate, judged = Checkpoint.load(at / "candidate"), Report.load(at / "report")
        said = _said(True, note, by)
        try:
            return promote(plan.asr, candidate, judged, said, out=at / "approval")
        except Exception:
            shutil.rmtree(at / ".approval", ignore_errors=True)
            raise


def refuse(run: Path, note: str, by: str | None = None) -> Approval:
    """Keep the champion. Raises as `approve` does, except EngineError."""
    ledger = RunFolder.read(run)
    with ledger.locked():
        at = _waiting(ledger)
        return turn_down(Report.load(at / "report"), _said(False, note, by), out=at / "approval")


@stage(version=1)
def promote(
    recognizer: Recognizer, candidate: Checkpoint, judged: Report, said: Approval, *, out: Path
) -> Approval:
    """Let the candidate hear some development clips again, and write down the yes."""
    before = list(islice(_development(judged), CLIPS))
    if not before:
        raise EngineError(f"{judged.folder}: nothing was promoted: it heard nothing when judged")
    again = (replace(each, text=None, pred_text=None) for each in before)
    heard = list(Manifest.write(recognizer.transcribe(candidate, again), out / "heard"))
    if trouble := next((each.error for each in heard if each.error), None):
        raise EngineError(f"{judged.folder.parent}: nothing was promoted: {trouble}")
    pairs = zip(before, heard, strict=True)
    count = metrics.sum_counts(
        [
            metrics.count_character_errors(one.pred_text or "", other.pred_text or "")
            for one, other in pairs
        ]
    )
    if count.rate > LIMIT:
        raise EngineError(
            f"{judged.folder.parent}: nothing was promoted: on {len(heard)} development clips the "
            f"candidate does not hear what it heard when it was judged (CER {count.rate:.0%}, "
            f"limit {LIMIT:.0%}); its weights, or what reads them, are not what they were"
        )
    log.info("heard %d development clips again, CER %s against the report", len(heard), count)
    return said.save(out)


@stage(version=1)
def turn_down(judged: Report, said: Approval, *, out: Path) -> Approval:
    """Write down the no."""
    return said.save(out)


def _development(judged: Report) -> Iterator[Utterance]:
    """What the candidate heard on the development sets when it was judged."""
    for score in judged.scores:
        if score.kind == "development":
            yield from (
                each
                for each in Manifest.load(judged.folder / score.kind / score.name)
                if each.pred_text and not each.error
            )


def _waiting(ledger: RunFolder) -> Path:
    if at := ledger.awaiting_approval:
        return at
    last = next(iter(ledger.finished_rounds[-1:]), None)
    said = approval_of(last) if last else None
    if last and said:
        raise ConfigError(f"{ledger.run}: round {round_number(last)} was {said}; that is said once")
    raise ConfigError(f"{ledger.run}: nothing waits for approval")


def _said(yes: bool, note: str, by: str | None) -> Approval:
    now = datetime.now().astimezone().isoformat(timespec="seconds")
    return Approval(approved=yes, by=by or _user(), when=now, note=note)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may have a number and no name
        return f"user {os.getuid()}"
