"""A small server over a folder of runs: the only place that knows starlette and uvicorn.

It reads and never writes; what it hands out lies below that folder, links followed. On an address
that others can reach it wants a token.
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
from functools import cache, lru_cache
from html import escape
from pathlib import Path
from urllib.parse import parse_qs

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
from ...core.errors import ConfigError, TwisterError
from ..current_stage import find_current_stage
from . import folder as shown
from . import page
from .folder import MissingError, Runs

log = logging.getLogger(__name__)

COOKIE = "twister_dashboard"
TOKEN = "TWISTER_DASHBOARD_TOKEN"
"""Of the environment: what others must know."""
HEADERS = {
    "content-security-policy": "default-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "cache-control": "private, no-cache",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
BUNDLES = {
    "run.js": page.SCRIPTS,
    "runs.js": ("base", "runs"),
    "compare.js": ("base", "plots", "listen", "round", "compare"),
    "browse.js": ("base", "browse"),
}
"""Scripts by the page that they draw."""


def serve(folder: Path, host: str, port: int, token: str | None) -> None:
    """Serve until interrupted.

    Raises ConfigError where there is no folder, or others could come in without a token.
    """
    runs, token = Runs.of(folder), token or os.environ.get(TOKEN)
    if not token and not _only_here(host):
        raise ConfigError(
            f"{host}: others can reach this address; set {TOKEN} or --token to what they must know"
        )
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listening = socket.create_server((host, port), family=family)
    except OSError as cause:
        raise ConfigError(f"{host}:{port}: cannot listen there ({cause})") from cause
    at = f"[{host}]" if ":" in host else host
    log.info("http://%s:%d/ shows %s; Ctrl+C ends it", at, listening.getsockname()[1], folder)
    settings = uvicorn.Config(app(runs, host, token), log_level="warning")
    uvicorn.Server(settings).run(sockets=[listening])


def app(runs: Runs, host: str = "127.0.0.1", token: str | None = None) -> Starlette:
    """The application, without a socket."""
    # A page elsewhere whose name is made to lead here must not read what is served here.
    hosts = ["localhost", "127.0.0.1", "[::1]", host] if _only_here(host) else ["*"]

    def answer(make: Callable[[Request], Response]) -> Callable[[Request], Response]:
        def safely(request: Request) -> Response:
            try:
                return make(request)
            except TwisterError as trouble:
                status = 404 if isinstance(trouble, MissingError) else 400
                return Response(str(trouble), status, media_type="text/plain")

        return safely

    def run_page(request: Request) -> Response:
        name = request.path_params["name"]
        runs.run(name)
        sources = f'data-source="/api/run/{escape(name)}" data-now="/api/now/{escape(name)}"'
        return _html(name, "run", sources, plots=True)

    def run_data(request: Request) -> Response:
        name = request.path_params["name"]
        at = runs.run(name)
        return _packed(request, _run_data(at, name, shown.stamp(at)))

    def now(request: Request) -> Response:
        at = runs.run(request.path_params["name"])
        going = find_current_stage(at)
        found = {"stamp": shown.stamp(at), "underway": schema.to_json_data(going) if going else None}
        return _json(json.dumps(found))

    def listing(request: Request) -> Response:
        found = [
            _listed(at, name, shown.stamp(at)) | {"underway": _going(at)}
            for name in runs.names()
            for at in (runs.run(name),)
        ]
        return _json(json.dumps(found, ensure_ascii=False))

    def utterances(request: Request) -> Response:
        at = runs.run(request.path_params["name"])
        return _json(shown.utterances(at, request.query_params.get("round", "")))

    def comparison(request: Request) -> Response:
        asked = request.query_params
        return _json(shown.compared(runs, asked.get("first", ""), asked.get("second", "")))

    def lines(request: Request) -> Response:
        asked = request.query_params
        begin = asked.get("begin", "0")
        found = shown.lines(
            runs,
            asked.get("run", ""),
            asked.get("folder", ""),
            int(begin) if begin.isdigit() else 0,
            asked.get("query", ""),
        )
        return _json(found)

    def sound(request: Request) -> Response:
        return FileResponse(runs.sound(request.path_params["path"]))

    def static(request: Request) -> Response:
        name = request.path_params["name"]
        kind = "text/css" if name.endswith(".css") else "text/javascript"
        return _packed(request, _static(name), kind)

    routes = {
        "/": lambda _: _html("runs", "runs", 'data-source="/api/runs"'),
        "/run/{name:path}": run_page,
        "/compare": lambda _: _html("compare", "compare", 'data-source="/api/compare"', plots=True),
        "/browse": lambda _: _html("browse", "browse", 'data-source="/api/lines"'),
        "/api/runs": listing,
        "/api/run/{name:path}": run_data,
        "/api/now/{name:path}": now,
        "/api/utterances/{name:path}": utterances,
        "/api/compare": comparison,
        "/api/lines": lines,
        "/audio/{path:path}": sound,
        "/static/{name}": static,
    }
    return Starlette(
        routes=[Route(path, answer(make)) for path, make in routes.items()],
        middleware=[
            Middleware(TrustedHostMiddleware, allowed_hosts=hosts),
            Middleware(Guard, token=token),
        ],
    )


class Guard:
    """Lets nobody in who does not know the token, and adds the headers that every answer has."""

    def __init__(self, app: ASGIApp, token: str | None) -> None:
        self.app, self.token = app, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        inside: ASGIApp = self.app
        request = Request(scope, receive)
        if self.token and not self._known(request):
            inside = await self._at_the_door(request)
        await inside(scope, receive, guarded)

    def _known(self, request: Request) -> bool:
        bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
        return any(map(self._right, (request.cookies.get(COOKIE, ""), bearer)))

    def _right(self, said: str) -> bool:
        return secrets.compare_digest(said.encode(), (self.token or "").encode())

    async def _at_the_door(self, request: Request) -> Response:
        """Ask for the token; the right one, in a link or in the form, becomes a cookie."""
        said = request.query_params.get("token", "")
        if request.method == "POST":
            said = parse_qs((await request.body()).decode("utf-8", "replace")).get("token", [""])[0]
        if self._right(said):
            to = URL(scope=request.scope).remove_query_params("token")
            here = f"/{to.path.lstrip('/')}"  # two slashes would lead to another host
            entered = RedirectResponse(f"{here}?{to.query}" if to.query else here, 303)
            entered.set_cookie(COOKIE, said, httponly=True, samesite="strict")
            return entered
        form = (
            '<h1>twister dashboard</h1><form method="post"><label>token '
            '<input name="token" type="password" autofocus required></label> '
            '<button class="quiet">enter</button></form>'
        )
        text = page.html("token", [], style=f"<style>{page.static('page.css')}</style>")
        return HTMLResponse(_with(text, form), 401)


def _only_here(host: str) -> bool:
    """Whether nobody on another machine can reach an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _with(text: str, content: str) -> str:
    begin, end = text.index("<noscript>"), text.index("</main>")
    return text[:begin] + content + text[end:]


def _html(title: str, script: str, body: str, plots: bool = False) -> Response:
    scripts = ['<script src="/static/plotly.js" defer></script>'] if plots else []
    scripts.append(f'<script src="/static/{script}.js" defer></script>')
    style = '<link rel="stylesheet" href="/static/page.css">'
    return HTMLResponse(page.html(title, scripts, body, style))


def _json(text: str) -> Response:
    return Response(text, media_type="application/json")


def _packed(request: Request, content: bytes, kind: str = "application/json") -> Response:
    """Packed content, for all who read that; every browser does."""
    if "gzip" in request.headers.get("accept-encoding", ""):
        headers = {"content-encoding": "gzip", "vary": "accept-encoding"}
        return Response(content, headers=headers, media_type=kind)
    return Response(gzip.decompress(content), media_type=kind)


def _going(run: Path) -> object:
    now = find_current_stage(run)
    return schema.to_json_data(now) if now else None


@lru_cache(maxsize=8)
def _run_data(run: Path, name: str, stamp: str) -> bytes:
    return gzip.compress(shown.whole_run(run, name).encode(), 5)


@lru_cache(maxsize=512)
def _listed(run: Path, name: str, stamp: str) -> dict[str, object]:
    return shown.listed(run, name)


@cache
def _static(name: str) -> bytes:
    if name == "plotly.js" and page.plotly():
        content = page.plotly()
    elif name == "page.css":
        content = page.static(name).encode()
    elif name in BUNDLES:
        content = page.script(*BUNDLES[name]).encode()
    else:
        raise MissingError(f"{name}: no such file")
    return gzip.compress(content, 6)
