"""A self-contained HTML page for each run: it opens from disk and loads nothing from a network.

The page contains its data and the plot library compressed (gzip in base64) and draws itself with
JavaScript. Nothing that comes from a run is ever part of the markup, because transcripts are
untrusted.
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
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from ...core import schema
from ...core.errors import describe_fault
from ...core.types import Verdict
from ...pipeline.look_count import describe_looks
from ...pipeline.run_folder import RunFolder
from ...pipeline.stage_runner import StageRunner
from ..current_stage import find_current_stage
from ..details import SCHEMA_VERSION as DETAILS_VERSION
from ..details import round_details
from ..record_cache import cached_record
from ..rendering import render
from ..summary import SCHEMA_VERSION as SUMMARY_VERSION
from ..summary import candidate_name, round_summary
from . import clips
from .console import round_outcome

P = ParamSpec("P")
R = TypeVar("R")

log = logging.getLogger(__name__)

SCRIPTS = ("base", "plots", "listen", "round", "page")
"""Scripts of the page of a run, in the order in which they depend on each other."""
UTTERANCE_LISTS = ("worst", "improved", "worsened")
"""Fields of a summary that hold utterances. They are most of the page's size, so they are stored
apart from the rest and left out for older rounds."""
SCHEMA_VERSION = (3, SUMMARY_VERSION, DETAILS_VERSION)
"""Version of the cached JSON of a round; see `record_cache.cached_record`."""
MIN_SECONDS_BETWEEN_WRITES = 2.0
"""Many stages take less; writing the page after each of them would slow the run down."""
ROUNDS_WITH_UTTERANCES = 5
"""Number of last rounds whose utterances are in the page; the server shows those of all rounds."""
GZIP_LEVEL = 6
"""Level 9 takes a third longer for 0.2 % less."""


def write_page(run: Path) -> Path:
    """Write `index.html` into the folder of a run, and the clips that it plays.

    Returns:
        Path of the page.

    Raises:
        ConfigError: `run` is not the folder of a run.
    """
    clips.copy_clips(run)
    text = render(
        "run.html",
        title=run.resolve().name,
        style=read_static("page.css"),
        data=_compress(run_data(run, ROUNDS_WITH_UTTERANCES).encode()),
        plotly=_compressed_plotly(),
        script=bundle_scripts(*SCRIPTS),
    )
    path = run / "index.html"
    # A browser may load the page at any time, so it is replaced at once.
    scratch = path.with_name(".index.html")
    scratch.unlink(missing_ok=True)  # in somebody else's run it may be a link to anywhere
    scratch.write_text(text, encoding="utf-8")
    scratch.replace(path)
    return path


def redraw_after_stages(run: Path, run_stage: StageRunner) -> StageRunner:
    """Return a stage runner that also writes the page after stages that produced something.

    Args:
        run: Folder of the run.
        run_stage: Runs the stages.
    """
    written_at = -MIN_SECONDS_BETWEEN_WRITES

    def run_stage_and_write(stage: Callable[P, R], /) -> Callable[P, R]:
        run_it = run_stage(stage)

        def run_and_write(*args: P.args, **kwargs: P.kwargs) -> R:
            out = kwargs.get("out")
            # A stage whose result is reused changes nothing that the page shows.
            reused = isinstance(out, Path) and out.exists()
            outcome = run_it(*args, **kwargs)
            nonlocal written_at
            due = time.monotonic() - written_at >= MIN_SECONDS_BETWEEN_WRITES
            # Nothing may follow a verdict, so the page is always written then.
            if (due or isinstance(outcome, Verdict)) and not reused and try_to_write_page(run):
                written_at = time.monotonic()
            return outcome

        return run_and_write

    return run_stage_and_write


def try_to_write_page(run: Path) -> Path | None:
    """Write the page; log a warning if that fails, because the page must never end a run."""
    try:
        return write_page(run)
    # Any error, also a bug of the page: a run of days must not end because of it.
    except Exception as error:
        log.warning(
            "%s: the page could not be written (%s); the run goes on, and the page is tried again "
            "after the next stage",
            run,
            describe_fault(error),
        )
        return None


def run_data(run: Path, rounds_with_utterances: int, **extra: Any) -> str:
    """Return everything that the page of a run shows, as JSON.

    Args:
        run: Folder of the run.
        rounds_with_utterances: Number of last rounds to include the utterances of.
        extra: More fields of the JSON object.
    """
    run_folder = RunFolder.read(run)
    stage = find_current_stage(run)
    head = {
        "run": run.resolve().name,
        "champion": candidate_name(run_folder.champion_folder),
        "written": datetime.now().astimezone().strftime("%Y-%m-%d %H:%M"),
        "clips": sorted(path.stem for path in (run / clips.FOLDER).glob("[!.]*.flac")),
        "current_stage": schema.to_json_data(stage) if stage else None,
        **extra,
    }
    rounds = [
        cached_record(_round_json, str, "figures", SCHEMA_VERSION, folder)
        for folder in run_folder.round_folders
    ]
    # The JSON of a round is joined as text: parsing and dumping hundreds of rounds again would
    # take seconds each time that the page is written.
    for place in range(max(0, len(rounds) - rounds_with_utterances), len(rounds)):
        utterances = utterances_json(run_folder.round_folders[place])
        rounds[place] = f"{rounds[place][:-1]}, {utterances[1:]}"
    return f'{json.dumps(head, ensure_ascii=False)[:-1]}, "rounds": [{", ".join(rounds)}]}}'


def utterances_json(round_folder: Path) -> str:
    """Return a round's utterances with the most errors and the largest changes, as JSON."""
    return cached_record(_utterances_json, str, "utterances", SCHEMA_VERSION, round_folder)


def _round_json(round_folder: Path) -> str:
    """Return everything about a round except its utterances, as JSON."""
    summary = round_summary(round_folder)
    fields = schema.to_json_data(summary)
    for name in UTTERANCE_LISTS:
        del fields[name]  # `run_data` adds them to the last rounds
    fields["details"] = schema.to_json_data(round_details(round_folder))
    fields["outcome"] = round_outcome(summary)
    fields["looks"] = describe_looks(summary.verdict.looks) if summary.verdict else ""
    fields["set_changes"] = [str(change) for change in summary.set_changes]
    return json.dumps(fields, ensure_ascii=False)


def _utterances_json(round_folder: Path) -> str:
    fields = schema.to_json_data(round_summary(round_folder))
    return json.dumps({name: fields[name] for name in UTTERANCE_LISTS}, ensure_ascii=False)


def bundle_scripts(*names: str) -> str:
    """Join scripts into one; a function around them keeps their names out of the global scope."""
    return "(() => {\n" + "\n".join(read_static(f"{name}.js") for name in names) + "\n})();"


@cache
def read_static(name: str) -> str:
    """Return the text of a file in `static/`."""
    return (files(__package__) / "static" / name).read_text(encoding="utf-8")


@cache
def plotly_script() -> bytes:
    """Return plotly.js from the Python package plotly; empty if that is not installed."""
    # Only the JavaScript file is needed, so the package itself is not imported.
    if not find_spec("plotly"):
        return b""
    return (files("plotly") / "package_data" / "plotly.min.js").read_bytes()


# Cached: compressing its 4.5 MB takes 0.1 s, three times as long as the rest of the page.
@cache
def _compressed_plotly() -> str:
    return _compress(plotly_script()) if plotly_script() else ""


def _compress(content: bytes) -> str:
    # mtime=0: the same content must give the same page.
    return b64encode(gzip.compress(content, GZIP_LEVEL, mtime=0)).decode()
