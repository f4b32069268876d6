"""A toy world whose pool is large enough to draw a set from, and people who transcribe it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests import world as toy
from twister_loop.pipeline.annotation.opening import AnnotationOptions, open_session
from twister_loop.pipeline.annotation.session import Session
from twister_loop.pipeline.annotation.views import ClipView, Submission
from twister_loop.pipeline.plan import Plan
from twister_loop.pipeline.plan_reader import load

MORE = [f"{first} {second} {first}{second}" for first in "aeiou" for second in "aeiou"]
"""Texts of more recordings of the pool, each another one."""


def build_plan(folder: Path, **changes: Any) -> Plan:
    """Return a plan with a large pool, whose development set `calls` nobody has made yet."""
    path = toy.build(folder)
    toy.speak(MORE, folder / "data" / "pool" / "more", labeled=False)
    return load(path, {"development": {"calls": "data/calls"}, **changes})


def begin(plan: Plan, **options: Any) -> Session:
    """Begin to annotate; by default the set `calls`."""
    return open_session(plan, AnnotationOptions(**{"set_name": "calls", "count": 5, **options}))


def decide(session: Session, view: ClipView, text: str = "", **fields: Any) -> None:
    """Accept a text, or decide otherwise."""
    fields = {"outcome": "accepted", "revision": view.revision, **fields}
    session.decide(Submission(id=view.id, text=text, **fields))


def transcribe_all(session: Session, text: str = "a e") -> list[str]:
    """Accept the same text for all clips that are left; returns their ids."""
    ids = []
    while view := session.next_clip():
        decide(session, view, text)
        ids.append(view.id)
    return ids
