"""One self-contained HTML page a run: it opens from disk, and asks no network for anything.

The page carries its data and its scripts packed (gzip in base64), and draws itself. Nothing that
comes from a run is ever part of the markup: transcripts are untrusted.
"""

from __future__ import annotations

import gzip
import json
import logging
import time
from base64 import b64encode
from collections.abc import Callable
from datetime import datetime
from functools import cache
from html import escape
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from string import Template
from typing import Any, ParamSpec, TypeVar

from ...core import schema
from ...core.types import Verdict
from ...pipeline.loop import StageRunner
from ...pipeline.run_folder import RunFolder
from ..current_stage import find_current_stage
from ..details import SCHEMA_VERSION as DETAILS
from ..details import round_details
from ..record_cache import cached_record
from ..summary import SCHEMA_VERSION as SUMMARY
from ..summary import round_summary
from . import clips
from .console import round_outcome

P = ParamSpec("P")
R = TypeVar("R")

log = logging.getLogger(__name__)

SCRIPTS = ("base", "plots", "listen", "round", "page")
HEARD = ("worst", "improved", "worsened")
SCHEMA_VERSION = (1, SUMMARY, DETAILS)
"""Of what is kept for the page of a round; see `recall`."""
SELDOM = 2.0
"""Seconds between two drawings."""
WITH_UTTERANCES = 5
"""The last rounds, whose utterances the page carries; the server shows those of all."""


def write_page(run: Path) -> Path:
    """Write `index.html` into the run from what lies there, and give its path."""
    clips.cut(run)
    text = html(
        title=run.resolve().name,
        scripts=[
            _carried("data", data(run, WITH_UTTERANCES).encode()),
            f'<script type="text/plain" id="library">{_library()}</script>' if _library() else "",
            f"<script>{script(*SCRIPTS)}</script>",
        ],
    )
    path = run / "index.html"
    scratch = path.with_name(".index.html")
    scratch.write_text(text, encoding="utf-8")
    scratch.replace(path)
    return path


def redraw_after_stages(run: Path, do: StageRunner) -> StageRunner:
    """Carry stages out as `do` does, and draw the page anew after each that made something.

    At most every `SELDOM` seconds, for many stages are quick; but after every verdict.
    """
    drawn_at = -SELDOM

    def drawn(stage: Callable[P, R], /) -> Callable[P, R]:
        step = do(stage)

        def carried_out(*args: P.args, **kwargs: P.kwargs) -> R:
            out = kwargs.get("out")
            there = isinstance(out, Path) and out.exists()
            made = step(*args, **kwargs)
            nonlocal drawn_at
            due = time.monotonic() - drawn_at >= SELDOM or isinstance(made, Verdict)
            if due and not there:
                try_to_write_page(run)
                drawn_at = time.monotonic()
            return made

        return carried_out

    return drawn


def try_to_write_page(run: Path) -> Path | None:
    """Write the page; where that fails say so in the log, for it must never end a run."""
    try:
        return write_page(run)
    except Exception as trouble:
        log.warning("%s: the page could not be drawn (%s)", run, trouble, exc_info=True)
        return None


def data(run: Path, with_utterances: int, **more: Any) -> str:
    """All that a page shows of a run, as JSON; the utterances of so many of its last rounds."""
    ledger = RunFolder.read(run)
    champion, now = ledger.champion_folder, find_current_stage(run)
    head = {
        "run": run.resolve().name,
        "champion": f"{champion.name}/candidate" if champion else "untouched",
        "written": datetime.now().astimezone().strftime("%Y-%m-%d %H:%M"),
        "clips": sorted(path.stem for path in (run / clips.FOLDER).glob("*.flac")),
        "underway": schema.to_json_data(now) if now else None,
        **more,
    }
    rounds = [
        cached_record(_figures, str, "figures", SCHEMA_VERSION, each)
        for each in ledger.round_folders
    ]
    for place in range(max(0, len(rounds) - with_utterances), len(rounds)):
        rounds[place] = f"{rounds[place][:-1]}, {utterances(ledger.round_folders[place])[1:]}"
    return f'{json.dumps(head, ensure_ascii=False)[:-1]}, "rounds": [{", ".join(rounds)}]}}'


def utterances(at: Path) -> str:
    """What was heard worst in a round, and what was won and lost most, as JSON."""
    return cached_record(_heard, str, "utterances", SCHEMA_VERSION, at)


def _figures(at: Path) -> str:
    """All else of a round, as JSON; kept as text, for it is only passed on."""
    summary = round_summary(at)
    plain = schema.to_json_data(summary)
    for name in HEARD:
        del plain[name]
    about = {"details": schema.to_json_data(round_details(at)), "outcome": round_outcome(summary)}
    return json.dumps(plain | about, ensure_ascii=False)


def _heard(at: Path) -> str:
    plain = schema.to_json_data(round_summary(at))
    return json.dumps({name: plain[name] for name in HEARD}, ensure_ascii=False)


def html(title: str, scripts: list[str], body: str = "", style: str | None = None) -> str:
    """The shell of every page."""
    return Template(static("page.html")).substitute(
        title=escape(title),
        style=style or f"<style>{static('page.css')}</style>",
        body=body,
        scripts="\n".join(scripts),
    )


def script(*names: str) -> str:
    """Scripts as one that leaves nothing behind in the page's own names."""
    return "(() => {\n" + "\n".join(static(f"{name}.js") for name in names) + "\n})();"


@cache
def static(name: str) -> str:
    return (files(__package__) / "static" / name).read_text(encoding="utf-8")


@cache
def plotly() -> bytes:
    """The library that draws plots, as its Python package has it; empty where that is missing."""
    if not find_spec("plotly"):
        return b""
    return (files("plotly") / "package_data" / "plotly.min.js").read_bytes()


@cache
def _library() -> str:
    return _packed(plotly()) if plotly() else ""


def _carried(name: str, content: bytes) -> str:
    return f'<script type="text/plain" id="{name}">{_packed(content)}</script>'


def _packed(content: bytes) -> str:
    return b64encode(gzip.compress(content, 6, mtime=0)).decode()
