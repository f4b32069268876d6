"""Simulation of `twister compare`: how often arms of equal truth are called different.

python benchmarks/comparisons.py [--trials 1000]

Test sets have references of 1 + negative binomial words (mean 9.5) and error rates near 14 %. Arms
share 70 % of the luck by word, differ by utterance, and are trained with seeds whose luck moves the
error rate by about a point on 84 utterances. The intervals are those of the package. "Before" is
the percentile bootstrap over utterances with all their seeds; it leaves out the luck of training.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import NormalDist, median

import numpy as np

from twister_loop.core.types import ErrorCount
from twister_loop.evaluation import metrics
from twister_loop.pipeline.experiments.intervals import (
    ArmErrors,
    estimate_difference,
    estimate_gap_share,
)

ERROR_RATE = 0.14
SHARED_LUCK = 0.7
"""Share of the variance by word that all models have in common."""
UTTERANCE, ARM_BY_UTTERANCE, ARM_BY_SPEAKER = 0.8, 0.3, 0.2
"""Standard deviations of effects on the latent scale, where luck by word has 1."""
GAP = 0.066
"""Points between the untouched model and the ceiling, as on the Italian prompts."""


@dataclass(frozen=True)
class Luck:
    """Luck of training: what differs between two seeds of one arm."""

    name: str
    whole_model: float = 0.0
    """Standard deviation of an error rate over seeds, on any number of utterances."""
    by_word: float = 0.0
    """Share of the variance by word that changes with the seed, up to 1 - `SHARED_LUCK`."""
    other_arm: float | None = None
    """`whole_model` of every second arm, where it differs."""


LUCKS = (
    Luck("whole model", whole_model=0.010, by_word=0.02),
    Luck("both", whole_model=0.006, by_word=0.15),
    Luck("by word", by_word=0.15),
    Luck("unequal", whole_model=0.003, other_arm=0.015, by_word=0.05),
)


@dataclass(frozen=True)
class TestSet:
    """References, and what all models have in common on them."""

    lengths: np.ndarray
    """Words of every utterance, shape (utterances,)."""
    speakers: np.ndarray
    """Speaker of every utterance, shape (utterances,)."""
    word_luck: np.ndarray
    """Difficulty of every word for all models, shape (words,)."""

    @classmethod
    def draw(cls, rng: np.random.Generator, utterances: int, speakers: int) -> TestSet:
        """Draw a test set."""
        lengths = 1 + rng.negative_binomial(2, 2 / (2 + 8.5), utterances)
        by_utterance = np.repeat(rng.normal(0, UTTERANCE, utterances), lengths)
        luck = np.sqrt(SHARED_LUCK) * rng.normal(size=lengths.sum()) + by_utterance
        return cls(lengths, np.arange(utterances) % speakers, luck)

    def recognize(
        self, rng: np.random.Generator, rate: float, luck: Luck, seeds: int, arm: int = 0
    ) -> ArmErrors:
        """Draw the errors of an arm whose true error rate is `rate`; no seeds is no training."""
        words = len(self.word_luck)
        many_speakers = len(set(self.speakers)) == len(self.lengths)
        by_speaker = rng.normal(0, 0 if many_speakers else ARM_BY_SPEAKER, len(self.lengths))
        effect = rng.normal(0, ARM_BY_UTTERANCE, len(self.lengths)) + by_speaker[self.speakers]
        of_arm = np.sqrt(1 - SHARED_LUCK - luck.by_word) * rng.normal(size=words)
        difficulty = self.word_luck + of_arm + np.repeat(effect, self.lengths)
        variance = 1 + UTTERANCE**2 + ARM_BY_UTTERANCE**2
        variance += 0 if many_speakers else ARM_BY_SPEAKER**2
        spread = luck.whole_model if arm % 2 == 0 or luck.other_arm is None else luck.other_arm
        utterance_of_word = np.repeat(np.arange(len(self.lengths)), self.lengths)
        errors = []
        for _ in range(max(seeds, 1)):
            own = np.sqrt(luck.by_word) * rng.normal(size=words)
            drawn_rate = min(max(rate + rng.normal(0, spread if seeds else 0), 0.005), 0.9)
            limit = NormalDist().inv_cdf(drawn_rate) * np.sqrt(variance)
            wrong = difficulty + own < limit
            errors.append(np.bincount(utterance_of_word, wrong, len(self.lengths)))
        return ArmErrors(np.array(errors), self.lengths, is_trained=seeds > 0)

    @property
    def groupings(self) -> list[np.ndarray]:
        """Return the utterances, and the speakers."""
        return [np.arange(len(self.lengths)), self.speakers]


def called_different_before(first: ArmErrors, second: ArmErrors, seed: int) -> bool:
    """Return whether the percentile bootstrap over utterances, as it was before, excludes zero."""
    # Utterances were drawn with all their seeds, so the sums over seeds give the same draws.
    counts = [
        [
            ErrorCount(substitutions=int(wrong), hits=len(arm.errors) * int(length) - int(wrong))
            for wrong, length in zip(arm.errors.sum(axis=0), arm.lengths, strict=True)
        ]
        for arm in (first, second)
    ]
    drawn = metrics.paired_bootstrap(counts[0], counts[1], seed, resamples=1000)
    low, high = metrics.percentile_interval_95(drawn)
    return low > 0 or high < 0


def tabulate_equal_arms(rng: np.random.Generator, trials: int) -> Iterator[str]:
    """Yield a table of how often two arms of equal truth are called different."""
    yield "| luck | speakers | utterances | seeds | sd of seeds (points) | before | now |"
    yield "|---|---|---|---|---|---|---|"
    sizes = [*((84, seeds) for seeds in (1, 2, 3, 5)), (500, 1), (500, 3)]
    cells = [(luck, n, n, seeds) for luck in LUCKS for n, seeds in sizes]
    cells += [(LUCKS[1], 200, 5, seeds) for seeds in (1, 3)]
    for luck, utterances, speakers, seeds in cells:
        before = now = 0
        spreads = []
        for trial in range(trials):
            test_set = TestSet.draw(rng, utterances, speakers)
            arms = [test_set.recognize(rng, ERROR_RATE, luck, seeds, arm) for arm in range(2)]
            spreads += [arm.rates.var(ddof=1) for arm in arms] if seeds > 1 else []
            before += called_different_before(arms[0], arms[1], trial)
            now += estimate_difference(arms[0], arms[1], test_set.groupings).is_shown
        between = f"{100 * np.sqrt(np.mean(spreads)):.2f}" if spreads else ""
        speaker_label = speakers if speakers < utterances else "one each"
        yield (
            f"| {luck.name} | {speaker_label} | {utterances} | {seeds} | {between} | "
            f"{before / trials:.1%} | {now / trials:.1%} |"
        )


def tabulate_power(rng: np.random.Generator, trials: int) -> Iterator[str]:
    """Yield a table of how often a true difference is shown."""
    yield "| luck of training | utterances | seeds | 1 point | 2 points | 4 points |"
    yield "|---|---|---|---|---|---|"
    for luck in LUCKS[1:2]:
        for utterances, seeds in ((84, 3), (84, 5), (84, 10), (500, 3), (500, 5)):
            shown = Counter[int]()
            for points in (1, 2, 4):
                for _ in range(trials):
                    test_set = TestSet.draw(rng, utterances, utterances)
                    worse, better = (
                        test_set.recognize(rng, ERROR_RATE - gain, luck, seeds)
                        for gain in (0, points / 100)
                    )
                    difference = estimate_difference(better, worse, test_set.groupings)
                    shown[points] += difference.is_shown and difference.rate < 0
            shares = " | ".join(f"{shown[points] / trials:.0%}" for points in (1, 2, 4))
            yield f"| {luck.name} | {utterances} | {seeds} | {shares} |"


def tabulate_families(rng: np.random.Generator, trials: int) -> Iterator[str]:
    """Yield how often any of seven arms of equal truth is called different from the full loop."""
    any_different = 0
    for _ in range(trials):
        test_set = TestSet.draw(rng, 84, 84)
        full_loop, *arms = (
            test_set.recognize(rng, ERROR_RATE, LUCKS[1], seeds=3) for _ in range(8)
        )
        any_different += any(
            estimate_difference(full_loop, arm, test_set.groupings).is_shown for arm in arms
        )
    yield (
        "Any of 7 arms of equal truth called different from the full loop, 84 utterances, "
        f"3 seeds: {any_different / trials:.1%}"
    )


def tabulate_shares(rng: np.random.Generator, trials: int) -> Iterator[str]:
    """Yield a table of how often the interval of a share of the gap holds the true share."""
    yield "| utterances | seeds | true share | not known | interval holds it | median interval |"
    yield "|---|---|---|---|---|---|"
    for utterances, seeds in ((84, 3), (500, 3)):
        for true_share in (0.0, 0.5, 1.0):
            shares = []
            for _ in range(trials):
                test_set = TestSet.draw(rng, utterances, utterances)
                untouched = test_set.recognize(rng, ERROR_RATE, LUCKS[1], seeds=0)
                ceiling = test_set.recognize(rng, ERROR_RATE - GAP, LUCKS[1], seeds)
                rate = ERROR_RATE - true_share * GAP
                arm = test_set.recognize(rng, rate, LUCKS[1], seeds)
                shares.append(estimate_gap_share(arm, untouched, ceiling, test_set.groupings))
            intervals = [share for share in shares if share]
            held = sum(share.low <= true_share <= share.high for share in intervals)
            low, high = (
                median(getattr(share, end) for share in intervals) for end in ("low", "high")
            )
            yield (
                f"| {utterances} | {seeds} | {true_share:.0%} | "
                f"{1 - len(intervals) / trials:.1%} | {held / len(intervals):.1%} | "
                f"{low:.0%} to {high:.0%} |"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=1000)
    trials = parser.parse_args().trials
    for tabulate in (tabulate_equal_arms, tabulate_power, tabulate_families, tabulate_shares):
        for line in tabulate(np.random.default_rng(0), trials):
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()
        sys.stdout.write("\n")


if __name__ == "__main__":
    main()
