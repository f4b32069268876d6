"""Results of a round for the outside: artifacts that Prefect shows, and events for automations."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path

from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.events import emit_event

from ..core.errors import describe_fault
from ..evaluation.measures import ABBREVIATIONS
from ..pipeline.look_count import describe_looks
from ..reporting import dashboard
from ..reporting.decodings import (
    DECODINGS_EXPLAINED,
    DecodedScores,
    count_decoded_part,
    format_timestamp_change,
    holds_long_recordings,
    list_decodings,
)
from ..reporting.summary import RoundSummary, summarize
from ..reporting.term_tables import describe_terms

log = logging.getLogger("twister_loop")


def run_key(run: Path) -> str:
    """Return a readable name for an experiment that no other run folder shares."""
    readable = "".join(letter if letter.isalnum() else "-" for letter in run.name.lower())
    # Six hexadecimal digits of the full path: two folders may both be called `runs/mine`.
    digest = hashlib.sha256(str(run.resolve()).encode()).hexdigest()[:6]
    return f"{readable.strip('-') or 'run'}-{digest}"


def publish_round(run: Path) -> str:
    """Publish the last round as `_publish_round` does; a failure is logged and ends nothing."""
    try:
        return _publish_round(run)
    # Any error, also a bug: the round is finished and on the disk.
    except Exception as error:
        reason = describe_fault(error)
        log.warning("%s: the finished round could not be published (%s)", run, reason)
        return f"{run.name}: a round is finished, and could not be published ({reason})"


def _publish_round(run: Path) -> str:
    """Write the page, publish the last round as artifacts and event, and return its headline."""
    page = dashboard.try_to_write_page(run)
    page_url = page.resolve().as_uri() if page else "the page could not be written"
    page_link = f"[the page]({page_url})" if page else page_url
    last = summarize(run).rounds[-1]
    outcome = dashboard.round_outcome(last)
    headline = f"{run.name}, round {last.number}: {outcome}"
    scores = format_scores(last)
    create_table_artifact(
        key=f"{run_key(run)}-scores", table=dashboard.score_rows(run), description=str(run)
    )
    create_markdown_artifact(
        key=f"{run_key(run)}-round",
        markdown=f"# {headline}\n\n{scores}\n\n{next_steps(run, last)}\n\n{page_link}\n",
    )
    event = "waiting" if last.awaits_approval else outcome
    emit_round_event(run, event, f"{headline}\n{scores}\n{page_url}")
    return headline


def format_scores(round_: RoundSummary) -> str:
    """Return error rates by set, objections, looks and changes of sets as a list.

    Sets that were decoded in two ways have a line for each.
    """
    decodings = list_decodings(round_)
    lines = []
    for set_name, scores in round_.scores.items():
        score = next(iter(scores.values()))
        tags = [score.kind, *(["long recordings"] if holds_long_recordings(score) else [])]
        head = f"- {set_name} ({', '.join(tags)}), {ABBREVIATIONS[score.measure]} %:"
        rates = [_format_rates(decoded, set_name) for decoded in decodings]
        if len(decodings) == 1:
            lines.append(f"{head} {rates[0]}")
            continue
        part = count_decoded_part(decodings[0], decodings[1], set_name)
        size = "" if part is None else f" ({part} utterances)"
        lines += [
            head,
            f"  - {decodings[0].name}: {rates[0]}",
            f"  - {decodings[1].name}{size}: {rates[1]}",
        ]
    lines += [f"- {line}" for line in describe_terms(round_.term_scores)]
    objections = round_.verdict.objections if round_.verdict else ()
    lines += [f"- {objection}" for objection in objections]
    lines += [f"- {loss}" for loss in (round_.verdict.lost_terms if round_.verdict else None) or ()]
    if round_.verdict and round_.verdict.looks:
        lines.append(f"- {describe_looks(round_.verdict.looks)}")
    lines += [f"- {change}" for change in round_.set_changes]
    if len(decodings) > 1:
        lines += ["", DECODINGS_EXPLAINED]
    return "\n".join(lines)


def _format_rates(decoded: DecodedScores, set_name: str) -> str:
    """Return the rates of all models on a set, with the change and the timestamps."""
    scores = decoded.scores.get(set_name, {})
    models = [model for model in ("untouched", "champion", "candidate") if model in scores]
    text = ", ".join(f"{model} {100 * scores[model].count().rate:.2f}" for model in models)
    if change := decoded.own_change(set_name):
        text += f"; against untouched {dashboard.format_change(change)}"
    if timestamps := format_timestamp_change(scores):
        text += f"; right timestamps {timestamps}"
    return text


def next_steps(run: Path, round_: RoundSummary) -> str:
    """Return the commands that decide on a pending candidate, or the decision that was made."""
    if round_.awaits_approval:
        return f"Decide: `twister approve {run}` or `twister refuse {run} --note WHY`"
    return str(round_.approval or "")


def emit_round_event(run: Path, outcome: str, text: str) -> None:
    """Emit `twister.round.OUTCOME`, which automations can react to.

    Args:
        run: Run folder; its key is the resource of the event.
        outcome: `accepted`, `refused`, `undecided` or `waiting`.
        text: Complete message, so that an automation needs no access to the run folder.
    """
    emit_event(
        f"twister.round.{outcome}",
        resource={
            "prefect.resource.id": f"twister.run.{run_key(run)}",
            "prefect.resource.name": run.name,
        },
        payload={"text": text, "run": str(run.resolve()), "what": outcome},
    )
