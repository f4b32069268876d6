"""Records of a comparison: what every arm was trained on, and how it scores."""

from __future__ import annotations

from dataclasses import dataclass

from ...core.artifacts import JsonRecord
from ...core.tallies import Tally
from ...core.types import ErrorCount, Measure, Score, Share, TermCount
from ...evaluation.evidence import Decoding
from .arms import CompareOptions
from .intervals import ArmDifference, GapShare


@dataclass(frozen=True)
class ArmScore:
    """Result of one arm on one test set in one decoding, over all seeds."""

    arm: str
    set_name: str
    decoding: Decoding
    utterances: int
    measure: Measure
    """Measure of the set; differences, shares and rates by seed are by it."""
    errors: dict[Measure, ErrorCount]
    """Errors by every measure, added over the seeds."""
    rate_by_seed: tuple[Share, ...]
    """Error rate of every seed that was trained; one for the untouched model."""
    term_count: TermCount | None = None
    """Recall of key terms and errors on other words, added over the seeds; None if the plan names
    no terms."""
    change: ArmDifference | None = None
    """Change from the untouched model to this arm; None for the untouched model itself."""
    full_loop_difference: ArmDifference | None = None
    """Full loop minus this arm; None for the full loop itself, and without one."""
    gap_closed: GapShare | None = None
    """Share of the gap between untouched model and supervised arm that this arm closes; None
    without a supervised arm, and if that is not shown to be better."""


@dataclass(frozen=True)
class SeedTraining:
    """Training data of one arm with one seed, in the round of the model that is measured."""

    seed: int
    """Seed of the plan."""
    mixture: dict[str, Tally]
    """Clips and seconds in the mixture by origin; a clip that is taken twice counts twice."""
    near_twins: dict[str, int]
    """Utterances or texts that were dropped as near twins of a held-out text, by origin."""
    updates: int | None = None
    """Updates of the weights between the untouched model and the measured one; None if the
    recognizer logs none."""
    updates_in_total: int | None = None
    """Updates of all trainings in all rounds together."""
    label_errors: ErrorCount | None = None
    """Errors of the pseudo-labels in the mixture against the references of the pool, where there
    are some; None without any."""

    @property
    def total(self) -> Tally:
        """Clips and seconds of the whole mixture."""
        return sum(self.mixture.values(), Tally())


@dataclass(frozen=True)
class ArmTraining:
    """Training data of one arm."""

    arm: str
    rounds: int
    seeds: tuple[SeedTraining, ...]
    """One for every seed that was trained."""


@dataclass(frozen=True)
class ArmRound:
    """One round of an arm with several rounds."""

    arm: str
    number: int
    scores: tuple[Score, ...]
    """Scores on the test sets."""
    trial_rates: dict[str, Share]
    """Character error rate of every voice's trial."""
    kept_share: Share
    """Share of the pool whose pseudo-labels pass the filters."""
    label_measure: Measure | None = None
    """Measure of the pseudo-labels' errors; None without references of the pool."""
    label_errors: ErrorCount | None = None
    """Errors of the pseudo-labels; None without references of the pool."""


@dataclass(frozen=True)
class RoundScore:
    """Result of one round of an arm on one test set in one decoding, over all seeds."""

    arm: str
    number: int
    """Number of the round, from 1."""
    set_name: str
    decoding: Decoding
    measure: Measure
    rate_by_seed: tuple[Share, ...]
    change: ArmDifference
    """Change from the untouched model to this round."""
    change_from_first: ArmDifference | None = None
    """Change from the first round to this one, on the same utterances; None for the first."""

    @property
    def rate(self) -> Share:
        """Mean error rate of the seeds."""
        return sum(self.rate_by_seed) / len(self.rate_by_seed)


@dataclass(frozen=True)
class ArmFailure:
    """Training that ended with an error; the other arms go on without it."""

    arm: str
    seed: int
    reason: str

    def __str__(self) -> str:
        return f"{self.arm}, seed {self.seed}: {self.reason}"


@dataclass(frozen=True)
class Comparison(JsonRecord):
    """Results of all arms."""

    options: CompareOptions
    trainings: tuple[ArmTraining, ...]
    rows: tuple[ArmScore, ...]
    rounds: tuple[ArmRound, ...]
    failures: tuple[ArmFailure, ...]
    notes: tuple[str, ...]
    """Sentences that belong below the tables: what the figures do not say."""
    label_measure: Measure | None = None
    """Measure of the errors of pseudo-labels; None without references of the pool."""
    round_scores: tuple[RoundScore, ...] = ()
    """Scores after every round of the arms with several."""
