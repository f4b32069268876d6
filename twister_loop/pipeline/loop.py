"""The loop itself, in plain Python. Read `run_round` first: it is the figure of the paper.

A variable of `run_round` is also a folder of the round (`stage_table` lists them), and a task where
Prefect runs the round.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import ParamSpec, TypeVar

from ..core.errors import AwaitingApproval, NothingNew
from ..core.forgotten import check_nothing_half_removed
from ..core.scratch import full_disk_as_space_error
from ..core.types import Report
from .annotation.sources import (
    check_champion_is_honest,
    collect_annotated,
    find_moved_recordings,
)
from .decoder_steps import choose_checker, choose_labeler
from .edited_files import edits_explained
from .held_out_check import check_held_out_sets
from .mixture_forecast import check_mixture
from .novelty import check_new_audio
from .plan import Plan
from .preflight import (
    RoundInputs,
    check_awaiting_approval,
    list_held_out_sets,
    prepare_round,
)
from .reference_check import check_references
from .report_reuse import evaluate_or_reuse
from .run_folder import Round, RunFolder, load_round, round_number
from .speechless_steps import find_speechless_clips
from .stage_runner import StageRunner
from .stage_table import CHAMPION, REPORT, UNTOUCHED
from .steps import RoundSteps
from .training_steps import average_trainings, fine_tune_each
from .voice_steps import train_and_synthesize

P = ParamSpec("P")
R = TypeVar("R")

log = logging.getLogger(__name__)


def run_round(
    plan: Plan, run_folder: RunFolder, inputs: RoundInputs, run_stage: StageRunner
) -> Round:
    """Run one round: label, filter, train voices, synthesize, mix, fine-tune, evaluate, judge."""
    steps = RoundSteps(plan=plan, run_folder=run_folder, inputs=inputs, run_stage=run_stage)

    # How good are the models that exist before this round?
    untouched = steps.evaluate(steps.base, stage=UNTOUCHED)
    check_references(plan, untouched)
    champion = steps.evaluate(steps.champion.checkpoint, stage=CHAMPION)
    references = steps.evaluate_references()

    # Unlabeled audio -> pseudo-labels -> the labels that can be trusted.
    pool = steps.scan()
    labeler = choose_labeler(steps, pool)
    pseudo_labels = steps.transcribe(pool, labeler)
    texts = steps.select_texts(pseudo_labels)
    filtered_labels = steps.filter_labels(pseudo_labels, texts, labeler)
    check_mixture(steps, filtered_labels, texts)

    # Trusted labels -> voices -> synthetic speech that the champion understands.
    checker = choose_checker(steps, pool, labeler)
    voiced = [
        train_and_synthesize(steps, voice, filtered_labels, texts, checker) for voice in plan.voices
    ]
    synthetic = [speech for speech in voiced if speech]  # a voice that failed its trial gave None

    # Filtered labels, synthetic and replayed speech, clips without speech -> a candidate.
    start = steps.champion.checkpoint if plan.start == "champion" else steps.base
    speechless = find_speechless_clips(steps, filtered_labels)
    mixture = steps.mix(filtered_labels, [*synthetic, *speechless])
    training_set, augmentation = steps.pack_and_augment(mixture, start)
    trainings = fine_tune_each(steps, start, training_set, augmentation)
    candidate = average_trainings(steps, trainings)

    # May the candidate replace the champion?
    report = steps.evaluate(candidate, stage=REPORT)
    steps.judge(
        untouched=untouched,
        champion=champion,
        candidate=report,
        references=references,
        candidate_weights=candidate,
    )
    return load_round(inputs.folder)


def run_in_process(stage: Callable[P, R], /) -> Callable[P, R]:
    """Return the stage unchanged, so that it runs in this process."""
    return stage


def refine(plan: Plan, run: Path | str, run_stage: StageRunner = run_in_process) -> Iterator[Round]:
    """Run rounds until `plan.rounds` are finished, and yield each, finished ones included.

    Stops early, with a warning in the log, if there is nothing new to train on or if a candidate
    awaits approval.

    Args:
        plan: What to run, from `load`.
        run: Folder of the run. It is made if it does not exist, and resumed if it does.
        run_stage: How each stage is run; Prefect passes one that makes it a task.

    Raises:
        BusyError: Another process works on this run.
        TwisterError: Whatever `preflight.prepare_round` raises.
    """
    run_folder = RunFolder.open(run)
    # While a round is in progress, `next_round` prunes when it is finished.
    if run_folder.unfinished_pruning.exists() and not run_folder.in_progress:
        with run_folder.locked():
            run_folder.prune(plan.keep)
    yield from (load_round(folder) for folder in run_folder.finished_rounds[: plan.rounds])
    while len(run_folder.finished_rounds) < plan.rounds:
        try:
            yield next_round(plan, run, run_stage)
        except (NothingNew, AwaitingApproval) as reason:
            log.warning("%s", reason)
            return


def next_round(plan: Plan, run: Path | str, run_stage: StageRunner = run_in_process) -> Round:
    """Finish the round in progress, or run the next one.

    Raises:
        BusyError: Another process works on this run.
        TwisterError: Whatever `preflight.prepare_round` raises.
    """
    # Cluster workers have another working directory, so a relative path would not be found there.
    run_folder = RunFolder.open(Path(run).absolute() if plan.cluster else run)
    with run_folder.locked():
        return _prepare_and_run(plan, run_folder, run_stage)


def retrain(plan: Plan, run: Path | str, run_stage: StageRunner = run_in_process) -> Round:
    """Do as `next_round`, if a round is in progress or the pool has enough new audio.

    `plan.new_audio` says how much is enough. Files modified within its last `settled` seconds are
    left for the next call.

    Raises:
        NothingNew: There is less new audio than that.
    """
    settled = plan.new_audio.settled
    plan = replace(plan, pool=tuple(corpus.excluding_recent_files(settled) for corpus in plan.pool))
    run_folder = RunFolder.open(run)
    with run_folder.locked():
        if not run_folder.in_progress:
            check_awaiting_approval(run_folder)
            check_new_audio(plan, run_folder)
        return _prepare_and_run(plan, run_folder, run_stage)


def evaluate(plan: Plan, run: Path | str, run_stage: StageRunner = run_in_process) -> Report:
    """Evaluate the champion on the plan's current sets, into the next `evaluation-NN/`.

    Raises:
        ConfigError: A held-out set cannot be used.
        LeakError: The champion has learned from recordings of one.
    """
    run_folder = RunFolder.read(run)
    with run_folder.locked():
        check_nothing_half_removed(run_folder.path)
        folder = run_folder.next_evaluation()
        sets = list_held_out_sets(plan, folder)
        check_held_out_sets(plan, sets)
        moved = find_moved_recordings(sets, run_folder)
        check_champion_is_honest(plan, run_folder, {**moved, **collect_annotated(plan).held_out})
        with edits_explained(plan.path, run_folder.path):
            return evaluate_or_reuse(
                plan=plan,
                run_folder=run_folder,
                recognizer=plan.asr,
                checkpoint=run_folder.champion or plan.asr.initial_checkpoint(),
                sets=sets,
                run_stage=run_stage,
                out=REPORT.path(folder),
            )


def _prepare_and_run(plan: Plan, run_folder: RunFolder, run_stage: StageRunner) -> Round:
    run = run_folder.path
    with full_disk_as_space_error(run), edits_explained(plan.path, run):
        inputs = prepare_round(plan, run_folder)
        champion = run_folder.champion_folder
        log.info(
            "round %d in %s, champion: %s; training starts from the %s weights",
            round_number(inputs.folder),
            inputs.folder,
            f"the candidate of round {round_number(champion)}"
            if champion
            else "the untouched model",
            plan.start,
        )
        # Before the round is finished: a kill between its verdict and `prune` must not be
        # forgotten.
        run_folder.unfinished_pruning.touch()
        finished = run_round(plan, run_folder, inputs, run_stage)
    run_folder.note_champion()
    if freed := run_folder.prune(plan.keep):
        log.info("pruned old rounds, freed %.2f GB", freed / 1e9)
    return finished
