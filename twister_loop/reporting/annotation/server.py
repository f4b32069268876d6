"""Server of one person's work on a set: it sends clips, and receives decisions.

A decision is on the disk before it is answered. Requests that change something must be JSON, which
a page of another site cannot send.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from ...core import schema
from ...core.errors import ConfigError, TwisterError
from ...pipeline.annotation.decisions import UNUSABLE_REASONS, StaleDecision
from ...pipeline.annotation.session import Session
from ...pipeline.annotation.views import ClipView, Submission
from ..dashboard import page
from ..dashboard.web_server import (
    check_token,
    json_answer,
    listen,
    make_app,
    served_page,
    with_errors,
)

log = logging.getLogger(__name__)

RIGHT_TO_LEFT = frozenset({"ar", "fa", "he", "ps", "sd", "ur", "yi"})
"""Languages of Whisper that are written from right to left."""
MAX_BYTES = 1 << 20
"""Longest decision that is read: a text of 30 s has a few hundred letters."""


def serve(session: Session, host: str, port: int, token: str | None) -> None:
    """Serve the work on a set until interrupted.

    Args:
        session: The work.
        host: Address to listen on, e.g. 127.0.0.1.
        port: Port to listen on; 0 takes a free one.
        token: Access token; None takes the one in the environment, if there is one.

    Raises:
        ConfigError: The address cannot be used, or other machines can reach it without a token.
    """
    token = check_token(host, token)
    with TemporaryDirectory(prefix="twister-annotate-") as folder:
        app = create_app(session, Path(folder), host, token)
        listen(app, host, port, f"{session.target.place} to {session.by}")


def create_app(
    session: Session, clips: Path, host: str = "127.0.0.1", token: str | None = None
) -> Starlette:
    """Return the web application.

    Args:
        session: The work.
        clips: Folder for the audio that browsers play.
        host: Address that the server listens on.
        token: Access token; None lets everybody in.
    """
    return make_app(Endpoints(session, clips).routes(), host, token)


@dataclass(frozen=True)
class Endpoints:
    """Answers to all requests."""

    session: Session
    clips: Path

    def routes(self) -> list[Route]:
        """Return the routes; errors of the program become answers in plain text."""
        readers = {
            "/": self.page,
            "/api/next": self.next_clip,
            "/api/clip": self.clip,
            "/api/previous": self.previous_clip,
            "/api/suggestion": self.suggestion,
            "/api/preview": self.preview,
            "/api/agreement": self.agreement,
            "/audio/{name}": self.audio,
            "/static/{name}": self.static,
        }
        writers = {"/api/decide": self.decide, "/api/undo": self.undo}
        statuses: dict[type[TwisterError], int] = {StaleDecision: 409}
        return [
            *(Route(path, with_errors(reader, statuses)) for path, reader in readers.items()),
            *(
                Route(path, _receiving(writer, statuses), methods=["POST"])
                for path, writer in writers.items()
            ),
        ]

    def page(self, request: Request) -> Response:
        session = self.session
        return served_page(
            f"annotate {session.target.place}",
            "annotate.js",
            data_place=session.target.place,
            data_folder=str(session.target.folder),
            data_by=session.by,
            data_second="yes" if session.second else None,
            data_suggester=session.suggester.name if session.suggester else None,
            data_reasons=json.dumps(UNUSABLE_REASONS),
        )

    def next_clip(self, request: Request) -> Response:
        return self._answer(self.session.next_clip())

    def clip(self, request: Request) -> Response:
        clip_id = request.query_params.get("id", "")
        settles = "settle" in request.query_params
        return self._answer(
            self.session.settling_view(clip_id) if settles else self.session.view(clip_id)
        )

    def previous_clip(self, request: Request) -> Response:
        return self._answer(self.session.previous_clip(request.query_params.get("before")))

    def suggestion(self, request: Request) -> Response:
        return json_answer({"text": self.session.suggest(request.query_params.get("id", ""))})

    def preview(self, request: Request) -> Response:
        parameters = request.query_params
        lang = parameters.get("lang") or None
        return json_answer({"text": self.session.preview(parameters.get("text", ""), lang)})

    def agreement(self, request: Request) -> Response:
        agreement = self.session.agreement()
        if agreement is None:
            return json_answer(None)
        return json_answer(
            {
                **schema.to_json_data(agreement),
                "open": agreement.open,
                "wer": agreement.words.rate,
                "cer": agreement.characters.rate,
            }
        )

    def audio(self, request: Request) -> Response:
        clip_id = request.path_params["name"].removesuffix(".wav")
        view = self.session.view(clip_id)  # so that the name is that of a clip, and no path
        path = self.clips / f"{view.id}.wav"
        if not path.is_file():
            scratch = path.with_name(f".{path.name}")
            self.session.write_clip(clip_id, scratch)
            scratch.replace(path)
        # FileResponse answers range requests, which browsers need to jump within a clip.
        return FileResponse(path)

    def decide(self, content: Any) -> Response:
        try:
            submission = schema.parse_data(Submission, content)
        except ValueError as cause:
            raise ConfigError(f"this is no decision: {cause}") from cause
        self.session.decide(submission)
        return self._answer(self.session.next_clip())

    def undo(self, content: Any) -> Response:
        return self._answer(self.session.undo())

    def static(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name == "annotate.js":
            return Response(_script(), media_type="text/javascript")
        if name == "page.css":
            return Response(_style(), media_type="text/css")
        return Response(f"{name[:80]}: no such file", 404, media_type="text/plain")

    def _answer(self, view: ClipView | None) -> Response:
        clip = None
        if view:
            direction = "rtl" if view.lang in RIGHT_TO_LEFT else "auto"
            source = f"/audio/{quote(view.id)}.wav"
            clip = {**schema.to_json_data(view), "direction": direction, "audio": source}
        return json_answer({"clip": clip, "overview": vars(self.session.overview())})


def _receiving(
    writer: Callable[[Any], Response], statuses: Mapping[type[TwisterError], int]
) -> Callable[[Request], Awaitable[Response]]:
    """Return an endpoint that hands the JSON of a request to a function, in another thread."""
    guarded = with_errors(lambda request: writer(request.state.content), statuses)

    async def receive(request: Request) -> Response:
        # A page of another site can send a form, but JSON only after asking, and that is refused.
        if request.headers.get("content-type", "").partition(";")[0] != "application/json":
            return Response("a decision is JSON", 415, media_type="text/plain")
        if int(request.headers.get("content-length", MAX_BYTES)) >= MAX_BYTES:
            return Response("this text is too long", 413, media_type="text/plain")
        try:
            request.state.content = json.loads(await request.body())
        except (ValueError, RecursionError):
            return Response("a decision is JSON", 400, media_type="text/plain")
        # Writing waits for the disk, and for other people who write to the same set.
        return await run_in_threadpool(guarded, request)

    return receive


@cache
def _script() -> str:
    own = (files(__package__) / "static" / "annotate.js").read_text(encoding="utf-8")
    # A function around them keeps their names out of the global scope.
    return f"(() => {{\n{page.read_static('base.js')}\n{own}\n}})();"


@cache
def _style() -> str:
    own = (files(__package__) / "static" / "annotate.css").read_text(encoding="utf-8")
    return f"{page.read_static('page.css')}\n{own}"
