"""Table of all error rates of a run, for spreadsheets and notebooks."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ...core import schema
from ...core.artifacts import write_json
from ...evaluation.scoreboard import MEASURES
from ..summary import Summary

ABBREVIATIONS = {"words": "WER", "characters": "CER", "mixed": "MER"}


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
    """Yield one row for each round, set, model and measure.

    Rates are shares: 0.1 is 10 %. `low` and `high` are the bounds of the 95 % interval.
    """
    for round_summary in summary.rounds:
        verdict = round_summary.verdict
        for set_name, scores in round_summary.scores.items():
            for model, score in scores.items():
                for measure in MEASURES:
                    count = getattr(score, measure)
                    interval = round_summary.intervals[set_name][model][measure]
                    yield {
                        "round": round_summary.number,
                        "verdict": verdict.outcome if verdict else "",
                        "set": set_name,
                        "kind": score.kind,
                        "model": model,
                        "measure": ABBREVIATIONS[measure],
                        # Six digits: one error in a million tokens is still seen.
                        "rate": round(count.rate, 6),
                        "low": round(interval.low, 6),
                        "high": round(interval.high, 6),
                        **asdict(count),
                        "utterances": score.utterances,
                        "seconds": score.duration,
                        "normalizer": f"{score.normalizer} {score.normalizer_digest}",
                    }
