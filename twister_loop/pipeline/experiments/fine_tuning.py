"""Fine-tuning study: one recognizer zero-shot and fine-tuned, beside others trained from scratch.

The comparison of the Korean study: a recognizer is evaluated before training, after every epoch,
and at the end (with the average of its epochs if the plan says so). Others are trained from random
weights on the same transcribed speech. There is no pool, voice or gate: a study reports, and
nothing is chosen by it. Every model is trained once, so its intervals are those of the sets alone,
and no difference between models is claimed; `compare` trains with several seeds.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

from ...asr._base import Recognizer
from ...core.artifacts import JsonRecord, cache_key, find_differences, read_json, write_json
from ...core.errors import ConfigError, StaleError
from ...core.manifest import Manifest
from ...core.tallies import Funnel, Tally
from ...core.types import (
    Checkpoint,
    ErrorCount,
    Measure,
    Proportion,
    Report,
    Score,
    TermCount,
)
from ...evaluation import metrics
from ...evaluation.evidence import IN_DECODING, Decoding, Outcome
from ...evaluation.measures import ABBREVIATIONS
from ...evaluation.outcomes import HeldOutSet, get_early_stopping_speech, load_outcomes
from ...evaluation.pooling import SET_KINDS
from ...evaluation.scoreboard import DECODINGS, MEASURES, RateChange
from ..held_out_check import check_held_out_sets
from ..leak_check import check_leaks
from ..plan import Plan
from ..preflight import list_held_out_sets
from ..run_folder import RunFolder
from ..stages.evaluation import evaluate
from ..stages.filtering import HELD_OUT_TEXT, filter_transcribed
from ..stages.listing import gather
from ..stages.training import fine_tune

log = logging.getLogger(__name__)

ZERO_SHOT, FINE_TUNED = "zero-shot", "fine-tuned"
TABLE = "study.md"


@dataclass(frozen=True)
class ModelScore:
    """Score of one model on one set."""

    model: str
    score: Score
    decoding: Decoding
    change: RateChange | None = None
    """Change of the error rate from zero-shot, by the set's own measure; None for zero-shot. Its
    interval is of the set alone, and not of the training."""


@dataclass(frozen=True)
class Study(JsonRecord):
    """Scores of all models on all sets, set by set, in both decodings."""

    rows: tuple[ModelScore, ...]
    trained_on: Tally = Tally()
    """Transcribed speech that every model was trained on."""
    near_twins: Tally = Tally()
    """Transcribed speech that was dropped, since its text is a near twin of a held-out one."""

    def markdown(self) -> str:
        """Return one table per set and decoding, as they are written to `study.md`."""
        tables = [
            "\n".join(_markdown_table(list(rows)))
            for _, rows in groupby(self.rows, lambda row: (row.decoding, row.score.name))
        ]
        return "\n".join([*tables, *self._describe_limits()])

    def _describe_limits(self) -> Iterator[str]:
        """Yield what the tables do not say."""
        yield (
            f"Trained on {self.trained_on.utterances} utterances, "
            f"{self.trained_on.duration / 3600:.2f} h. Dropped as near twins of held-out texts: "
            f"{self.near_twins.utterances}."
        )
        yield (
            "Every model was trained once. Intervals are of the set alone: another training of the "
            "same model gives another error rate, so no difference between models is claimed."
        )


@dataclass(frozen=True)
class _StudyInputs:
    """Speech that a study trains and evaluates on."""

    human: Manifest
    """Transcribed speech without texts that are held out."""
    sets: Mapping[str, HeldOutSet]
    early_stopping_speech: Manifest | None


def run_study(plan: Plan, folder: Path, from_scratch: Sequence[Recognizer]) -> Study:
    """Train and evaluate all models that are not finished, and write the tables.

    Args:
        plan: Plan with transcribed speech (`human`) and held-out sets.
        folder: Folder of the study; one that was interrupted is resumed.
        from_scratch: Recognizers to train from random weights.

    Raises:
        ConfigError: The plan has no transcribed speech, or the folder is that of a run.
        LeakError: Held-out speech is also in the training data.
        StaleError: The folder holds a study of other data.
    """
    if plan.trainings > 1 or plan.interpolate < 1:
        log.info(
            "a study trains every model once and evaluates the trained weights as they are, so "
            "`trainings: %d` and `interpolate: %g` are not used",
            plan.trainings,
            plan.interpolate,
        )
    if not plan.human:
        raise ConfigError(
            "human: a study trains on transcribed speech, and the plan names none under `human`"
        )
    run_folder = RunFolder.open(folder)
    if run_folder.round_folders:
        raise ConfigError(f"{folder}: a run with rounds, and no study; name another folder")
    with run_folder.locked():
        inputs = _list_inputs(plan, folder)
        reports = dict(_evaluate_models(plan, folder, inputs, from_scratch))
        rows = tuple(
            row for decoding in DECODINGS for row in _score_models(plan, reports, decoding)
        )
        dropped = Funnel.load(inputs.human.folder).rejected.get(HELD_OUT_TEXT, Tally())
        trained_on = Tally(len(inputs.human), round(inputs.human.duration, 3))
        study = Study(rows, trained_on, dropped).save(folder)
    # Written anew each time, so that the wording of a new version reaches an old study.
    (folder / TABLE).write_text(study.markdown(), encoding="utf-8")
    return study


def _list_inputs(plan: Plan, folder: Path) -> _StudyInputs:
    """List the training data and the held-out sets, and check them."""
    # Training options may change from one call to the next, and only what they touch is redone.
    # Other data would give a table whose rows do not compare.
    data = cache_key({"human": plan.human, "sets": plan.sets, "language": plan.language})
    note = folder / "study-of.json"
    if not note.is_file():
        write_json(data, note)
    if changed := [place for place, _, _ in find_differences(read_json(note), data)]:
        raise StaleError(
            f"{folder} is a study of other data ({', '.join(changed)}); name another folder"
        )
    human = gather(plan.human, plan.language, "human", out=folder / "inputs" / "human")
    sets = list_held_out_sets(plan, folder)
    check_held_out_sets(plan, sets)
    check_leaks(training={"human": human}, sets=sets)
    stopping_speech = get_early_stopping_speech(plan.asr.early_stopping_set, sets)
    filtered = filter_transcribed(
        speech=human,
        held_out=[held_out.speech for held_out in sets.values()],
        normalizer=plan.normalizer,
        out=folder / "filtered_human",
    )
    return _StudyInputs(filtered, sets, stopping_speech)


def _evaluate_models(
    plan: Plan, folder: Path, inputs: _StudyInputs, from_scratch: Sequence[Recognizer]
) -> Iterator[tuple[str, Report]]:
    """Yield every model's name and report, in the order of the table."""

    def evaluate_model(recognizer: Recognizer, checkpoint: Checkpoint, out: Path) -> Report:
        log.info("evaluating %s: %s", recognizer.name, out.name)
        return evaluate(
            recognizer=recognizer,
            checkpoint=checkpoint,
            sets=inputs.sets,
            normalizer=plan.normalizer,
            full_window=plan.full_window,
            seed=plan.seed,  # draws the part of a set in 30 s windows, equal for all models
            key_terms=plan.terms,
            out=out,
        )

    # All epochs are kept, though a round keeps the last alone: the table shows each of them.
    asr = plan.asr.keeping_all_epochs()
    untouched = asr.initial_checkpoint()
    for warning in asr.preflight_warnings(untouched):
        log.warning("%s: %s", asr.name, warning)
    yield ZERO_SHOT, evaluate_model(asr, untouched, folder / ZERO_SHOT)
    tuned = fine_tune(
        recognizer=asr,
        start=untouched,
        training_set=inputs.human,
        seed=plan.seed,
        augmentation=None,
        early_stopping_speech=inputs.early_stopping_speech,
        out=folder / FINE_TUNED,
    )
    for number, epoch in enumerate(_list_epochs(tuned), 1):
        report = evaluate_model(asr, epoch, folder / f"{epoch.location.name}-report")
        yield f"epoch {number}", report
    yield FINE_TUNED, evaluate_model(asr, tuned, folder / f"{FINE_TUNED}-report")
    for index, recognizer in enumerate(from_scratch):
        # The same recognizer may be listed twice, with other options.
        earlier = sum(before.name == recognizer.name for before in from_scratch[:index])
        name = f"{recognizer.name}-{earlier + 1}" if earlier else recognizer.name
        # No early stopping: its set belongs to the options of the plan's own recognizer.
        trained = fine_tune(
            recognizer=recognizer,
            start=recognizer.initial_checkpoint(),
            training_set=inputs.human,
            seed=plan.seed,
            out=folder / f"scratch-{name}",
        )
        report = evaluate_model(recognizer, trained, folder / f"scratch-{name}-report")
        yield f"from scratch: {name}", report


def _list_epochs(tuned: Checkpoint) -> Iterator[Checkpoint]:
    """Yield the weights after every epoch, which lie in the folder of the final weights."""
    for folder in sorted(tuned.location.glob("epoch-*")):
        # They have no record of their own, so their digest comes of the final weights'.
        yield replace(tuned, location=folder, digest=f"{cache_key(tuned)} {folder.name}")


def _score_models(
    plan: Plan, reports: Mapping[str, Report], decoding: Decoding
) -> Iterator[ModelScore]:
    """Yield the score of every model on every set, with its change from zero-shot."""
    outcomes = {
        model: load_outcomes(report, plan.normalizer, SET_KINDS, decoding)
        for model, report in reports.items()
    }
    for set_name, before in outcomes[ZERO_SHOT].items():
        for model, sets in outcomes.items():
            # Only Whisper decodes in 30 s windows.
            if (after := sets.get(set_name)) is None:
                continue
            if model == ZERO_SHOT:
                yield ModelScore(model, after.score, decoding)
                continue
            # All models transcribed the same utterances, so counts pair up.
            yield ModelScore(
                model,
                after.score,
                decoding,
                change=_compute_change(before, after, after.score.measure, plan.seed),
            )


def _compute_change(before: Outcome, after: Outcome, measure: Measure, seed: int) -> RateChange:
    """Return the change of an error rate, with its interval by paired bootstrap."""
    after_counts, before_counts = after.counts(measure), before.counts(measure)
    drawn = metrics.paired_bootstrap(after_counts, before_counts, seed, groups=after.groups)
    low, high = metrics.percentile_interval_95(drawn)
    after_rate = metrics.sum_counts(after_counts).rate
    before_rate = metrics.sum_counts(before_counts).rate
    return RateChange(
        rate=after_rate - before_rate,
        low=low,
        high=high,
        relative=after_rate / before_rate - 1 if before_rate else 0.0,
        resampling_unit=after.resampling_unit,
    )


def _markdown_table(rows: Sequence[ModelScore]) -> Iterator[str]:
    """Yield the lines of one set's table."""
    first, decoding = rows[0].score, rows[0].decoding
    prompt = f"language {first.lang} forced" if first.lang else "language detected"
    yield (
        f"### {first.name}{IN_DECODING[decoding]} "
        f"({first.kind}, {first.utterances} utterances, {prompt})\n"
    )
    # Published studies report one or the other, so all stand here.
    rates = " | ".join(f"{ABBREVIATIONS[measure]} % | S / D / I" for measure in MEASURES)
    own = ABBREVIATIONS[first.measure]
    term_columns = " terms recalled | errors on other words, % |" if first.term_count else ""
    change_column = f"change of {own} (95 %, of the set alone)"
    yield f"| model | {rates} | {change_column} | foreign script |{term_columns}"
    yield "|---" * (2 * len(MEASURES) + (5 if term_columns else 3)) + "|"
    for row in rows:
        counts = [row.score.count(measure) for measure in MEASURES]
        errors = " | ".join(f"{100 * count.rate:.2f} | {_format_errors(count)}" for count in counts)
        change = row.change.in_points() if row.change else ""
        foreign_script = _format_share(row.score.foreign_script)
        cells = _format_terms(row.score.term_count) if term_columns else ""
        yield f"| {row.model} | {errors} | {change} | {foreign_script} |{cells}"
    yield ""


def _format_terms(count: TermCount | None) -> str:
    if count is None or not count.recall.total:
        return " no term occurs | |"
    return f" {count.recall.count} of {count.recall.total} | {100 * count.others.rate:.2f} |"


def _format_errors(count: ErrorCount) -> str:
    return f"{count.substitutions} / {count.deletions} / {count.insertions}"


def _format_share(proportion: Proportion) -> str:
    # Nothing transcribed is not the same as no foreign letter.
    return f"{proportion.share:.1%}" if proportion.total else ""
