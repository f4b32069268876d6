"""What is told outside: artifacts where Prefect shows them, events for whoever wants to know."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Literal

from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.events import emit_event

from ..reporting import dashboard
from ..reporting.summary import RoundSummary, summarize

What = Literal["accepted", "refused", "undecided", "waiting", "failed"]


def key_of(run: Path) -> str:
    """A name for an experiment: readable, and no other folder has it."""
    readable = "".join(letter if letter.isalnum() else "-" for letter in run.name.lower())
    digest = hashlib.sha256(str(run.resolve()).encode()).hexdigest()[:6]
    return f"{readable.strip('-') or 'run'}-{digest}"


def publish(run: Path) -> str:
    """Write the page, show the last round's figures, say that it ended; give its text."""
    page = dashboard.try_to_write_page(run)
    where = page.resolve().as_uri() if page else "the page could not be drawn"
    link = f"[the page]({where})" if page else where
    last = summarize(run).rounds[-1]
    said = dashboard.round_outcome(last)
    text = f"{run.name}, round {last.number}: {said}"
    create_table_artifact(
        key=f"{key_of(run)}-scores", table=dashboard.score_rows(run), description=str(run)
    )
    create_markdown_artifact(
        key=f"{key_of(run)}-round",
        markdown=f"# {text}\n\n{figures(last)}\n\n{next_steps(run, last)}\n\n{link}\n",
    )
    tell(run, "waiting" if last.awaits_approval else said, f"{text}\n{figures(last)}\n{where}")  # type: ignore[arg-type]
    return text


def figures(one: RoundSummary) -> str:
    """Every set in a line, every objection in another."""
    lines = []
    for name, scores in one.scores.items():
        rates = [
            f"{who} {100 * scores[who].words.rate:.2f}"
            for who in ("untouched", "champion", "candidate")
            if who in scores
        ]
        change = one.changes.get(name)
        against = f" ({dashboard.format_change(change['words'])} against untouched)" if change else ""
        lines.append(f"- {name} ({one.scores[name]['untouched'].kind}), WER %: "
                     f"{', '.join(rates)}{against}")  # fmt: skip
    objections = one.verdict.objections if one.verdict else ()
    return "\n".join([*lines, *(f"- {why}" for why in objections)])


def next_steps(run: Path, one: RoundSummary) -> str:
    if one.awaits_approval:
        return f"Decide: `twister approve {run}` or `twister refuse {run} --note WHY`"
    return str(one.approval or "")


def tell(run: Path, what: What, text: str) -> None:
    """An event that automations can listen to, with all there is to say in its text."""
    emit_event(
        f"twister.round.{what}",
        resource={
            "prefect.resource.id": f"twister.run.{key_of(run)}",
            "prefect.resource.name": run.name,
        },
        payload={"text": text, "run": str(run.resolve()), "what": what},
    )
