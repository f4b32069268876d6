"""Answers of the server of `twister annotate`: what it sends, and whom it believes."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from tests.annotating import begin, build_plan, transcribe_all
from tests.serving import serve
from twister_loop.pipeline.annotation.session import Session

pytest.importorskip("starlette")


@contextmanager
def serving(session: Session, clips: Path, token: str | None = None) -> Iterator[str]:
    """Run a server in a thread; yields its address."""
    from twister_loop.reporting.annotation.server import create_app

    clips.mkdir(exist_ok=True)
    with serve(create_app(session, clips, token=token)) as address:
        yield address


def ask(
    address: str, path: str, body: Any = None, **headers: str
) -> tuple[int, bytes, dict[str, str]]:
    connection = HTTPConnection(urlsplit(address).netloc, timeout=60)
    headers = {name.replace("_", "-"): text for name, text in headers.items()}
    if body is not None:
        headers = {"content-type": "application/json", **headers}
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
    connection.request("GET" if body is None else "POST", path, body, headers)
    response = connection.getresponse()
    answer = response.status, response.read(), dict(response.headers)
    connection.close()
    return answer


def clip_of(address: str) -> dict[str, Any]:
    clip: dict[str, Any] = json.loads(ask(address, "/api/next")[1])["clip"]
    return clip


def test_a_clip_is_heard_decided_and_followed_by_another(tmp_path: Path) -> None:
    session = begin(build_plan(tmp_path), suggest=True)
    with serving(session, tmp_path / "clips") as address:
        clip = clip_of(address)
        status, sound, headers = ask(address, clip["audio"], range="bytes=0-3")
        assert (status, sound) == (206, b"RIFF") and "default-src" in str(headers)
        assert 0 < len(clip["peaks"]) <= 160 and max(clip["peaks"]) == 100
        suggestion = json.loads(ask(address, f"/api/suggestion?id={clip['id']}")[1])["text"]
        assert set(suggestion) <= set("aeiou "), "the untouched toy model knows vowels only"
        preview = ask(address, f"/api/preview?text={quote('A, E — 15!')}&lang=en")[1]
        assert json.loads(preview) == {"text": "a e fifteen"}
        decision = {"id": clip["id"], "revision": 0, "outcome": "accepted", "text": "a e"}
        answer = json.loads(ask(address, "/api/decide", decision)[1])
        assert answer["overview"]["done"] == 1 and answer["clip"]["id"] != clip["id"]
        status, message, _ = ask(address, "/api/decide", {**decision, "text": "another"})
        assert status == 409 and b"decided meanwhile" in message
        back = json.loads(ask(address, f"/api/previous?before={answer['clip']['id']}")[1])["clip"]
        assert back["id"] == clip["id"] and back["text"] == "a e"
        assert json.loads(ask(address, "/api/undo", {})[1])["overview"]["done"] == 0


def test_other_sites_and_nonsense_change_nothing(tmp_path: Path) -> None:
    session = begin(build_plan(tmp_path))
    with serving(session, tmp_path / "clips") as address:
        clip = clip_of(address)
        decision = {"id": clip["id"], "revision": 0, "outcome": "accepted", "text": "a e"}
        form = json.dumps(decision).encode()
        assert ask(address, "/api/decide", form, content_type="text/plain")[0] == 415
        assert ask(address, "/api/decide", decision, host="evil.example")[0] == 400
        for body in (b"{", b"[" * 10_000, b"[]", b'"text"', b"null"):
            assert ask(address, "/api/decide", body)[0] == 400
        for wrong in ({"outcome": "best"}, {"id": "../x"}, {"revision": "one"}, {"text": " "}):
            assert ask(address, "/api/decide", {**decision, **wrong})[0] == 400
        assert ask(address, "/api/decide", {**decision, "text": "a" * 2_000_000})[0] == 413
        for path in ("/audio/..%2f..%2fetc%2fpasswd", "/audio/x.wav", "/api/clip?id=x"):
            assert ask(address, path)[0] in (400, 404)
        assert session.overview().done == 0


def test_a_token_is_asked_for(tmp_path: Path) -> None:
    session = begin(build_plan(tmp_path))
    with serving(session, tmp_path / "clips", token="open sesame") as address:
        for path in ("/", "/api/next", "/static/annotate.js"):
            assert ask(address, path)[0] == 401
        assert ask(address, "/api/next", authorization="Bearer open sesame")[0] == 200


def test_a_second_person_is_not_told_what_the_first_one_wrote(tmp_path: Path) -> None:
    plan = build_plan(tmp_path)
    transcribe_all(begin(plan, annotator="ada"), "a very special text")
    with serving(begin(plan, second="bob"), tmp_path / "clips") as address:
        clip = clip_of(address)
        assert b"special" not in ask(address, "/api/next")[1] + ask(address, "/")[1]
        decision = {"id": clip["id"], "revision": 0, "outcome": "accepted", "text": "a e"}
        ask(address, "/api/decide", decision)
        agreement = json.loads(ask(address, "/api/agreement")[1])
        assert agreement["clips"] == agreement["open"] == 1 and agreement["wer"] > 0
