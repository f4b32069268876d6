"""Every error rate of a run as a table that spreadsheets and notebooks read."""

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

SHORT = {"words": "WER", "characters": "CER", "mixed": "MER"}


def write(summary: Summary, folder: Path) -> str:
    """One line for every round, set, model and measure; and all of the summary as JSON."""
    lines = list(rows(summary))
    with (folder / "metrics.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, fieldnames=list(lines[0]) if lines else ["round"])
        table.writeheader()
        table.writerows(lines)
    write_json(schema.to_json_data(summary), folder / "metrics.json")
    return f"metrics: {len(lines)} error rates in {folder / 'metrics.csv'}, all in metrics.json"


def rows(summary: Summary) -> Iterator[dict[str, Any]]:
    """Rates are shares: 0.1 is 10 %. `low` and `high` bound the 95 % interval."""
    for each in summary.rounds:
        for name, scores in each.scores.items():
            for who, score in scores.items():
                for measure in MEASURES:
                    count = getattr(score, measure)
                    around = each.intervals[name][who][measure]
                    yield {
                        "round": each.number,
                        "verdict": each.verdict.outcome if each.verdict else "",
                        "set": name,
                        "kind": score.kind,
                        "model": who,
                        "measure": SHORT[measure],
                        "rate": round(count.rate, 6),
                        "low": round(around.low, 6),
                        "high": round(around.high, 6),
                        **asdict(count),
                        "utterances": score.utterances,
                        "seconds": score.duration,
                        "normalizer": f"{score.normalizer} {score.normalizer_digest}",
                    }
