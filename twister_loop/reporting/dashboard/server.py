"""A small server for a folder of runs: the only module that imports starlette and uvicorn.

It reads and never writes, and everything that it sends lies inside that folder, with links
followed. On an address that other machines can reach it requires a token.
"""

from __future__ import annotations

import gzip
import ipaddress
import json
import logging
import os
import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote

import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import URL, MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ...core import schema
from ...core.errors import ConfigError, TwisterError, describe_fault
from ..current_stage import find_current_stage
from ..rendering import render
from . import folder as runs_folder
from . import page
from .folder import MissingError, Runs

log = logging.getLogger(__name__)

COOKIE = "twister_dashboard"
"""Name of the cookie that holds the token."""
TOKEN_VARIABLE = "TWISTER_DASHBOARD_TOKEN"
"""Environment variable for the token; on a command line every user of the machine could see it."""
LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "[::1]")
HEADERS = {
    # Scripts only from files of this server. Plotly writes style attributes, and images as data.
    "content-security-policy": "default-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    # A run changes while it is watched.
    "cache-control": "private, no-cache",
    # A link that leads out of the page must not tell the token, which may be in the address.
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
"""Headers of every answer."""
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
    runs, token = Runs.open(folder), token or os.environ.get(TOKEN_VARIABLE)
    if not token and not _is_loopback(host):
        raise ConfigError(
            f"{host}: other machines can reach this address; set an access token in "
            f"{TOKEN_VARIABLE} or with --token"
        )
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        # Opened here and not by uvicorn, so that port 0 can be logged and errors can be caught.
        listening = socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:  # the latter for a port beyond 65535
        raise ConfigError(f"{host}:{port}: cannot listen on this address: {error}") from error
    address = f"[{host}]" if ":" in host else host
    port = listening.getsockname()[1]
    log.info("http://%s:%d/ serves %s; stop it with Ctrl+C", address, port, folder)
    config = uvicorn.Config(create_app(runs, host, token), log_level="warning")
    uvicorn.Server(config).run(sockets=[listening])


def create_app(runs: Runs, host: str = "127.0.0.1", token: str | None = None) -> Starlette:
    """Return the web application.

    Args:
        runs: Runs to serve.
        host: Address that the server listens on.
        token: Access token; None lets everybody in.
    """
    # DNS rebinding: a foreign page could give its own name our address and then read our answers.
    # With a token that is no danger, and the name under which others reach us is not known.
    hosts = [*LOOPBACK_HOSTS, host] if _is_loopback(host) else ["*"]
    return Starlette(
        routes=Endpoints(runs).routes(),
        middleware=[
            Middleware(TrustedHostMiddleware, allowed_hosts=hosts),
            Middleware(TokenMiddleware, token=token),
        ],
    )


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
        return [Route(path, _with_errors(endpoint)) for path, endpoint in endpoints.items()]

    def runs_page(self, request: Request) -> Response:
        return _page("runs", "runs.js", source="/api/runs")

    def run_page(self, request: Request) -> Response:
        name = request.path_params["name"]
        self.runs.run_folder(name)
        path = quote(name)
        return _page(name, "run.js", source=f"/api/run/{path}", now=f"/api/now/{path}", plots=True)

    def compare_page(self, request: Request) -> Response:
        return _page("compare", "compare.js", source="/api/compare", plots=True)

    def browse_page(self, request: Request) -> Response:
        return _page("browse", "browse.js", source="/api/lines")

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


def _with_errors(endpoint: Callable[[Request], Response]) -> Callable[[Request], Response]:
    def answer(request: Request) -> Response:
        try:
            return endpoint(request)
        except TwisterError as error:
            status = 404 if isinstance(error, MissingError) else 400
            # Plain text: the message may contain a part of the address.
            return Response(str(error), status, media_type="text/plain")
        # A name may be too long for the file system, and files of a run damaged in any way.
        except Exception as error:
            reason = describe_fault(error)
            log.warning("%s: cannot be answered (%s)", request.url.path[:200], reason)
            return Response(f"cannot be read ({reason})", 400, media_type="text/plain")

    return answer


class TokenMiddleware:
    """Middleware that requires the token, if there is one, and adds `HEADERS` to every answer."""

    def __init__(self, app: ASGIApp, token: str | None) -> None:
        self.app, self.token = app, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, content in HEADERS.items():
                    headers.setdefault(name, content)
            await send(message)

        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        answer: ASGIApp = self.app
        request = Request(scope, receive)
        if self.token and not self._has_token(request):
            answer = await self._ask_for_token(request)
        await answer(scope, receive, send_with_headers)

    def _has_token(self, request: Request) -> bool:
        bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
        return any(map(self._is_token, (request.cookies.get(COOKIE, ""), bearer)))

    def _is_token(self, text: str) -> bool:
        # A comparison that ends at the first difference would tell how much of a guess is right.
        return secrets.compare_digest(text.encode(), (self.token or "").encode())

    async def _ask_for_token(self, request: Request) -> Response:
        """Return a form that asks for the token, or set the cookie if the token has come.

        The token comes from the form, or in the address of a link (`?token=...`).
        """
        token = request.query_params.get("token", "")
        if request.method == "POST":
            form = parse_qs((await request.body()).decode("utf-8", "replace"))
            token = form.get("token", [""])[0]
        if not self._is_token(token):
            text = render("token.html", title="token", style=page.read_static("page.css"))
            return HTMLResponse(text, 401)
        # Redirect, so that the token does not stay in the address bar and in the history.
        url = URL(scope=request.scope).remove_query_params("token")
        path = f"/{url.path.lstrip('/')}"  # `//evil.example/` would lead to another host
        redirect = RedirectResponse(f"{path}?{url.query}" if url.query else path, 303)
        redirect.set_cookie(COOKIE, token, httponly=True, samesite="strict")
        return redirect


def _is_loopback(host: str) -> bool:
    """Tell whether only this machine can reach an address.

    >>> _is_loopback("127.0.0.1"), _is_loopback("0.0.0.0"), _is_loopback("example.org")
    (True, False, False)
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _page(
    title: str, script: str, *, source: str, now: str | None = None, plots: bool = False
) -> Response:
    """Return an HTML page that draws itself.

    Args:
        title: Title of the page.
        script: Name of a bundle of scripts.
        source: Address of the page's data.
        now: Address of the progress of the run's current stage.
        plots: Whether the page needs the plot library.
    """
    attributes = {"data-source": source, "data-now": now}
    text = render(
        "served.html", title=title, script=script, plots=plots, body_attributes=attributes
    )
    return HTMLResponse(text)


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
