"""Model card of an exported candidate: training data, evaluation and regressions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from ...core.artifacts import read_json
from ...core.types import Score
from ...evaluation.measures import ABBREVIATIONS
from ...evaluation.scoreboard import RateChange
from ...pipeline.look_count import describe_looks
from ...pipeline.run_folder import round_number
from ..decodings import (
    DECODINGS_EXPLAINED,
    DecodedScores,
    format_timestamp_change,
    holds_long_recordings,
    list_decodings,
)
from ..rendering import render
from ..summary import UNKNOWN_LANGUAGE, RoundSummary, Summary
from ..term_tables import TERM_COLUMNS, TERMS_EXPLAINED, term_rows

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
    decodings = list_decodings(this_round)
    scores = [
        score
        for decoded in decodings
        for by_model in decoded.scores.values()
        for score in by_model.values()
    ]
    return render(
        "card.md",
        run=Path(summary.run).resolve().name,
        round=this_round,
        base=base,
        base_model=base if on_hub else None,
        language=language,
        languages=_languages(this_round),
        license=license,
        decodings=decodings,
        explanation=DECODINGS_EXPLAINED,
        is_long=holds_long_recordings,
        timestamp_change=format_timestamp_change,
        abbreviations=ABBREVIATIONS,
        # The hub knows no mixed error rate.
        metrics=sorted(
            {ABBREVIATIONS[score.measure].lower() for score in scores if score.measure != "mixed"}
        ),
        regressions=list(_regressions(decodings)),
        decoding_options=sorted({score.decoding for score in scores}),
        normalizers=sorted({f"{score.normalizer} ({score.normalizer_digest})" for score in scores}),
        generate_kwargs={"task": "transcribe"} | ({"language": language} if language else {}),
        points=_points,
        # The champion is the model before this one, of which the card tells nothing.
        term_rows=[row for row in term_rows(this_round.term_scores) if row[2] != "champion"],
        term_columns=TERM_COLUMNS,
        terms_explained=TERMS_EXPLAINED,
        looks=describe_looks(this_round.verdict.looks) if this_round.verdict else "",
    )


def _languages(summary: RoundSummary) -> list[str]:
    languages = {lang for by_language in summary.languages.values() for lang in by_language}
    return sorted(languages - {UNKNOWN_LANGUAGE})


def _regressions(decodings: Sequence[DecodedScores]) -> Iterator[tuple[str, Score, RateChange]]:
    """Yield decoding, score and change wherever a set's own rate rose, be it significant or not."""
    for decoded in decodings:
        for name, scores in decoded.scores.items():
            change = decoded.own_change(name)
            if change and change.rate > 0:
                yield decoded.name, scores["candidate"], change


def _points(difference: float) -> str:
    return f"{100 * difference:+.2f}"
