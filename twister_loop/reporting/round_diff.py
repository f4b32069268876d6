"""The candidates of two rounds, of one run or of two, on the sets that both were measured on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from ..core.errors import ConfigError
from ..core.manifest import Manifest
from ..core.types import Report, Score
from ..evaluation.scoreboard import Scoreboard, build_scoreboard
from ..pipeline.run_folder import round_number
from .details import FieldDiff, diff_rounds


@dataclass(frozen=True)
class RoundDiff:
    """The second candidate against the first."""

    scoreboard: Scoreboard
    """The first stands under `untouched` and `champion`, the second under `candidate`."""
    skipped_sets: dict[str, str]
    """Sets that cannot be compared, and why."""
    changes: tuple[FieldDiff, ...]
    """Of plan, data and machine, from the first round to the second."""


def compare_rounds(first: Path, second: Path) -> RoundDiff:
    """Compare the reports of two rounds.

    Raises ConfigError where one of them has none yet.
    """
    reports = []
    for at in (first, second):
        if not (at / "report").is_dir():
            raise ConfigError(f"{at.parent.name}/{at.name}: its candidate is not measured yet")
        reports.append(Report.load(at / "report"))
    left_out = dict(_left_out(*reports))
    one, other = (
        replace(
            each, scores=tuple(s for s in each.scores if s.name not in left_out), full_window=()
        )
        for each in reports
    )
    whos = {"untouched": one, "champion": one, "candidate": other}
    return RoundDiff(
        scoreboard=build_scoreboard(whos, None, round_number(second)),
        skipped_sets=left_out,
        changes=tuple(diff_rounds(first, second)),
    )


def _left_out(one: Report, other: Report) -> Iterator[tuple[str, str]]:
    scores = [{score.name: score for score in report.scores} for report in (one, other)]
    for name in sorted({*scores[0], *scores[1]}):
        pair = [each.get(name) for each in scores]
        if pair[0] is None or pair[1] is None:
            yield name, "only one of the two was measured on it"
        elif pair[0].normalizer_digest != pair[1].normalizer_digest:
            yield name, "counted with another normalizer, or another version of it"
        elif _said(one, pair[0]) != _said(other, pair[1]):
            yield name, "other recordings or references, though it has the same name"


def _said(report: Report, score: Score) -> list[tuple[str, str | None]]:
    return [(each.id, each.text) for each in Manifest(report.folder / score.kind / score.name)]
