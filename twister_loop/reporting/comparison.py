"""Tables of a comparison, as they are printed and written to `comparison.md`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path

from ..core.terminal import printable
from ..evaluation.measures import ABBREVIATIONS
from ..evaluation.scoreboard import MEASURES
from ..pipeline.experiments.arms import FULL_LOOP, SUPERVISED, UNTOUCHED
from ..pipeline.experiments.comparison import (
    ArmRound,
    ArmScore,
    ArmTraining,
    Comparison,
    RoundScore,
    SeedTraining,
)
from ..pipeline.experiments.intervals import ArmDifference, GapShare
from .decodings import DECODING_NAMES, format_rate
from .term_tables import NO_TERMS, format_proportion

TABLE = "comparison.md"
"""File with the tables, beside `comparison.json`."""
UNKNOWN = "not known"


def write_comparison(comparison: Comparison, folder: Path) -> str:
    """Write the tables of a comparison into its folder, and return them."""
    # Names of sets and reasons of failures may hold what a terminal would obey.
    tables = printable("\n".join(_lines(comparison)))
    (folder / TABLE).write_text(f"{tables}\n", encoding="utf-8")
    return tables


def _lines(comparison: Comparison) -> Iterator[str]:
    """Yield the lines of all tables, and of the sentences below them."""
    yield "### Training\n"
    yield from _training_table(comparison)
    # The rows of a comparison are sorted by decoding and set.
    for (decoding, set_name), group in groupby(
        comparison.rows, lambda row: (row.decoding, row.set_name)
    ):
        rows = list(group)
        yield f"### {set_name}, {DECODING_NAMES[decoding]} ({rows[0].utterances} utterances)\n"
        yield from _score_table(rows)
    for (decoding, set_name), scores in groupby(
        sorted(comparison.round_scores, key=lambda score: (score.decoding, score.set_name)),
        lambda score: (score.decoding, score.set_name),
    ):
        yield f"### Rounds of all seeds on {set_name}, {DECODING_NAMES[decoding]}\n"
        yield from _round_score_table(list(scores))
    if comparison.rounds:
        yield "### Rounds of the first seed\n"
        yield from _round_table(comparison.rounds)
    for failure in comparison.failures:
        yield f"Not trained: {failure}\n"
    for note in comparison.notes:
        yield f"{note}\n"


def _training_table(comparison: Comparison) -> Iterator[str]:
    """Yield the lines of the table of what every arm was trained on."""
    header = ["arm", "seeds", "updates of the model", "of all rounds", "clips", "hours", "of these"]
    header.append("near twins of held-out texts dropped")
    measure = comparison.label_measure
    if measure:
        header.append(f"{ABBREVIATIONS[measure]} of its labels, %")

    def cells(training: ArmTraining) -> Iterator[str]:
        seeds = training.seeds
        yield training.arm
        yield str(len(seeds))
        yield _range(seed.updates for seed in seeds)
        yield _range(seed.updates_in_total for seed in seeds)
        yield _range(seed.total.utterances for seed in seeds)
        yield _range((seed.total.duration / 3600 for seed in seeds), ".2f")
        yield ", ".join(_count_by_origin(seeds))
        yield ", ".join(_count_near_twins(seeds)) or "0"
        if measure:
            rates = [100 * seed.label_errors.rate for seed in seeds if seed.label_errors]
            yield _range(rates, ".2f") if rates else ""

    yield from _table(header, (list(cells(training)) for training in comparison.trainings))


def _count_by_origin(seeds: Sequence[SeedTraining]) -> Iterator[str]:
    """Yield the number of clips of every origin, as a range over the seeds."""
    for origin in dict.fromkeys(origin for seed in seeds for origin in seed.mixture):
        counts = (
            seed.mixture[origin].utterances if origin in seed.mixture else 0 for seed in seeds
        )
        yield f"{_range(counts)} {origin}"


def _count_near_twins(seeds: Sequence[SeedTraining]) -> Iterator[str]:
    """Yield the number of dropped near twins of every origin, as a range over the seeds."""
    for origin in dict.fromkeys(origin for seed in seeds for origin in seed.near_twins):
        yield f"{_range(seed.near_twins.get(origin, 0) for seed in seeds)} {origin}"


def _score_table(rows: Sequence[ArmScore]) -> Iterator[str]:
    """Yield the lines of the table of one set in one decoding."""
    own = ABBREVIATIONS[rows[0].measure]
    arms = {row.arm for row in rows}
    header = ["arm", *(f"{ABBREVIATIONS[measure]} %" for measure in MEASURES)]
    header.append(f"change of {own}, points (95 %)")
    if SUPERVISED in arms:
        header.append("gap closed (95 %)")
    if FULL_LOOP in arms:
        header.append("full loop minus arm (95 %)")
    header.append(f"{own} % by seed")
    has_terms = any(row.term_count for row in rows)
    if has_terms:
        header += ["terms recalled, all seeds", "errors on other words, %"]

    def cells(row: ArmScore) -> Iterator[str]:
        yield row.arm
        yield from (f"{100 * row.errors[measure].rate:.2f}" for measure in MEASURES)
        yield _format_difference(row.change)
        if SUPERVISED in arms:
            yield "" if row.arm == UNTOUCHED else _format_share(row.gap_closed)
        if FULL_LOOP in arms:
            yield _format_difference(row.full_loop_difference)
        yield " ".join(f"{100 * rate:.2f}" for rate in row.rate_by_seed)
        if has_terms:
            yield from _term_cells(row)

    yield from _table(header, (list(cells(row)) for row in rows))


def _term_cells(row: ArmScore) -> tuple[str, str]:
    if row.term_count is None or not row.term_count.recall.total:
        return NO_TERMS, ""
    recall = format_proportion(row.term_count.recall)
    return recall, format_rate(row.term_count.others, row.measure)


def _format_difference(difference: ArmDifference | None) -> str:
    if difference is None:
        return ""
    points = f"{100 * difference.rate:+.2f}"
    # Without an interval the number alone would read as a result.
    if difference.low is None or difference.high is None:
        return f"{points} (interval {UNKNOWN})"
    interval = f"({100 * difference.low:+.2f} to {100 * difference.high:+.2f})"
    return f"{points} {interval}{'' if difference.is_shown else ': not shown'}"


def _format_share(share: GapShare | None) -> str:
    """Return a share with its interval.

    >>> _format_share(GapShare(0.544, low=0.281, high=0.75))
    '54 % (28 to 75 %)'
    >>> _format_share(None)
    'not known'
    """
    if share is None:
        return UNKNOWN
    if share.low == share.high:  # the ceiling itself
        return f"{share.share:.0%}".replace("%", " %")
    return f"{100 * share.share:.0f} % ({100 * share.low:.0f} to {100 * share.high:.0f} %)"


def _round_score_table(scores: Sequence[RoundScore]) -> Iterator[str]:
    """Yield the lines of the table of error rates after every round, on one set."""
    measure = ABBREVIATIONS[scores[0].measure]
    header = ["arm", "round", f"{measure} %", f"change of {measure}, points (95 %)"]
    header += ["change from the first round (95 %)", f"{measure} % by seed"]
    yield from _table(
        header,
        (
            [
                score.arm,
                str(score.number),
                f"{100 * score.rate:.2f}",
                _format_difference(score.change),
                _format_difference(score.change_from_first),
                " ".join(f"{100 * rate:.2f}" for rate in score.rate_by_seed),
            ]
            for score in scores
        ),
    )


def _round_table(rounds: Sequence[ArmRound]) -> Iterator[str]:
    """Yield the lines of the table of all rounds of the arms with several."""
    header = ["arm", "round", "error rate, %", "pseudo-labels, %", "CER of voice trial"]
    header.append("kept of pool")
    yield from _table(header, (list(_round_cells(arm_round)) for arm_round in rounds))


def _round_cells(arm_round: ArmRound) -> Iterator[str]:
    yield arm_round.arm
    yield str(arm_round.number)
    yield ", ".join(
        f"{score.name} {format_rate(score.count(), score.measure)}" for score in arm_round.scores
    )
    errors, measure = arm_round.label_errors, arm_round.label_measure
    yield format_rate(errors, measure) if errors and measure else ""
    yield ", ".join(f"{name} {rate:.2f}" for name, rate in arm_round.trial_rates.items())
    yield f"{100 * arm_round.kept_share:.0f} %"


def _range(numbers: Iterable[float | None], form: str = ",") -> str:
    """Return the smallest and the largest of some numbers, or the one that they all are.

    >>> _range([1108, 1112]), _range([60, 60]), _range([None])
    ('1,108-1,112', '60', 'not known')
    """
    # Seeds may differ in their voices and so in their clips: both ends, and no mean.
    known = [number for number in numbers if number is not None]
    if not known:
        return UNKNOWN
    return "-".join(dict.fromkeys(f"{number:{form}}" for number in (min(known), max(known))))


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(header)} |"
    yield "|---" * len(header) + "|"
    for row in rows:
        # A bar would begin another cell.
        cells = (cell.replace("|", "\\|") for cell in row)
        yield f"| {' | '.join(cells)} |"
    yield ""
