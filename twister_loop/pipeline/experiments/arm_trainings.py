"""Training data of all arms of a comparison, counted from the folders of their rounds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from ...core.manifest import Manifest
from ...core.tallies import Funnel, MixtureContents, Tally
from ...core.types import ErrorCount, Measure, Report
from ...evaluation.trials import VoiceTrial
from ..plan import Plan
from ..run_folder import RunFolder
from ..stage_table import (
    FILTERED_LABELS,
    FILTERED_REPLAY,
    MIXTURE,
    POOL,
    PSEUDO_LABELS,
    REPORT,
    TEXTS,
    VOICE_TRIAL,
    find_trainings,
)
from ..stages.filtering import HELD_OUT_TEXT, REJECTED
from .comparison import ArmRound, SeedTraining
from .kept_references import count_label_errors

TRAINING_LOG = "training.jsonl"
"""File of a trained model with one line for every update."""


def count_training(
    arm: Plan, run: Path, references: Manifest | None, measure: Measure | None
) -> SeedTraining:
    """Count what an arm was trained on with one seed, in the last of its rounds.

    Args:
        arm: Plan of the arm with its seed.
        run: Folder of its run, which is finished.
        references: References of the pool; None without any.
        measure: Measure of the errors of pseudo-labels.
    """
    rounds = RunFolder.read(run).finished_rounds
    trainings = [find_trainings(round_folder) for round_folder in rounds]
    # Trainings that are averaged have begun at the same weights, and have equally many updates.
    updates = [_count_updates(training) for training, *_ in trainings]
    # A model that continues its champion has had the updates of all rounds before.
    lineage = updates if arm.start == "champion" else updates[-1:]
    return SeedTraining(
        seed=arm.seed,
        updates=_sum_known(lineage),
        updates_in_total=_sum_known(
            [_count_updates(training) for of_round in trainings for training in of_round]
        ),
        # Of the last round alone: it made the weights that are measured.
        mixture=(mixture := _count_mixture(rounds[-1])),
        near_twins=_count_near_twins(arm, rounds[-1]),
        label_errors=(
            count_label_errors(
                Manifest.load(FILTERED_LABELS.path(rounds[-1])), references, arm.normalizer, measure
            )
            if references and measure and "pseudo" in mixture
            else None
        ),
    )


def _count_updates(training: Path) -> int | None:
    """Return the number of updates that a training logged; None if it has no log."""
    # Counted and not taken from the plan: what was planned is what is to be checked.
    log = training / TRAINING_LOG
    return len(log.read_bytes().splitlines()) if log.is_file() else None


def _sum_known(updates: Sequence[int | None]) -> int | None:
    # A part of a sum would pass for the whole.
    known = [count for count in updates if count is not None]
    return sum(known) if len(known) == len(updates) else None


def _count_mixture(round_folder: Path) -> dict[str, Tally]:
    """Return the clips and seconds that a mixture has taken, by origin."""
    by_origin: dict[str, Tally] = {}
    for source in MixtureContents.load(MIXTURE.path(round_folder)).sources:
        if source.taken.utterances:
            by_origin[source.origin] = by_origin.get(source.origin, Tally()) + source.taken
    return by_origin


def _count_near_twins(arm: Plan, round_folder: Path) -> dict[str, int]:
    """Return how many near twins of held-out texts an arm has dropped, by origin."""
    # Labels are filtered in every arm, also where none of them is trained on.
    weights = {"human": arm.mix.human, "pseudo": arm.mix.pseudo}
    dropped = Counter(
        str(utterance.origin)
        for utterance in Manifest.load(FILTERED_LABELS.path(round_folder) / REJECTED)
        if utterance.rejected_by == HELD_OUT_TEXT and weights.get(utterance.origin)
    )
    for origin, folder, is_used in (
        ("texts", TEXTS.path(round_folder), bool(arm.voices)),
        ("replay", FILTERED_REPLAY.path(round_folder), bool(arm.replay)),
    ):
        # Texts are selected in every round, also where no voice speaks them.
        if is_used and folder.is_dir():
            tally = Funnel.load(folder).rejected.get(HELD_OUT_TEXT, Tally())
            dropped[origin] = tally.utterances
    return {origin: count for origin, count in sorted(dropped.items()) if count}


def describe_rounds(
    name: str, arm: Plan, run: Path, references: Manifest | None, measure: Measure | None
) -> Iterator[ArmRound]:
    """Yield every round of an arm with several rounds."""
    if arm.rounds == 1:
        return
    for number, round_folder in enumerate(RunFolder.read(run).finished_rounds, 1):
        report = Report.load(REPORT.path(round_folder))
        pool = len(Manifest.load(POOL.path(round_folder)))
        filtered = len(Manifest.load(FILTERED_LABELS.path(round_folder)))
        label_errors: ErrorCount | None = None
        if references and measure:
            labels = Manifest.load(PSEUDO_LABELS.path(round_folder))
            label_errors = count_label_errors(labels, references, arm.normalizer, measure)
        yield ArmRound(
            arm=name,
            number=number,
            scores=tuple(score for score in report.scores if score.kind == "test"),
            label_measure=measure,
            label_errors=label_errors,
            trial_rates={
                folder.parent.name: trial.characters.rate
                for folder in sorted(round_folder.glob(VOICE_TRIAL.folder.format(voice="*")))
                # A voice that speaks too few texts was not transcribed.
                if (trial := VoiceTrial.load(folder)).characters.length
            },
            kept_share=filtered / pool if pool else 0.0,
        )
