"""A small server for a folder of runs.

It reads and never writes, and everything that it sends lies inside that folder, with links
followed.
"""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from ...core import schema
from ..current_stage import find_current_stage
from . import folder as runs_folder
from . import page
from .folder import MissingError, Runs
from .web_server import check_token, listen, make_app, served_page, with_errors

BUNDLES = {
    "run.js": page.SCRIPTS,
    "runs.js": ("base", "runs"),
    "compare.js": ("base", "plots", "listen", "round", "compare"),
    "browse.js": ("base", "browse"),
}
"""Script of a page -> files in `static/` that it consists of."""


def serve(folder: Path, host: str, port: int, token: str | None) -> None:
    """Serve a folder of runs until interrupted.

    Args:
        folder: Holds runs, or is a run itself.
        host: Address to listen on, e.g. 127.0.0.1.
        port: Port to listen on; 0 takes a free one.
        token: Access token; None takes the one in the environment, if there is one.

    Raises:
        ConfigError: There is no such folder, the address cannot be used, or other machines can
            reach it and there is no token.
    """
    runs, token = Runs.open(folder), check_token(host, token)
    listen(create_app(runs, host, token), host, port, str(folder))


def create_app(runs: Runs, host: str = "127.0.0.1", token: str | None = None) -> Starlette:
    """Return the web application.

    Args:
        runs: Runs to serve.
        host: Address that the server listens on.
        token: Access token; None lets everybody in.
    """
    return make_app(Endpoints(runs).routes(), host, token)


@dataclass(frozen=True)
class Endpoints:
    """Answers to all requests."""

    runs: Runs

    def routes(self) -> list[Route]:
        """Return the routes; errors of the program become answers in plain text."""
        endpoints = {
            "/": self.runs_page,
            "/run/{name:path}": self.run_page,
            "/compare": self.compare_page,
            "/browse": self.browse_page,
            "/api/runs": self.list_runs,
            "/api/run/{name:path}": self.run_data,
            "/api/now/{name:path}": self.current_stage,
            "/api/utterances/{name:path}": self.utterances,
            "/api/compare": self.comparison,
            "/api/lines": self.manifest_lines,
            "/audio/{path:path}": self.audio,
            "/static/{name}": self.static,
        }
        return [
            Route(path, with_errors(endpoint, {MissingError: 404}))
            for path, endpoint in endpoints.items()
        ]

    def runs_page(self, request: Request) -> Response:
        return served_page("runs", "runs.js", data_source="/api/runs")

    def run_page(self, request: Request) -> Response:
        name = request.path_params["name"]
        self.runs.run_folder(name)
        path = quote(name)
        source, now = f"/api/run/{path}", f"/api/now/{path}"
        return served_page(name, "run.js", data_source=source, data_now=now, plots=True)

    def compare_page(self, request: Request) -> Response:
        return served_page("compare", "compare.js", data_source="/api/compare", plots=True)

    def browse_page(self, request: Request) -> Response:
        return served_page("browse", "browse.js", data_source="/api/lines")

    def list_runs(self, request: Request) -> Response:
        described = []
        for name in self.runs.names():
            run = self.runs.root / name
            # Cached until a stage is finished; the progress changes all the time.
            fields = _describe_run(self.runs, name, runs_folder.run_stamp(run))
            progress = None if "error" in fields else _stage_progress(run)
            described.append(fields | {"current_stage": progress})
        return _json(json.dumps(described, ensure_ascii=False))

    def run_data(self, request: Request) -> Response:
        name = request.path_params["name"]
        run = self.runs.checked_run(name)
        return _compressed(request, _run_data(run, name, runs_folder.run_stamp(run)))

    def current_stage(self, request: Request) -> Response:
        run = self.runs.checked_run(request.path_params["name"])
        answer = {"stamp": runs_folder.run_stamp(run), "current_stage": _stage_progress(run)}
        return _json(json.dumps(answer))

    def utterances(self, request: Request) -> Response:
        run = self.runs.checked_run(request.path_params["name"])
        folder = request.query_params.get("round", "")
        return _json(runs_folder.round_utterances(run, folder))

    def comparison(self, request: Request) -> Response:
        parameters = request.query_params
        first, second = parameters.get("first", ""), parameters.get("second", "")
        return _json(runs_folder.compared_rounds(self.runs, first, second))

    def manifest_lines(self, request: Request) -> Response:
        parameters = request.query_params
        lines = runs_folder.manifest_lines(
            self.runs,
            name=parameters.get("run", ""),
            folder=parameters.get("folder", ""),
            begin=runs_folder.parse_offset(parameters.get("begin", "0")),
            query=parameters.get("query", ""),
        )
        return _json(lines)

    def audio(self, request: Request) -> Response:
        # FileResponse answers range requests, which browsers need to jump within a recording.
        return FileResponse(self.runs.audio_file(request.path_params["path"]))

    def static(self, request: Request) -> Response:
        name = request.path_params["name"]
        media_type = "text/css" if name.endswith(".css") else "text/javascript"
        return _compressed(request, _static_file(name), media_type)


def _json(text: str) -> Response:
    return Response(text, media_type="application/json")


def _compressed(request: Request, content: bytes, media_type: str = "application/json") -> Response:
    """Return gzip content as it is if the client accepts that (all browsers do), else unpacked."""
    if "gzip" in request.headers.get("accept-encoding", ""):
        headers = {"content-encoding": "gzip", "vary": "accept-encoding"}
        return Response(content, headers=headers, media_type=media_type)
    return Response(gzip.decompress(content), media_type=media_type)


def _stage_progress(run: Path) -> Any:
    stage = find_current_stage(run)
    return schema.to_json_data(stage) if stage else None


# `stamp` is a part of the key of these caches: it changes when the run does.
@lru_cache(maxsize=8)
def _run_data(run: Path, name: str, stamp: str) -> bytes:
    return gzip.compress(runs_folder.served_run_data(run, name).encode(), 5)


@lru_cache(maxsize=512)
def _describe_run(runs: Runs, name: str, stamp: str) -> dict[str, Any]:
    return runs_folder.describe_run(runs, name)


@cache
def _static_file(name: str) -> bytes:
    """Return a script or the style sheet, compressed.

    Raises:
        MissingError: There is no such file.
    """
    if name == "plotly.js" and page.plotly_script():
        content = page.plotly_script()
    elif name == "page.css":
        content = page.read_static(name).encode()
    elif name in BUNDLES:
        content = page.bundle_scripts(*BUNDLES[name]).encode()
    else:
        raise MissingError(f"{name}: no such file")
    return gzip.compress(content, page.GZIP_LEVEL)
