"""Basis of the small servers: who may ask, with which headers it is answered, and on what address.

On an address that other machines can reach a token is required.
"""

from __future__ import annotations

import ipaddress
import json
import logging
import os
import secrets
import socket
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs

import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import URL, MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ...core.errors import ConfigError, TwisterError, describe_fault
from ..rendering import render
from . import page

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


def check_token(host: str, token: str | None) -> str | None:
    """Return the access token, or that of the environment; None lets everybody in.

    Raises:
        ConfigError: Other machines can reach the address, and there is no token.
    """
    token = token or os.environ.get(TOKEN_VARIABLE)
    if not token and not _is_loopback(host):
        raise ConfigError(
            f"{host}: other machines can reach this address; set an access token in "
            f"{TOKEN_VARIABLE} or with --token"
        )
    return token


def listen(app: Starlette, host: str, port: int, description: str) -> None:
    """Serve an application until interrupted.

    Args:
        app: From `make_app`.
        host: Address to listen on, e.g. 127.0.0.1.
        port: Port to listen on; 0 takes a free one.
        description: What is served, for the log.

    Raises:
        ConfigError: The address cannot be used.
    """
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        # Opened here and not by uvicorn, so that port 0 can be logged and errors can be caught.
        listening = socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:  # the latter for a port beyond 65535
        raise ConfigError(f"{host}:{port}: cannot listen on this address: {error}") from error
    address = f"[{host}]" if ":" in host else host
    port = listening.getsockname()[1]
    log.info("http://%s:%d/ serves %s; stop it with Ctrl+C", address, port, description)
    # Nothing is done at start and end, and a second Ctrl+C would break that off with a traceback.
    config = uvicorn.Config(app, log_level="warning", lifespan="off")
    uvicorn.Server(config).run(sockets=[listening])


def make_app(routes: Sequence[Route], host: str, token: str | None) -> Starlette:
    """Return an application that answers only those who may ask.

    Args:
        routes: Routes of the application.
        host: Address that the server listens on.
        token: Access token; None lets everybody in.
    """
    # DNS rebinding: a foreign page could give its own name our address and then read our answers.
    # With a token that is no danger, and the name under which others reach us is not known.
    hosts = [*LOOPBACK_HOSTS, host] if _is_loopback(host) else ["*"]
    return Starlette(
        routes=routes,
        middleware=[
            Middleware(TrustedHostMiddleware, allowed_hosts=hosts),
            Middleware(TokenMiddleware, token=token),
        ],
    )


def with_errors(
    endpoint: Callable[[Request], Response], statuses: Mapping[type[TwisterError], int]
) -> Callable[[Request], Response]:
    """Return an endpoint whose errors become answers in plain text.

    Args:
        endpoint: Answers a request.
        statuses: Status of errors of the program; others have 400.
    """

    def answer(request: Request) -> Response:
        try:
            return endpoint(request)
        except TwisterError as error:
            # Plain text: the message may contain a part of the address.
            status = statuses.get(type(error), 400)
            return Response(str(error), status, media_type="text/plain")
        # A name may be too long for the file system, and files of a run damaged in any way.
        except Exception as error:
            reason = describe_fault(error)
            log.warning("%s: cannot be answered (%s)", request.url.path[:200], reason)
            return Response(f"cannot be read ({reason})", 400, media_type="text/plain")

    return answer


def served_page(title: str, script: str, *, plots: bool = False, **attributes: Any) -> Response:
    """Return an HTML page that draws itself.

    Args:
        title: Title of the page.
        script: Name of a bundle of scripts.
        plots: Whether the page needs the plot library.
        attributes: Attributes of its body, such as `data-source`, with `_` for `-`.
    """
    names = {name.replace("_", "-"): content for name, content in attributes.items()}
    text = render("served.html", title=title, script=script, plots=plots, body_attributes=names)
    return HTMLResponse(text)


def json_answer(content: Any) -> Response:
    """Return data as JSON."""
    return Response(json.dumps(content, ensure_ascii=False), media_type="application/json")


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
