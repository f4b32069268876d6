"""Comparison of the full loop with its parts, at equal numbers of updates.

Every arm is a variation of one plan and an ordinary run below one folder, with the same seeds. The
model that is measured has had equally many updates in every arm. Stages with equal inputs run once,
and other arms copy their results. Gates are left out, so that every arm shows its result, good or
bad. All figures are of test sets: a comparison reports, and nothing is chosen by it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ...core.artifacts import cache_key, find_differences, read_json
from ...core.errors import (
    BusyError,
    ConfigError,
    SpaceError,
    StaleError,
    TwisterError,
    explain_faults,
)
from ...core.manifest import Manifest
from ...core.types import Measure
from ...evaluation.measures import choose_measure
from ..loop import refine
from ..plan import Plan
from ..run_folder import RunFolder, round_number
from ..stage_runner import StageRunner
from ..stage_table import FILTERED_LABELS, MIXTURE, PACKED, REPORT, UNTOUCHED
from . import arms as arm_names
from .arm_scores import score_arms
from .arm_trainings import count_training, describe_rounds
from .arms import CompareOptions, build_arms, with_recognizer
from .comparison import ArmFailure, ArmTraining, Comparison
from .comparison_folder import check_names, check_same_data, last_round, open_folder, run_folder
from .comparison_notes import REFERENCES_ELSEWHERE, describe_limits
from .growing_pool import plan_of_round
from .kept_references import (
    count_references_of_pool,
    list_references,
    with_kept_references,
)
from .round_scores import score_rounds
from .shared_stages import share_stages

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Setup:
    """What all arms of a comparison have in common."""

    plan: Plan
    plans: Mapping[str, Plan]
    """Plans of the arms by name, for the first seed."""
    folder: Path
    options: CompareOptions
    references: Manifest | None
    """References of the pool; None if the plan names none."""
    label_measure: Measure | None
    """Measure of the errors of pseudo-labels; None without references."""

    @property
    def trainings(self) -> Iterator[tuple[str, int]]:
        """Name and seed of every training, counted from 0, in the order in which they run."""
        # Seed by seed: a comparison that is stopped early has every arm with the seeds so far.
        for seed in range(self.options.seeds):
            for name in self.plans:
                yield name, seed

    def run_folder(self, arm: str, seed: int) -> Path:
        """Return the folder of an arm's run."""
        return run_folder(self.folder, arm, seed)


def compare(
    plan: Plan, folder: Path, options: CompareOptions, arms: Mapping[str, Plan] | None = None
) -> Comparison:
    """Run all arms that are not finished, and compare their results.

    An arm that ends with an error is named in the result, and the others go on. The next call tries
    it again.

    Args:
        plan: Plan of the full loop.
        folder: Folder of all arms; a comparison that was interrupted is resumed.
        options: Updates, seeds, rounds and arms.
        arms: Plans of the arms by name, full loop first; None takes those of `build_arms`.

    Raises:
        ConfigError: There is nothing to compare, or the folder is no comparison.
        StaleError: The folder holds arms of another plan, or the data changed since.
        TwisterError: No arm could be trained.
    """
    plans = dict(build_arms(plan, options) if arms is None else arms)
    check_names(plans)
    open_folder(plan, folder, options)
    references, label_measure = list_references(plan, folder), None
    if references is not None:
        label_measure = plan.normalizer.measure or choose_measure(references)
        if not count_references_of_pool(plan, references, folder):
            plans = _leave_out_kept_references(plans, options)
    setup = _Setup(plan, plans, folder, options, references, label_measure)
    # All of them before the first is run, which takes hours.
    for name, seed in setup.trainings:
        _check_same_plan(setup, name, seed)
    failures = tuple(_run_arms(setup))
    # Read from the disk and not kept while they ran: most of them finished in an earlier call.
    failed = {(failure.arm, failure.seed) for failure in failures}
    # An arm may have failed with some of the seeds only.
    finished = {
        name: seeds
        for name in plans
        if (seeds := [n for n in range(options.seeds) if (name, plan.seed + n) not in failed])
    }
    if not finished:
        raise TwisterError("no arm could be trained: " + "; ".join(map(str, failures)))
    return _summarize(setup, finished, failures).save(folder)


def _run_arms(setup: _Setup) -> Iterator[ArmFailure]:
    """Run every arm with every seed, and yield those that end with an error."""
    first: tuple[str, int] | None = None
    for name, seed in setup.trainings:
        run = setup.run_folder(name, seed)
        log.info("arm %s: seed %d of %d", name, seed + 1, setup.options.seeds)
        try:
            with explain_faults(f"{run}: the arm cannot go on"):
                _run_rounds(_plan_of_seed(setup, name, seed), run, share_stages(setup.folder))
        except (BusyError, SpaceError):
            raise  # nothing of the arm: the others would end in the same way
        except TwisterError as error:
            failure = ArmFailure(name, setup.plan.seed + seed, str(error))
            log.warning("arm %s", failure)
            yield failure
        else:
            first = first or (name, seed)
            check_same_data(
                *(_plan_and_run(setup, *training) for training in (first, (name, seed)))
            )


def _run_rounds(arm: Plan, run: Path, run_stage: StageRunner) -> None:
    """Run the rounds of an arm that are not finished, each with the pool that is there by then.

    Raises:
        ConfigError: A round had nothing new to train on, so an earlier one would pass for the last.
    """
    for number in range(1, arm.rounds + 1):
        plan = replace(plan_of_round(arm, number), rounds=number)
        if len(finished := list(refine(plan, run, run_stage))) < number:
            raise ConfigError(
                f"{run}: ended after {len(finished)} of {arm.rounds} rounds, since a round had "
                "nothing new to train on"
            )


def _plan_of_seed(setup: _Setup, name: str, seed: int) -> Plan:
    """Return the plan of an arm for one seed, as far as other arms decide it."""
    arm = _with_seed(setup, name, seed)
    arm = _match_audio_per_update(arm, setup)
    if name != arm_names.KEPT_REFERENCES or setup.references is None:
        return arm
    self_training = setup.run_folder(arm_names.SELF_TRAINING, seed)
    labels = FILTERED_LABELS.path(last_round(self_training, arm_names.SELF_TRAINING))
    out = setup.folder / f"kept-references-{seed + 1}"
    return with_kept_references(arm, labels, setup.references.folder, out=out)


def _plan_and_run(setup: _Setup, name: str, seed: int) -> tuple[Plan, Path]:
    return _plan_of_seed(setup, name, seed), setup.run_folder(name, seed)


def _with_seed(setup: _Setup, name: str, seed: int) -> Plan:
    return replace(setup.plans[name], seed=setup.plan.seed + seed)


def _match_audio_per_update(arm: Plan, setup: _Setup) -> Plan:
    """Scale the batch of an arm without packing to the utterances per update of the full loop.

    A packed window holds several utterances, so equally many updates would see less speech.
    """
    # Only an ablation leaves packing out, and there the full loop runs first.
    if arm.pack or not setup.plan.pack:
        return arm
    full_loop = last_round(setup.run_folder(arm_names.FULL_LOOP, 0), arm_names.FULL_LOOP)
    utterances = len(Manifest.load(MIXTURE.path(full_loop)))
    windows = len(Manifest.load(PACKED.path(full_loop)))
    recognizer = setup.plan.asr.with_updates(setup.options.updates, utterances / windows)
    return with_recognizer(arm, recognizer)


def _summarize(
    setup: _Setup, finished: Mapping[str, list[int]], failures: tuple[ArmFailure, ...]
) -> Comparison:
    """Read the results of all arms that are finished."""

    def report(arm: str, seed: int) -> Path:
        return REPORT.path(last_round(setup.run_folder(arm, seed), arm))

    normalizer = setup.plan.normalizer
    arm, [seed, *_] = next(iter(finished.items()))
    first_round = RunFolder.read(setup.run_folder(arm, seed)).finished_rounds[0]
    # Any arm has it: the untouched model is measured before the first round of each.
    reports = {arm: [report(arm, seed) for seed in seeds] for arm, seeds in finished.items()}
    rows = tuple(score_arms(UNTOUCHED.path(first_round), reports, normalizer))
    trainings = tuple(
        ArmTraining(
            arm=arm,
            rounds=setup.plans[arm].rounds,
            seeds=tuple(
                count_training(
                    _with_seed(setup, arm, seed),
                    setup.run_folder(arm, seed),
                    setup.references,
                    setup.label_measure,
                )
                for seed in seeds
            ),
        )
        for arm, seeds in finished.items()
    )
    rounds = [
        arm_round
        for arm, [seed, *_] in finished.items()
        for arm_round in describe_rounds(
            arm,
            setup.plans[arm],
            setup.run_folder(arm, seed),
            setup.references,
            setup.label_measure,
        )
    ]
    round_scores = [
        score
        for arm, seeds in finished.items()
        if setup.plans[arm].rounds > 1
        for score in score_rounds(
            arm, UNTOUCHED.path(first_round), _reports_by_round(setup, arm, seeds), normalizer
        )
    ]
    comparison = Comparison(
        options=setup.options,
        trainings=trainings,
        label_measure=setup.label_measure,
        rows=rows,
        rounds=tuple(rounds),
        round_scores=tuple(round_scores),
        failures=failures,
        notes=(),
    )
    return replace(comparison, notes=tuple(describe_limits(setup.plan, comparison)))


def _reports_by_round(setup: _Setup, arm: str, seeds: Iterable[int]) -> list[tuple[Path, ...]]:
    """Return the reports of an arm's candidates, shape (rounds, seeds)."""
    runs = (RunFolder.read(setup.run_folder(arm, seed)).finished_rounds for seed in seeds)
    return list(zip(*(map(REPORT.path, rounds) for rounds in runs), strict=True))


def _leave_out_kept_references(plans: dict[str, Plan], options: CompareOptions) -> dict[str, Plan]:
    """Return the arms without the one that needs references of the pool's own recordings.

    Raises:
        ConfigError: The options name it.
    """
    if arm_names.KEPT_REFERENCES in options.arms:
        raise ConfigError(f"arms: {arm_names.KEPT_REFERENCES!r}: {REFERENCES_ELSEWHERE}")
    log.warning("%s", REFERENCES_ELSEWHERE)
    return {name: arm for name, arm in plans.items() if name != arm_names.KEPT_REFERENCES}


def _check_same_plan(setup: _Setup, name: str, seed: int) -> None:
    """Raise StaleError if rounds of an arm were made with another plan.

    A run of its own may change its plan between rounds. Here such rounds would be reported as
    results of this plan.
    """
    # Every round: an arm may have been interrupted between two of them.
    for note in sorted(setup.run_folder(name, seed).glob("round-*/plan.json")):
        plan = plan_of_round(_plan_of_seed(setup, name, seed), round_number(note.parent))
        before, now = read_json(note)["plan"], cache_key(plan)
        if changed := [place for place, _, _ in find_differences(before, now)]:
            raise StaleError(
                f"{note.parent} was made with another plan or other options "
                f"({', '.join(changed)}); name another folder"
            )
