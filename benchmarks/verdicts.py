"""Verdicts over the life of a run, simulated with the real gates.

    python benchmarks/verdicts.py [PART ...] [--runs 1000] [--rounds 50]

Parts are the functions `simulate_...` below, by their last word; without any, all of them. A row
of a table is printed as soon as it is known. To compare with another version of the package, put
its checkout first: `PYTHONPATH=OLD python benchmarks/verdicts.py equal --rounds 10`.

The model: an utterance has 1 + NB words (mean 9.5) and a difficulty of its own. 14 % of the words
are wrong on development sets and 3.5 % on retention sets. 40 % of the words are wrong for all
models or for none, and a candidate keeps the luck of its champion on half of the utterances, so a
model and the one before share 70 % of their luck. With speakers, a model is better or worse on each
one by a factor with a standard deviation of 20 %.
"""

from __future__ import annotations

import argparse
import dataclasses
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import NormalDist

import numpy as np

# Last, so that another version of the package can be put before it by PYTHONPATH.
sys.path.append(str(Path(__file__).parents[1]))

from twister_loop.core.types import Score, SetKind
from twister_loop.evaluation.evidence import Evidence, Outcome
from twister_loop.evaluation.gates._base import Gate
from twister_loop.types import ErrorCount

ERROR_RATES: dict[SetKind, float] = {"development": 0.14, "retention": 0.035}
SHARED = 0.4
"""Share of the words whose luck all models share."""
INHERITED = 0.5
"""Share of the utterances on which a candidate keeps its champion's luck."""
SPEAKER_DEVIATION = 0.2
SIZES = (52, 250, 1000, 2000)
RETENTION_SIZES = {52: 274, 250: 274, 1000: 1000, 2000: 2000}
ALL_GATES = ("significant", "no_regression", "retention", "sane_output")
"""The default gates of a plan; the one that refuses most comes first, to save time."""
LIMIT = 0.01
"""Limit of the gates against losses."""

Ratios = np.ndarray
"""True error rate of each run's model, as a share of the untouched model's; shape (runs,)."""
Errors = np.ndarray
"""Errors of each run's model on every utterance; shape (runs, utterances)."""


class SimulatedSet:
    """A held-out set of every run, with the errors of the untouched model."""

    def __init__(
        self,
        rng: np.random.Generator,
        runs: int,
        utterances: int,
        kind: SetKind = "development",
        speakers: int = 0,
        shared: float = SHARED,
    ) -> None:
        self.rng, self.kind, self.speakers = rng, kind, speakers
        shape = (runs, utterances)
        self.lengths = 1 + rng.negative_binomial(2, 2 / (2 + 8.5), shape)
        # Exponential difficulties: most utterances are easy, some are hard.
        self.rates = np.minimum(ERROR_RATES[kind] * rng.exponential(1.0, shape), 0.9)
        self.own_words = self.lengths - rng.binomial(self.lengths, shared)
        self.shared_errors = rng.binomial(self.lengths - self.own_words, self.rates)
        # Speakers with more and with fewer utterances.
        weights = rng.uniform(0.5, 1.5, max(1, speakers))
        self.speaker_of = rng.choice(len(weights), utterances, p=weights / weights.sum())
        fresh = self.shared_errors + rng.binomial(self.own_words, self.rates)
        self.untouched = self._scale(fresh, np.ones_like(self.rates), self._draw_luck(runs))
        self.tokens = self.lengths.sum(1)

    def make_candidate(self, champion: Errors, was: Ratios, becomes: Ratios) -> Errors:
        """Return the errors of a candidate that was trained from the champion.

        Args:
            champion: Errors of the champion.
            was: True error rate of the champion.
            becomes: True error rate of the candidate.
        """
        keeps_luck = self.rng.random(self.lengths.shape) < INHERITED
        fresh = self.shared_errors + self.rng.binomial(self.own_words, self.rates)
        errors = np.where(keeps_luck, champion, fresh)
        ratio_now = np.where(keeps_luck, was[:, None], 1.0)
        luck = np.where(keeps_luck, 1.0, self._draw_luck(len(was)))
        return self._scale(errors, ratio_now, becomes[:, None] / ratio_now * luck)

    def _draw_luck(self, runs: int) -> np.ndarray:
        """Return the factor of one model's errors on every utterance, equal within a speaker."""
        if not self.speakers:
            return np.ones((runs, 1))
        sigma = SPEAKER_DEVIATION
        luck = self.rng.lognormal(-(sigma**2) / 2, sigma, (runs, self.speakers))
        return luck[:, self.speaker_of]

    def _scale(self, errors: Errors, ratio_now: np.ndarray, factor: np.ndarray) -> Errors:
        """Multiply the expected errors by a factor; all of shape (runs, utterances)."""
        # Fewer errors: each stays by chance. More: insertions, so that the mean is exact.
        remaining = self.rng.binomial(errors, np.minimum(factor, 1.0))
        surplus = np.maximum(factor - 1, 0) * ratio_now * self.rates * self.lengths
        return remaining + self.rng.poisson(surplus) if surplus.any() else remaining

    def outcome(self, name: str, errors: np.ndarray, run: int) -> Outcome:
        """Return the outcome of one run's model, as the gates read it."""
        counts = [
            ErrorCount(
                substitutions=min(wrong, length),
                insertions=max(0, wrong - length),
                hits=max(0, length - wrong),
            )
            for wrong, length in zip(errors[run].tolist(), self.lengths[run].tolist(), strict=True)
        ]
        wrong, length = errors[run], self.lengths[run]
        total = ErrorCount(
            substitutions=int(np.minimum(wrong, length).sum()),
            insertions=int(np.maximum(wrong - length, 0).sum()),
            hits=int(np.maximum(length - wrong, 0).sum()),
        )
        score = Score(
            name=name,
            kind=self.kind,
            decoding="",
            normalizer="basic",
            normalizer_digest="",
            utterances=len(counts),
            duration=1.0,
            words=total,
            characters=total,
            mixed=total,
            raw_words=total,
        )
        # The version before drew utterances below ten speakers, whatever the report held.
        few = "seed" in EVIDENCE_FIELDS and self.speakers < 10
        unit = "speakers" if self.speakers > 1 and not few else "utterances"
        groups = self.speaker_of if unit == "speakers" else range(len(counts))
        return Outcome(score, counts, counts, counts, [*map(str, groups)], resampling_unit=unit)


EVIDENCE_FIELDS = {field.name for field in dataclasses.fields(Evidence)}


@dataclass
class Life:
    """What happened in all runs of a cell; arrays of shape (runs,)."""

    accepted_at: list[np.ndarray] = field(default_factory=list)
    """By round, which runs accepted their candidate."""
    champion_ratios: list[Mapping[str, Ratios]] = field(default_factory=list)
    """By round, the true error rate of the champion on every set, after the verdict."""

    def ever(self, condition: Callable[[Mapping[str, Ratios]], np.ndarray], rounds: int) -> float:
        """Return the share of runs that accepted such a champion in the first rounds."""
        held = [
            accepted & condition(ratios)
            for accepted, ratios in zip(
                self.accepted_at[:rounds], self.champion_ratios[:rounds], strict=True
            )
        ]
        return float(np.logical_or.reduce(held).mean())

    def accepted(self, rounds: int) -> float:
        """Return the share of runs that accepted a candidate in the first rounds."""
        return float(np.logical_or.reduce(self.accepted_at[:rounds]).mean())


def simulate_life(
    sets: Mapping[str, SimulatedSet],
    truth: Callable[[int, Mapping[str, Ratios]], Mapping[str, Ratios]],
    rounds: int,
    gates: Sequence[str] = ALL_GATES,
    *,
    until_accepted: bool = False,
) -> Life:
    """Run rounds of candidates through the gates.

    Args:
        sets: Held-out sets by name.
        truth: From the round and the champion's true error rates by set, those of the candidate.
        rounds: Number of rounds of every run.
        gates: Gates by name; their options are the defaults.
        until_accepted: End a run with its first accepted candidate.
    """
    parts = [Gate.build({"use": name}) for name in gates]
    runs = len(next(iter(sets.values())).untouched)
    champion = {name: held_out.untouched for name, held_out in sets.items()}
    ratios: dict[str, Ratios] = {name: np.ones(runs) for name in sets}
    alive, life = np.ones(runs, bool), Life()
    for look in range(1, rounds + 1):
        wanted = truth(look, ratios)
        candidate = {
            name: held_out.make_candidate(champion[name], ratios[name], wanted[name])
            for name, held_out in sets.items()
        }
        promising = alive & _may_pass(sets, champion, candidate, -1.3)
        if "looks" in EVIDENCE_FIELDS:
            # Near the quantile of this look, which is 1.9 at the first and 4.2 at the fiftieth.
            least = NormalDist().inv_cdf(0.0304 / look**2) + 0.5
            untouched = {name: held_out.untouched for name, held_out in sets.items()}
            promising &= _may_pass(sets, untouched, candidate, least)
        accepted = np.zeros(runs, bool)
        checked = np.flatnonzero(alive & ~promising)[:1]
        for run in [*np.flatnonzero(promising), *checked]:
            evidence = _evidence(sets, champion, candidate, int(run), look)
            accepted[run] = all(gate.objection(evidence) is None for gate in parts)
        # The screening only saves time: the gates themselves refuse what it leaves out.
        assert not accepted[checked].any()
        for name in sets:
            champion[name] = np.where(accepted[:, None], candidate[name], champion[name])
            ratios[name] = np.where(accepted, wanted[name], ratios[name])
        life.accepted_at.append(accepted)
        life.champion_ratios.append(dict(ratios))
        if until_accepted:
            alive &= ~accepted
    return life


def _may_pass(
    sets: Mapping[str, SimulatedSet],
    baseline: Mapping[str, Errors],
    candidate: Mapping[str, Errors],
    quantile: float,
) -> np.ndarray:
    """Return which candidates, of all runs, are better by some standard errors of utterances."""
    names = [name for name, held_out in sets.items() if held_out.kind == "development"]
    differences = np.concatenate([candidate[name] - baseline[name] for name in names], axis=1)
    lengths = np.concatenate([sets[name].lengths for name in names], axis=1)
    change = differences.sum(1) / lengths.sum(1)
    residuals = differences - change[:, None] * lengths
    deviation = np.sqrt(np.square(residuals).sum(1))
    return np.asarray(change * lengths.sum(1) < quantile * deviation)


def _evidence(
    sets: Mapping[str, SimulatedSet],
    champion: Mapping[str, Errors],
    candidate: Mapping[str, Errors],
    run: int,
    look: int,
) -> Evidence:
    def outcomes(errors: Mapping[str, Errors]) -> dict[str, Outcome]:
        return {name: held_out.outcome(name, errors[name], run) for name, held_out in sets.items()}

    untouched = {name: held_out.untouched for name, held_out in sets.items()}
    # Versions before looks were counted drew a bootstrap by a seed.
    more = {"seed": run} if "seed" in EVIDENCE_FIELDS else {"looks": dict.fromkeys(sets, look)}
    before = outcomes(untouched)
    same = all(np.array_equal(champion[name][run], untouched[name][run]) for name in sets)
    return Evidence(before, before if same else outcomes(champion), outcomes(candidate), **more)


def _sets(
    runs: int, utterances: int, seed: int, speakers: int = 0, retention: bool = True
) -> dict[str, SimulatedSet]:
    rng = np.random.default_rng(seed)
    sets = {"dev": SimulatedSet(rng, runs, utterances, speakers=speakers)}
    if retention:
        size = RETENTION_SIZES.get(utterances, utterances)
        sets["english"] = SimulatedSet(rng, runs, size, "retention")
    return sets


def _constant(**by_set: float) -> Callable[[int, Mapping[str, Ratios]], Mapping[str, Ratios]]:
    """Return a truth that is the same in all rounds; sets that are not named stay as they are."""
    return lambda look, ratios: {
        name: np.full_like(ratio, by_set.get(name, 1.0)) for name, ratio in ratios.items()
    }


def _is_no_better(ratios: Mapping[str, Ratios]) -> np.ndarray:
    return np.asarray(ratios["dev"] > 1 - 1e-9)


def simulate_equal(runs: int, rounds: int) -> Iterator[str]:
    """Simulate candidates that are no better than untouched: how many runs ever hold one?"""
    marks = [mark for mark in (1, 3, 10, 50) if mark <= rounds]
    yield _row("utterances", "speakers", "gates", *(f"{mark} rounds" for mark in marks))
    for size, speakers in [(size, 0) for size in SIZES] + [
        (250, 20),
        (250, 5),
        (1000, 20),
        (250, 1),
    ]:
        # With more gates fewer are accepted, so the first one alone shows the most.
        for gates in (
            (ALL_GATES[:1], ALL_GATES) if size < 1000 and not speakers else (ALL_GATES[:1],)
        ):
            # The retention set is left out where no gate reads it.
            sets = _sets(runs, size, size + speakers, speakers, retention=len(gates) > 1)
            life = simulate_life(sets, _constant(), rounds, gates)
            yield _row(
                size,
                speakers or "many",
                "all" if len(gates) > 1 else gates[0],
                *(f"{life.ever(_is_no_better, mark):.1%}" for mark in marks),
            )


def simulate_power(runs: int, rounds: int) -> Iterator[str]:
    """Simulate candidates that are truly better, until one is accepted by all gates."""
    marks = [mark for mark in (1, 3, 10) if mark <= rounds]
    yield _row("utterances", "speakers", "better by", *(f"{mark} rounds" for mark in marks))
    for size, speakers in [(size, 0) for size in SIZES] + [(250, 20), (250, 5), (1000, 5)]:
        for gain in (0.05, 0.1, 0.2):
            sets = _sets(runs, size, size + speakers, speakers)
            life = simulate_life(sets, _constant(dev=1 - gain), max(marks), until_accepted=True)
            yield _row(
                size,
                speakers or "many",
                f"{gain:.0%}",
                *(f"{life.accepted(mark):.0%}" for mark in marks),
            )


def simulate_worsening(runs: int, rounds: int) -> Iterator[str]:
    """Simulate two rounds that are each 5 % better, and then candidates that are not.

    They inherit the luck of the champion. Those that are no better than untouched may never be
    held; those that are only as good as the champion are steps for nothing.
    """
    yield _row("utterances", "then", f"held in {rounds} rounds", "accepted for nothing, a run")
    for size in SIZES[:3]:
        for then in ("as untouched", "as the champion"):

            def truth(
                look: int, ratios: Mapping[str, Ratios], then: str = then
            ) -> Mapping[str, Ratios]:
                dev = ratios["dev"]
                if look <= 2:
                    return {"dev": 0.95 * dev}
                return {"dev": np.ones_like(dev) if then == "as untouched" else dev}

            sets = _sets(runs, size, size, retention=False)
            life = simulate_life(sets, truth, rounds, ALL_GATES[:1])
            idle = np.sum(life.accepted_at[2:], axis=0).mean()
            yield _row(size, then, f"{life.ever(_is_no_better, rounds):.1%}", f"{idle:.2f}")


def simulate_drift(runs: int, rounds: int) -> Iterator[str]:
    """Simulate rounds that each gain 10 % on one development set and lose 4 % on another."""
    rounds = min(rounds, 10)
    yield _row(
        "utterances a set",
        "other set",
        "accepted rounds of 10",
        "ends at",
        "ever over +1.0",
        "ever over +1.5",
    )
    for size, losses in {250: (1.04, 1.0), 1000: (1.04,)}.items():
        for loss in losses:
            rng = np.random.default_rng(size)
            sets = {name: SimulatedSet(rng, runs, size) for name in ("dev", "other")}

            def truth(
                look: int, ratios: Mapping[str, Ratios], loss: float = loss
            ) -> Mapping[str, Ratios]:
                return {"dev": 0.9 * ratios["dev"], "other": loss * ratios["other"]}

            life = simulate_life(sets, truth, rounds)
            rate = ERROR_RATES["development"]
            end = 100 * rate * (life.champion_ratios[-1]["other"] - 1)

            def over(points: float, life: Life = life, rate: float = rate) -> float:
                return life.ever(lambda ratios: rate * (ratios["other"] - 1) > points / 100, rounds)

            yield _row(
                size,
                f"{loss - 1:+.0%} a round",
                f"{np.sum(life.accepted_at, axis=0).mean():.1f}",
                f"{end.mean():+.2f} points",
                f"{over(1.0):.0%}",
                f"{over(1.5):.0%}",
            )


def simulate_calibration(runs: int, rounds: int) -> Iterator[str]:
    """Simulate what is told beforehand: is a gain of the told size found in 80 % of cases?"""
    from twister_loop.evaluation.looks import level_at_look
    from twister_loop.evaluation.power import Sight

    alpha = 1 - level_at_look(0.95, 1)
    yield _row("utterances", "shared luck", "variance an error", "told gain", "found, round 1")
    for size in SIZES:
        for shared, end in ((0.55, 0), (0.0, 1)):
            tokens = round(9.5 * size)
            gain = Sight(tokens, "words", ERROR_RATES["development"]).find_gain(alpha)[end]
            if gain >= 1:
                continue
            rng = np.random.default_rng(size)
            sets = {"dev": SimulatedSet(rng, runs, size, shared=shared)}
            errors = sets["dev"].make_candidate(
                sets["dev"].untouched, np.ones(runs), np.full(runs, 1 - gain)
            )
            differences = errors - sets["dev"].untouched
            mean = differences.sum() / sets["dev"].tokens.sum()
            squares = np.square(differences - mean * sets["dev"].lengths).sum()
            variance = squares / sets["dev"].untouched.sum()
            life = simulate_life(sets, _constant(dev=1 - gain), 1, ALL_GATES[:1])
            yield _row(size, shared, f"{variance:.2f}", f"{gain:.0%}", f"{life.accepted(1):.0%}")


def simulate_words(runs: int, rounds: int) -> Iterator[str]:
    """Simulate undecided verdicts: does the amount of speech that they name decide?"""
    yield _row("gate", "utterances", "true change", "words named (median)", "decided with them")
    runs = min(runs, 1000)
    for gate, size, ratio, which in (
        ("no_regression", 52, 1.0, 1),
        ("no_regression", 250, 1.0, 1),
        ("no_regression", 52, 1 - LIMIT / ERROR_RATES["development"], 0),
        ("significant", 52, 0.9, 1),
        ("significant", 250, 0.9, 1),
        ("significant", 52, 0.8, 0),
    ):
        part, named = Gate.build({"use": gate}), []
        sets = _sets(200, size, size, retention=False)
        ones = np.ones(200)
        errors = {"dev": sets["dev"].make_candidate(sets["dev"].untouched, ones, ratio * ones)}
        for run in range(200):
            evidence = _evidence(sets, {"dev": sets["dev"].untouched}, errors, run, 1)
            objection = part.objection(evidence)
            if objection and objection.undecided:
                numbers = re.search(r"([\d,]+) (?:to|or) ([\d,]+) words", objection.reason)
                assert numbers
                named.append(int(numbers[which + 1].replace(",", "")))
        words = int(np.median(named))
        larger = _sets(runs, round(words / 9.5), words, retention=False)["dev"]
        ones = np.ones(runs)
        again = {"dev": larger.make_candidate(larger.untouched, ones, ratio * ones)}
        decided = sum(
            part.objection(_evidence({"dev": larger}, {"dev": larger.untouched}, again, run, 1))
            is None
            for run in range(runs)
        )
        yield _row(
            gate,
            size,
            f"{100 * (ratio - 1) * ERROR_RATES['development']:+.2f} points",
            f"{words:,}",
            f"{decided / runs:.0%}",
        )


def _row(*cells: object) -> str:
    return "| " + " | ".join(map(str, cells)) + " |"


PARTS = {
    name.removeprefix("simulate_"): function
    for name, function in list(globals().items())
    if name.startswith("simulate_") and name != "simulate_life"
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], help="all if none is named")
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=50)
    options = parser.parse_args()
    for name in options.parts or PARTS:
        _print(f"\n{name}: {options.runs} runs")
        start = time.monotonic()
        for row in PARTS[name](options.runs, options.rounds):
            _print(f"{row}  {time.monotonic() - start:.0f} s")


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    # Rows take minutes, and are read from a file meanwhile.
    sys.stdout.flush()


if __name__ == "__main__":
    main()
