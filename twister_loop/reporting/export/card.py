"""Model card of an exported candidate: training data, evaluation and regressions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from ...core.artifacts import read_json
from ...core.types import Score
from ...evaluation.evidence import Measure
from ...evaluation.scoreboard import RateChange
from ...pipeline.run_folder import round_number
from ..rendering import render
from ..summary import UNKNOWN_LANGUAGE, RoundSummary, Summary

HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")
"""Name of a model on the Hugging Face hub: owner/model."""


def render_card(round_folder: Path, summary: Summary, license: str | None) -> str:
    """Return the model card: Markdown with the YAML front matter that the hub reads.

    Args:
        round_folder: Folder of the round whose candidate is exported.
        summary: Summary of the run.
        license: SPDX identifier, or None if the user named none.
    """
    number = round_number(round_folder)
    this_round = next(shown for shown in summary.rounds if shown.number == number)
    plan_file = round_folder / "plan.json"
    plan = read_json(plan_file)["plan"] if plan_file.is_file() else {}
    # Recognizers that were trained from scratch are not exported, so there is always a base.
    base = str(plan.get("asr", {}).get("model", "an untouched Whisper"))
    # The hub links the base model, so a path on this machine must not be named there.
    on_hub = HUB_NAME.fullmatch(base) and not Path(base).exists()
    language = plan.get("language")
    scores = [score for row in this_round.scores.values() for score in row.values()]
    return render(
        "card.md",
        run=Path(summary.run).resolve().name,
        round=this_round,
        base=base,
        base_model=base if on_hub else None,
        language=language,
        languages=_languages(this_round),
        license=license,
        full_window=_full_window_rates(this_round),
        regressions=list(_regressions(this_round)),
        decodings=sorted({score.decoding for score in scores}),
        normalizers=sorted({f"{score.normalizer} ({score.normalizer_digest})" for score in scores}),
        generate_kwargs={"task": "transcribe"} | ({"language": language} if language else {}),
        percent=_percent,
        points=_points,
    )


def _languages(summary: RoundSummary) -> list[str]:
    languages = {lang for by_language in summary.languages.values() for lang in by_language}
    return sorted(languages - {UNKNOWN_LANGUAGE})


def _full_window_rates(summary: RoundSummary) -> dict[str, str]:
    """Return set -> WER of the candidate in a 30 s window, in percent."""
    return {
        name: _full_window_rate(row["candidate"], summary.scores[name]["candidate"])
        for name, row in summary.full_window.items()
        if "candidate" in row
    }


def _full_window_rate(full_window: Score, score: Score) -> str:
    rate = _percent(full_window.words.rate)
    # A rate over a part of the set must not be compared with the one beside it.
    if full_window.utterances < score.utterances:
        return f"{rate} ({full_window.utterances} utterances)"
    return rate


def _regressions(summary: RoundSummary) -> Iterator[tuple[str, Measure, RateChange]]:
    """Yield set, measure and change wherever a rate rose, be it significant or not."""
    for name in summary.scores:
        for measure, change in summary.changes[name].items():
            if change.rate > 0:
                yield name, measure, change


def _percent(rate: float) -> str:
    return f"{100 * rate:.2f}"


def _points(difference: float) -> str:
    return f"{100 * difference:+.2f}"
