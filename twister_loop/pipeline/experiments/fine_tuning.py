"""Zero-shot, fine-tuned and from scratch: what a recognizer learns from transcribed speech alone.

The comparison of the Korean study: one recognizer measured before, after every epoch, and at its
end (the average of its epochs where the plan says so), beside others that begin from nothing and
learn from the same. No pool, no voice, no gate: a study reports, and nothing is chosen by it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ...asr._base import Recognizer
from ...core.artifacts import JsonRecord, cache_key, find_differences, read_json, write_json
from ...core.errors import ConfigError, StaleError
from ...core.types import Checkpoint, ErrorCount, Proportion, Report, Score
from ...evaluation import metrics
from ...evaluation.evidence import Measure, Outcome
from ...evaluation.outcomes import HeldOutSet, get_early_stopping_speech, load_outcomes
from ...evaluation.pooling import SET_KINDS
from ...evaluation.scoreboard import RateChange
from ..leak_check import check_leaks
from ..plan import Plan
from ..preflight import RoundInputs, check_held_out_sets, list_held_out_sets
from ..run_folder import RunFolder
from ..stages.evaluation import evaluate
from ..stages.listing import gather
from ..stages.training import fine_tune

log = logging.getLogger(__name__)

ZERO_SHOT, FINE_TUNED = "zero-shot", "fine-tuned"
TABLE = "study.md"
MEASURES: tuple[Measure, ...] = ("words", "characters")


@dataclass(frozen=True)
class ModelScore:
    """One model on one set."""

    model: str
    score: Score
    word_change: RateChange | None = None
    """Of the word error rate against zero-shot; None for that."""
    character_change: RateChange | None = None
    """The same of the character error rate."""


@dataclass(frozen=True)
class Study(JsonRecord):
    """All models on all sets, set by set."""

    rows: tuple[ModelScore, ...]

    def markdown(self) -> str:
        """A table for every set, as it is also written to `study.md`."""
        sets = dict.fromkeys(row.score.name for row in self.rows)
        return "\n".join(
            line
            for name in sets
            for line in _table([row for row in self.rows if row.score.name == name])
        )


def run_study(plan: Plan, folder: Path, scratch: Sequence[Recognizer]) -> Study:
    """Train and measure what is not done yet, and tell what all came to.

    Raises ConfigError where there is nothing to learn from, LeakError where held-out speech is
    learned from, and StaleError where the folder holds a study of other things.
    """
    if not plan.human:
        raise ConfigError("human: a study learns from transcribed speech, and the plan names none")
    with RunFolder.open(folder).locked():
        given = _given(plan, folder)
        reports = dict(_reports(plan, given, scratch))
        rows = tuple(_rows(plan, reports))
        found = Study(rows).save(folder)
    (folder / TABLE).write_text(found.markdown(), encoding="utf-8")
    return found


def _given(plan: Plan, folder: Path) -> RoundInputs:
    asked = cache_key({"human": plan.human, "sets": plan.sets, "language": plan.language})
    note = folder / "study-of.json"
    if not note.is_file():
        write_json(asked, note)
    if changed := [place for place, _, _ in find_differences(read_json(note), asked)]:
        raise StaleError(
            f"{folder} is a study of other data ({', '.join(changed)}); name another folder"
        )
    nothing = gather((), plan.language, out=folder / "inputs" / "nothing")
    human = gather(plan.human, plan.language, out=folder / "inputs" / "human")
    sets = list_held_out_sets(plan, folder)
    watched = get_early_stopping_speech(plan.asr.early_stopping_set, sets)
    given = RoundInputs(folder, plan.seed, nothing, nothing, human, nothing, sets, watched)
    check_held_out_sets(plan, given.sets)
    check_leaks(training={"pool": nothing, "human": human, "replay": nothing}, sets=given.sets)
    return given


def _reports(
    plan: Plan, given: RoundInputs, scratch: Sequence[Recognizer]
) -> Iterator[tuple[str, Report]]:
    """Every model with its report, in the order of the table."""
    at, asr = given.folder, plan.asr.keeping_all_epochs()
    for warning in asr.preflight_warnings(asr.initial_checkpoint()):
        log.warning("%s: %s", asr.name, warning)
    yield ZERO_SHOT, _measured(plan, asr, asr.initial_checkpoint(), given.sets, at / ZERO_SHOT)
    terms = (given.human, given.seed, None, given.early_stopping_speech)
    tuned = fine_tune(asr, asr.initial_checkpoint(), *terms, out=at / FINE_TUNED)
    for number, each in enumerate(_epochs(tuned), 1):
        out = at / f"{each.location.name}-report"
        yield f"epoch {number}", _measured(plan, asr, each, given.sets, out)
    yield FINE_TUNED, _measured(plan, asr, tuned, given.sets, at / f"{FINE_TUNED}-report")
    for place, part in enumerate(scratch):
        before = sum(each.name == part.name for each in scratch[:place])
        name = f"{part.name}-{before + 1}" if before else part.name
        learned = fine_tune(
            part, part.initial_checkpoint(), given.human, given.seed, out=at / f"scratch-{name}"
        )
        out = at / f"scratch-{name}-report"
        yield f"from scratch: {name}", _measured(plan, part, learned, given.sets, out)


def _epochs(tuned: Checkpoint) -> Iterator[Checkpoint]:
    """The weights after every epoch; they lie in the artifact that signs them."""
    for each in sorted(tuned.location.glob("epoch-*")):
        yield replace(tuned, location=each, digest=f"{cache_key(tuned)} {each.name}")


def _measured(
    plan: Plan,
    recognizer: Recognizer,
    checkpoint: Checkpoint,
    sets: Mapping[str, HeldOutSet],
    out: Path,
) -> Report:
    log.info("%s", out.name)
    return evaluate(recognizer, checkpoint, sets, plan.normalizer, full_window=False, out=out)


def _rows(plan: Plan, reports: Mapping[str, Report]) -> Iterator[ModelScore]:
    found = {
        name: load_outcomes(each, plan.normalizer, SET_KINDS) for name, each in reports.items()
    }
    for name, before in found[ZERO_SHOT].items():
        for model, sets in found.items():
            now = sets[name]
            if model == ZERO_SHOT:
                yield ModelScore(model, now.score)
            else:
                words, characters = (_change(plan.seed, before, now, kind) for kind in MEASURES)
                yield ModelScore(model, now.score, words, characters)


def _change(seed: int, before: Outcome, now: Outcome, kind: Measure) -> RateChange:
    counts = now.counts(kind), before.counts(kind)
    drawn = metrics.paired_bootstrap(*counts, seed, groups=now.groups)
    rates = [metrics.sum_counts(each).rate for each in counts]
    relative = rates[0] / rates[1] - 1 if rates[1] else 0.0
    return RateChange(
        rates[0] - rates[1], *metrics.percentile_interval_95(drawn), relative, now.resampling_unit
    )


def _table(rows: Sequence[ModelScore]) -> Iterator[str]:
    first = rows[0].score
    prompt = f"asked for {first.lang}" if first.lang else "language detected"
    yield f"### {first.name} ({first.kind}, {first.utterances} utterances, {prompt})\n"
    yield "| model | WER % | S / D / I | CER % | S / D / I | change of CER (95 %) | other script |"
    yield "|---|---|---|---|---|---|---|"
    for row in rows:
        score = row.score
        counts = (score.words, score.characters)
        errors = " | ".join(f"{100 * each.rate:.2f} | {_parts(each)}" for each in counts)
        yield f"| {row.model} | {errors} | {_said(row.character_change)} | {_share(score.foreign_script)} |"
    yield ""


def _parts(count: ErrorCount) -> str:
    return f"{count.substitutions} / {count.deletions} / {count.insertions}"


def _said(change: RateChange | None) -> str:
    if change is None:
        return ""
    said = f"{100 * change.rate:+.2f} ({100 * change.low:+.2f} to {100 * change.high:+.2f})"
    return said if change.is_significant else f"{said}: no difference seen"


def _share(counted: Proportion) -> str:
    """Letters that belong neither to the language nor to the reference: Hangul in English."""
    return f"{counted.count / counted.total:.1%}" if counted.total else ""
