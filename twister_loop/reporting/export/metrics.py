"""Table of all error rates of a run, for spreadsheets and notebooks."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ...core import schema
from ...core.artifacts import write_json
from ...evaluation.measures import ABBREVIATIONS
from ...evaluation.scoreboard import MEASURES
from ...evaluation.term_scores import ModelTerms
from ..decodings import list_decodings
from ..summary import RoundSummary, Summary

TERM_COLUMNS = (
    "terms_recalled",
    "terms",
    "recall_low",
    "recall_high",
    "other_errors",
    "other_tokens",
    "other_low",
    "other_high",
)
"""Columns of key terms: empty if the plan names none, and in rows of another measure."""


def export_metrics(summary: Summary, folder: Path) -> str:
    """Write `metrics.csv` with all error rates, and `metrics.json` with the whole summary.

    Returns:
        A line that says what was written.
    """
    rates = list(rate_rows(summary))
    with (folder / "metrics.csv").open("w", newline="", encoding="utf-8") as file:
        # A run without a finished evaluation gives a table without rows.
        table = csv.DictWriter(file, fieldnames=list(rates[0]) if rates else ["round"])
        table.writeheader()
        table.writerows(rates)
    write_json(schema.to_json_data(summary), folder / "metrics.json")
    return f"metrics: {len(rates)} error rates in {folder / 'metrics.csv'}, all in metrics.json"


def rate_rows(summary: Summary) -> Iterator[dict[str, Any]]:
    """Yield one row for each round, decoding, set, model and measure.

    Rates are shares: 0.1 is 10 %. `low` and `high` are the bounds of the 95 % interval.
    `decoding` is `clip` (own context) or `standard` (30 s windows with timestamps), and
    `own_measure` tells whether the measure is the one that the set is read by. `look` is the number
    of candidates that the run has judged on the set.
    """
    for round_summary in summary.rounds:
        verdict = round_summary.verdict
        for row in _round_rows(round_summary):
            yield {
                "round": round_summary.number,
                "verdict": verdict.outcome if verdict else "",
                **row,
                # Empty for test sets, which judge nothing, and for sets of all of a kind together.
                "look": verdict.looks.get(row["set"], "") if verdict else "",
            }


def _term_columns(counted: ModelTerms | None) -> dict[str, Any]:
    """Return recall of key terms and errors on other words, with intervals."""
    if counted is None:
        return dict.fromkeys(TERM_COLUMNS, "")
    numbers = (
        counted.recall.count,
        counted.recall.total,
        *(round(end, 6) for end in (counted.recall_interval.low, counted.recall_interval.high)),
        counted.others.errors,
        counted.others.length,
        *(round(end, 6) for end in (counted.others_interval.low, counted.others_interval.high)),
    )
    return dict(zip(TERM_COLUMNS, numbers, strict=True))


def _round_rows(round_summary: RoundSummary) -> Iterator[dict[str, Any]]:
    counted_terms = {
        (scores.set_name, scores.decoding): scores for scores in round_summary.term_scores
    }
    for decoded in list_decodings(round_summary):
        for set_name, scores in decoded.scores.items():
            for model, score in scores.items():
                for measure in MEASURES:
                    count = score.count(measure)
                    # Sets of a kind together have no recall of their own.
                    term_score = counted_terms.get((set_name, decoded.decoding))
                    # Other words are counted by the measure that the set is read by.
                    is_own = term_score is not None and measure == score.measure
                    counted = term_score.models.get(model) if term_score and is_own else None
                    interval = decoded.intervals[set_name][model][measure]
                    yield {
                        "decoding": decoded.decoding,
                        "set": set_name,
                        "kind": score.kind,
                        "model": model,
                        "measure": ABBREVIATIONS[measure],
                        "own_measure": measure == score.measure,
                        # Six digits: one error in a million tokens is still seen.
                        "rate": round(count.rate, 6),
                        "low": round(interval.low, 6),
                        "high": round(interval.high, 6),
                        **asdict(count),
                        "utterances": score.utterances,
                        "seconds": score.duration,
                        "right_timestamps": score.timestamps.count,
                        "judged_timestamps": score.timestamps.total,
                        **_term_columns(counted),
                        "normalizer": f"{score.normalizer} {score.normalizer_digest}",
                    }
