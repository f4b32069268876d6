"""Guard before Prefect's server: refuses requests of foreign web pages.

A password alone does not suffice. A browser that has opened Prefect's page may be led to another
page, which can reach the server under a name of its own (DNS rebinding: such a request has a
foreign `Host`), or send requests to it from there (such a request has a foreign `Origin`).
"""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from .password import bracketed

LOOPBACK_NAMES = ("localhost", "127.0.0.1")


class RequestGuard:
    """ASGI middleware that answers requests to its own address only.

    Wrap it around the application as a whole: Prefect also calls its application from within,
    under the name `prefect-in-memory`, and such calls must pass.
    """

    def __init__(self, app: ASGIApp, origins: str) -> None:
        """Wrap an application.

        Args:
            app: Application.
            origins: Addresses of the pages that may use the server, separated by commas, such as
                "https://twister.example.com". Their hosts are names of the server, too, because a
                proxy passes them on. `*` names none.
        """
        self.app = app
        self.origins = {origin.strip().rstrip("/").lower() for origin in origins.split(",")}
        self.hosts = {urlsplit(origin).netloc for origin in self.origins}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it with 400 (foreign host) or 403 (foreign origin)."""
        if scope["type"] in {"http", "websocket"} and (refusal := self._refusal(scope)):
            await refusal(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def _refusal(self, scope: Scope) -> PlainTextResponse | None:
        hosts = self.hosts | _own_hosts(scope)
        headers = Headers(scope=scope)
        if [host.lower() for host in headers.getlist("host")] not in [[host] for host in hosts]:
            return PlainTextResponse("This server has another name.", status_code=400)
        origins = self.origins | {f"http://{host}" for host in hosts}
        if any(origin.lower() not in origins for origin in headers.getlist("origin")):
            return PlainTextResponse("Pages of other servers are refused.", status_code=403)
        return None


def _own_hosts(scope: Scope) -> set[str]:
    # The address of this end of the connection: a server that binds 0.0.0.0 has several.
    address, port = scope["server"]
    names = {*LOOPBACK_NAMES, bracketed(address.removeprefix("::ffff:"))}
    hosts = {f"{name}:{port}" for name in names}
    return hosts | names if port == 80 else hosts
