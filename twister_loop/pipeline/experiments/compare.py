"""Comparison of the full loop with its parts, at equal numbers of updates.

Every arm is a variation of one plan and an ordinary run below one folder, with equally many
updates and the same seeds. Stages with equal inputs run once, and other arms copy their results.
Gates are left out, so that every arm shows its result, good or bad. All figures are of test sets:
a comparison reports, and nothing is chosen by it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import wraps
from pathlib import Path
from typing import ParamSpec, TypeVar

from ...core.artifacts import (
    PROVENANCE,
    JsonRecord,
    cache_key,
    find_differences,
    read_json,
    reuse_result,
)
from ...core.errors import StaleError
from ...core.manifest import Manifest
from ...core.types import ErrorCount, Measure, Report, Score, Share
from ...evaluation import metrics
from ...evaluation.evidence import Outcome
from ...evaluation.measures import choose_measure
from ...evaluation.outcomes import load_outcomes
from ...evaluation.pooling import SET_KINDS
from ...evaluation.scoreboard import RateDifference
from ...evaluation.trials import VoiceTrial
from ..loop import refine
from ..plan import Plan
from ..run_folder import RunFolder
from ..stages.listing import gather
from ..steps import StageRunner
from .arms import FULL_LOOP, SUPERVISED, CompareOptions, build_arms, with_recognizer

P = ParamSpec("P")
R = TypeVar("R")

log = logging.getLogger(__name__)

UNTOUCHED = "untouched"


@dataclass(frozen=True)
class ArmScore:
    """Result of one arm on one test set, over all seeds."""

    arm: str
    set_name: str
    measure: Measure
    """Measure of the set; all figures of this arm are by it."""
    errors: ErrorCount
    """Errors, added over the seeds."""
    rate_by_seed: tuple[Share, ...]
    """Error rate of every seed."""
    change: RateDifference | None
    """Change from the untouched model to this arm; None for the untouched model itself."""
    full_loop_difference: RateDifference | None
    """Full loop minus this arm; None for the full loop itself, and without one."""
    gap_closed: Share | None
    """Share of the gap between untouched model and supervised arm that this arm closes; None
    without a supervised arm, and if that is not significantly better."""


@dataclass(frozen=True)
class ArmRound:
    """One round of an arm with several rounds."""

    arm: str
    number: int
    scores: tuple[Score, ...]
    """Scores on the test sets."""
    label_measure: Measure | None
    """Measure of the pseudo-labels' errors; None without references of the pool."""
    label_errors: ErrorCount | None
    """Errors of the pseudo-labels; None without references of the pool."""
    trial_rates: dict[str, Share]
    """Character error rate of every voice's trial."""
    kept_share: Share
    """Share of the pool whose pseudo-labels pass the filters."""


@dataclass(frozen=True)
class Comparison(JsonRecord):
    """Results of all arms."""

    options: CompareOptions
    rows: tuple[ArmScore, ...]
    rounds: tuple[ArmRound, ...]


def compare(
    plan: Plan, folder: Path, options: CompareOptions, arms: Mapping[str, Plan] | None = None
) -> Comparison:
    """Run all arms that are not finished, and compare their results.

    Args:
        plan: Plan of the full loop.
        folder: Folder of all arms; a comparison that was interrupted is resumed.
        options: Updates, seeds and rounds.
        arms: Plans of the arms by name, full loop first; None takes those of `build_arms`.

    Raises:
        ConfigError: There is nothing to compare.
        StaleError: The folder holds arms of another plan or with other options.
    """
    plans = dict(arms or build_arms(plan, options))
    folder.mkdir(parents=True, exist_ok=True)
    # Seed by seed: a comparison that is stopped early has every arm with the seeds so far.
    for seed in range(options.seeds):
        for name, arm in plans.items():
            run = _run_folder(folder, name, seed)
            log.info("arm %s: seed %d of %d", name, seed + 1, options.seeds)
            matched = _match_audio_per_update(arm, plan, folder, options)
            seeded = replace(matched, seed=plan.seed + seed)
            _check_same_plan(seeded, run)
            for _ in refine(seeded, run, share_stages(folder)):
                pass
    rounds = [
        arm_round for name, arm in plans.items() for arm_round in _arm_rounds(arm, folder, name)
    ]
    return Comparison(
        options=options,
        rows=tuple(_arm_scores(plan, plans, folder, options)),
        rounds=tuple(rounds),
    ).save(folder)


def _match_audio_per_update(arm: Plan, plan: Plan, folder: Path, options: CompareOptions) -> Plan:
    """Scale the batch of an arm without packing to the utterances per update of the full loop.

    A packed window holds several utterances, so equally many updates would see less speech.
    """
    # Only an ablation leaves packing out, and there the full loop runs first.
    if arm.pack or not plan.pack:
        return arm
    full_loop = _last_round(_run_folder(folder, FULL_LOOP, 0))
    utterances = len(Manifest.load(full_loop / "mixture"))
    windows = len(Manifest.load(full_loop / "packed"))
    return with_recognizer(arm, plan.asr.with_updates(options.updates, utterances / windows))


def _check_same_plan(plan: Plan, run: Path) -> None:
    """Raise StaleError if rounds of an arm were made with another plan.

    A run of its own may change its plan between rounds. Here such rounds would be reported as
    results of this plan.
    """
    # Every round: an arm may have been interrupted between two of them.
    for note in sorted(run.glob("round-*/plan.json")):
        before, now = read_json(note)["plan"], cache_key(plan)
        if changed := [place for place, _, _ in find_differences(before, now)]:
            raise StaleError(
                f"{note.parent} was made with another plan or other options "
                f"({', '.join(changed)}); name another folder"
            )


def share_stages(folder: Path) -> StageRunner:
    """Return a runner that copies a stage's result if another run in the folder has the same.

    Results are looked up in the same place of every round of every run below `folder`. Arguments
    are bound by name, so it does not matter whether a stage is called with keywords.
    """

    def run_stage(stage: Callable[P, R], /) -> Callable[P, R]:
        @wraps(stage)
        def run_shared(*args: P.args, **kwargs: P.kwargs) -> R:
            out = kwargs["out"]
            assert isinstance(out, Path)
            round_folder = next(parent for parent in out.parents if _is_round(parent))
            place = out.relative_to(round_folder).as_posix()
            # Only the same place is searched: a stage with another name or voice cannot be equal.
            candidates = sorted(folder.glob(f"*/round-*/{place}/{PROVENANCE}"))
            reuse_result(stage, out, candidates, *args, **kwargs)  # type: ignore[arg-type]
            # Reads the copy if there was one, and checks its inputs once more.
            return stage(*args, **kwargs)

        return run_shared

    return run_stage


def _is_round(folder: Path) -> bool:
    return folder.name.startswith("round-")


def _run_folder(folder: Path, arm: str, seed: int) -> Path:
    # Names of arms are for people; folders get no commas or spaces, and seeds count from 1.
    return folder / f"{arm.replace(',', '').replace(' ', '-')}-{seed + 1}"


def _last_round(run: Path) -> Path:
    return RunFolder.read(run).finished_rounds[-1]


def _arm_scores(
    plan: Plan, plans: Mapping[str, Plan], folder: Path, options: CompareOptions
) -> Iterator[ArmScore]:
    """Yield the scores of the untouched model and all arms, set by set."""
    first_arm = next(iter(plans))
    for set_name in plans[first_arm].sets:
        by_arm = {
            arm: [
                _load_outcome(
                    plan, _last_round(_run_folder(folder, arm, seed)) / "report", set_name
                )
                for seed in range(options.seeds)
            ]
            for arm in plans
        }
        first_round = RunFolder.read(_run_folder(folder, first_arm, 0)).finished_rounds[0]
        # Decoding is deterministic, so the untouched model is the same for all seeds.
        untouched = [_load_outcome(plan, first_round / "untouched", set_name)] * options.seeds
        ceiling = by_arm.get(SUPERVISED)
        # A gap that may be chance has no shares.
        if ceiling and not _difference(plan, ceiling, untouched).is_significant:
            ceiling = None
        for arm, outcomes in {UNTOUCHED: untouched, **by_arm}.items():
            full_loop = by_arm.get(FULL_LOOP, outcomes)
            yield ArmScore(
                arm=arm,
                set_name=set_name,
                measure=outcomes[0].score.measure,
                errors=metrics.sum_counts(_own_counts(outcomes)),
                rate_by_seed=tuple(_own_rate([seed]) for seed in outcomes),
                change=_difference(plan, outcomes, untouched) if arm != UNTOUCHED else None,
                full_loop_difference=(
                    _difference(plan, full_loop, outcomes) if full_loop is not outcomes else None
                ),
                gap_closed=_gap_closed(outcomes, untouched, ceiling),
            )


def _difference(plan: Plan, first: Sequence[Outcome], second: Sequence[Outcome]) -> RateDifference:
    """Return the first error rate minus the second, over all seeds."""
    # Seeds share their utterances, so they are no independent evidence.
    # A speaker has the same name in all seeds, and is drawn with all of them.
    groups = [group for outcome in first for group in outcome.groups]
    drawn = metrics.paired_bootstrap(
        _own_counts(first), _own_counts(second), plan.seed, groups=groups
    )
    low, high = metrics.percentile_interval_95(drawn)
    return RateDifference(_own_rate(first) - _own_rate(second), low, high)


def _gap_closed(
    arm: Sequence[Outcome], untouched: Sequence[Outcome], ceiling: Sequence[Outcome] | None
) -> Share | None:
    """Return the share of the gap between untouched model and ceiling that an arm closes."""
    if ceiling is None or arm is untouched or _own_rate(ceiling) >= _own_rate(untouched):
        return None
    gap = _own_rate(ceiling) - _own_rate(untouched)
    return (_own_rate(arm) - _own_rate(untouched)) / gap


def _arm_rounds(plan: Plan, folder: Path, arm: str) -> Iterator[ArmRound]:
    """Yield every round of an arm with several rounds, for the first seed."""
    if plan.rounds == 1:
        return
    # Listed outside the rounds: no round may see references of its own pool.
    references, label_measure = None, None
    if plan.pool_references:
        references = gather((plan.pool_references,), plan.language, out=folder / "pool_references")
        label_measure = plan.normalizer.measure or choose_measure(references)
    finished = RunFolder.read(_run_folder(folder, arm, 0)).finished_rounds
    for number, round_folder in enumerate(finished, 1):
        report = Report.load(round_folder / "report")
        pool = len(Manifest.load(round_folder / "pool"))
        filtered = len(Manifest.load(round_folder / "filtered_labels"))
        yield ArmRound(
            arm=arm,
            number=number,
            scores=tuple(score for score in report.scores if score.kind == "test"),
            label_measure=label_measure,
            label_errors=(
                _count_label_errors(plan, round_folder, references, label_measure)
                if references and label_measure
                else None
            ),
            trial_rates={
                trial.parent.name: VoiceTrial.load(trial).characters.rate
                for trial in sorted(round_folder.glob("voices/*/trial"))
            },
            kept_share=filtered / pool if pool else 0.0,
        )


def _count_label_errors(
    plan: Plan, round_folder: Path, references: Manifest, measure: Measure
) -> ErrorCount:
    """Count errors of the pseudo-labels against references of the pool."""
    normalize = plan.normalizer.normalize
    texts = {utterance.id: utterance.text for utterance in references if utterance.text}
    return metrics.sum_counts(
        [
            metrics.count_errors(
                normalize(texts[label.id], label.lang),
                normalize(label.pred_text or "", label.lang),
                measure,
            )
            for label in Manifest.load(round_folder / "pseudo_labels")
            if label.id in texts and not label.error
        ]
    )


def _load_outcome(plan: Plan, report: Path, set_name: str) -> Outcome:
    return load_outcomes(Report.load(report), plan.normalizer, SET_KINDS)[set_name]


def _own_rate(seeds: Sequence[Outcome]) -> Share:
    """Return the error rate by the set's own measure, over all seeds."""
    return metrics.sum_counts(_own_counts(seeds)).rate


def _own_counts(seeds: Sequence[Outcome]) -> list[ErrorCount]:
    return [count for outcome in seeds for count in outcome.counts(outcome.score.measure)]
