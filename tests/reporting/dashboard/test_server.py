"""Answers of the server, over a real socket: what it sends, and what it must not send."""

import gzip
import json
import shutil
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from twister_loop import Manifest, Utterance
from twister_loop.cli.main import main
from twister_loop.errors import ConfigError
from twister_loop.reporting.dashboard.folder import MissingError, Runs

from .conftest import serving

pytest.importorskip("starlette")


class Answer:
    """The answer to one request."""

    def __init__(self, address: str, path: str, **headers: str) -> None:
        connection = HTTPConnection(urlsplit(address).netloc, timeout=60)
        body, method = headers.pop("body", None), headers.pop("method", "GET")
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        self.status, self.headers, self.body = response.status, response.headers, response.read()
        connection.close()

    @property
    def json(self) -> Any:
        is_compressed = self.headers.get("content-encoding") == "gzip"
        return json.loads(gzip.decompress(self.body) if is_compressed else self.body)


def test_the_list_names_every_run_with_its_rounds_and_scores(served: str) -> None:
    runs = {run["name"]: run for run in Answer(served, "/api/runs").json}
    assert set(runs) == {"one", "three"}
    assert runs["three"]["outcomes"][0] == "accepted" and len(runs["three"]["outcomes"]) == 3
    assert {line["champion"]["kind"] for line in runs["one"]["sets"]} == {
        "development",
        "test",
        "retention",
    }


def test_a_run_comes_with_its_manifests_and_compressed_if_the_client_accepts_that(
    served: str,
) -> None:
    plain = Answer(served, "/api/run/three")
    compressed = Answer(served, "/api/run/three", accept_encoding="gzip")
    assert plain.json == compressed.json and len(compressed.body) < len(plain.body) / 2
    assert "filtered_labels/rejected" in plain.json["manifests"]["round-01"]
    progress = Answer(served, "/api/now/three").json
    assert progress == {"stamp": plain.json["stamp"], "current_stage": None}


def test_audio_is_served_in_ranges(served: str) -> None:
    run = Answer(served, "/api/run/three").json
    path = f"{run['clip_source']}{run['clips'][0]}.flac"
    whole = Answer(served, path)
    assert whole.status == 200 and whole.body[:4] == b"fLaC"
    assert whole.headers["accept-ranges"] == "bytes"
    part = Answer(served, path, range="bytes=10-29")
    assert part.status == 206 and part.body == whole.body[10:30]
    assert part.headers["content-range"] == f"bytes 10-29/{len(whole.body)}"
    assert Answer(served, path, range="bytes=99999999-").status == 416


@pytest.mark.parametrize(
    "path",
    [
        "/audio/../data/test/0.wav",
        "/audio/%2e%2e/data/test/0.wav",
        "/audio/three/..%2f..%2fdata/test/0.wav",
        "/audio//etc/passwd",
        "/audio/%2Fetc%2Fpasswd",
        "/audio/three/run.json",
        "/audio/three/leak.wav",
        "/audio/three/linked/0.wav",
        "/audio/three/.summaries/round-01-summary.json",
        "/audio/three/%00.wav",
        "/run/..",
        "/api/run/../three",
        "/api/run/elsewhere",
        "/api/now/%2e%2e",
        "/api/lines?run=three&folder=../../data",
        "/api/lines?run=..&folder=data",
        "/api/lines?run=three&folder=linked",
        "/api/utterances/three?round=../one",
        "/api/compare?first=three/..&second=three/round-01",
        "/static/../server.py",
        "/static/page.html",
    ],
)
def test_nothing_outside_the_runs_is_read(served: str, folder: Path, path: str) -> None:
    data = folder.parent / "data" / "test"
    for link, to in (("leak.wav", data / "0.wav"), ("linked", data)):
        if not (folder / "three" / link).is_symlink():
            (folder / "three" / link).symlink_to(to)
    answer = Answer(served, path)
    assert answer.status == 404 and b"RIFF" not in answer.body and b"root:" not in answer.body


def test_a_link_to_a_run_outside_is_not_listed(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "linked").symlink_to(folder / "one")
    runs = Runs.open(tmp_path / "runs")
    assert runs.names() == []
    with pytest.raises(MissingError):
        runs.run_folder("linked")


def test_one_run_alone_can_be_served_without_its_neighbors(folder: Path) -> None:
    runs = Runs.open(folder / "one")
    assert runs.names() == ["one"]
    with pytest.raises(MissingError):
        runs.run_folder("three")


def test_a_manifest_of_many_lines_is_paged_and_searched(served: str, folder: Path) -> None:
    lines = (Utterance(id=str(n), text=f"line {n} end") for n in range(3000))
    Manifest.write(lines, folder / "three" / "round-01" / "long")
    path = "/api/lines?run=three&folder=round-01/long"
    first = Answer(served, path).json
    assert [line["id"] for line in first["lines"]] == [str(n) for n in range(50)]
    second = Answer(served, f"{path}&begin={first['next_begin']}").json
    assert second["lines"][0]["id"] == "50"
    matching = Answer(served, f"{path}&query=LINE%202999%20").json
    assert [line["id"] for line in matching["lines"]] == ["2999"]
    assert matching["next_begin"] is None
    assert Answer(served, f"{path}&begin=7").status == 404
    shutil.rmtree(folder / "three" / "round-01" / "long")


def test_synthetic_speech_can_be_listened_to_from_its_manifest(served: str) -> None:
    path = "/api/lines?run=three&folder=round-01/voices/toy/spoken"
    audio = Answer(served, path).json["lines"][0]["audio"]
    assert Answer(served, audio).body[:4] == b"RIFF"
    pool = Answer(served, "/api/lines?run=three&folder=round-01/pseudo_labels").json["lines"][0]
    assert "audio" not in pool and "data" not in json.dumps(pool)


def test_two_rounds_are_compared_on_the_sets_of_both(served: str) -> None:
    comparison = Answer(served, "/api/compare?first=three/round-01&second=three/round-02").json
    assert comparison["scoreboard"]["steps"]["dev"]["words"]["rate"] == 0
    assert {"plan.mix.human"} <= {change["field"] for change in comparison["changes"]}
    across = Answer(served, "/api/compare?first=one/round-01&second=three/round-01").json
    assert "dev" in across["scoreboard"]["steps"] and "test" not in across["scoreboard"]["steps"]
    assert "other recordings or references" in across["skipped_sets"]["test"]


def test_every_answer_forbids_scripts_and_frames_from_elsewhere(served: str) -> None:
    for path in ("/", "/run/three", "/api/runs", "/nowhere"):
        headers = Answer(served, path).headers
        assert "default-src 'self'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"


def test_another_host_name_that_leads_here_is_refused(served: str) -> None:
    assert Answer(served, "/api/runs", host="evil.example").status == 400


def test_other_machines_need_the_token(folder: Path) -> None:
    with serving(folder, token="s3cret", host="0.0.0.0") as address:
        for path in ("/", "/api/runs", "/audio/three/clips/x.flac", "/static/page.css"):
            assert Answer(address, path).status == 401
        assert Answer(address, "/api/runs", authorization="Bearer wrong").status == 401
        assert Answer(address, "/api/runs", authorization="Bearer s3cret").status == 200
        assert Answer(address, "/?token=wrong").status == 401
        for redirect in (
            Answer(address, "/compare?token=s3cret&first=a"),
            Answer(address, "/compare?first=a", method="POST", body="token=s3cret"),
        ):
            assert redirect.status == 303 and redirect.headers["location"] == "/compare?first=a"
            cookie = redirect.headers["set-cookie"]
            assert "HttpOnly" in cookie and "samesite=strict" in cookie.lower()
            assert Answer(address, "/api/runs", cookie=cookie.split(";")[0]).status == 200
        location = Answer(address, "//evil.example/?token=s3cret").headers["location"]
        assert location == "/evil.example/"


def test_an_open_address_without_a_token_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TWISTER_DASHBOARD_TOKEN", raising=False)
    assert main(["dashboard", str(folder), "--host", "0.0.0.0"]) == 2
    assert "TWISTER_DASHBOARD_TOKEN" in capsys.readouterr().err
    assert main(["dashboard", str(folder / "none")]) == 2
    with pytest.raises(ConfigError, match="no such folder"):
        Runs.open(folder / "none")


@pytest.fixture
def copied(folder: Path, tmp_path: Path) -> Path:
    """A folder with copies of one run, `good` and `bad`, beside files that are not to be read."""
    for name in ("good", "bad"):
        shutil.copytree(folder / "one", tmp_path / "runs" / name)
    shutil.copytree(folder / "one", tmp_path / "outside")
    return tmp_path


@pytest.mark.parametrize(
    "place",
    [
        "run.json",
        "round-01",
        "round-01/report",
        "round-01/report/report.json",
        "round-01/plan.json",
        "round-01/pseudo_labels/manifest.jsonl",
        "round-01/verdict/verdict.json",
        "clips",
        ".summaries",
    ],
)
def test_a_link_out_of_the_folder_is_not_read_and_hides_no_other_run(
    copied: Path, place: str
) -> None:
    link, outside = copied / "runs" / "bad" / place, copied / "outside" / place
    if link.is_dir():
        shutil.rmtree(link)
    else:
        link.unlink()
    link.symlink_to(outside)
    with serving(copied / "runs") as address:
        runs = {run["name"]: run for run in Answer(address, "/api/runs").json}
        assert "error" not in runs["good"] and runs["good"]["outcomes"]
        assert "error" in runs["bad"]
        for path in (
            "/api/run/bad",
            "/api/now/bad",
            "/api/utterances/bad?round=round-01",
            "/api/compare?first=bad/round-01&second=good/round-01",
            "/api/compare?first=good/round-01&second=bad/round-01",
        ):
            assert Answer(address, path).status == 404, path
        assert Answer(address, "/api/run/good").status == 200
        if "manifest" in place or place == "round-01":
            assert Answer(address, "/api/lines?run=bad&folder=round-01/pseudo_labels").status == 404
        if place == "clips":
            clip = next((copied / "outside" / "clips").glob("*.flac")).name
            assert Answer(address, f"/audio/bad/clips/{clip}").status == 404


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("run.json", b""),
        ("run.json", b"[]"),
        ("run.json", b'{"format": 1}'),
        ("round-01/verdict/verdict.json", b"[" * 100_000),
        ("round-01/report/report.json", b"{}"),
        ("round-01/plan.json", b"[]"),
        ("round-01/champion/timing.json", b""),
    ],
)
def test_a_broken_run_is_shown_as_broken_and_hides_no_other(
    copied: Path, file: str, content: bytes
) -> None:
    (copied / "runs" / "bad" / file).write_bytes(content)
    shutil.rmtree(copied / "runs" / "bad" / ".summaries")
    with serving(copied / "runs") as address:
        runs = {run["name"]: run for run in Answer(address, "/api/runs").json}
        assert "error" not in runs["good"] and "error" in runs["bad"]
        assert Answer(address, "/api/run/bad").status in {400, 404}
        assert Answer(address, "/api/run/good").status == 200


@pytest.mark.parametrize(
    "path",
    [
        *(
            f"/api/lines?run=three&folder=round-01/pool&begin={begin}"
            for begin in ("%C2%B2", "%D9%A3", "-1", "x", "", "1e3", 2**63, 2**64, "9" * 5000)
        ),
        f"/api/lines?run=three&folder={'a' * 5000}",
        f"/api/lines?run={'a' * 5000}&folder=round-01/pool",
        f"/api/run/{'a' * 5000}",
        f"/api/now/{'a/' * 2500}",
        f"/api/utterances/three?round={'a' * 5000}",
        f"/api/compare?first={'a' * 5000}&second=three/round-01",
        f"/audio/{'a' * 5000}.wav",
        f"/run/{'a' * 5000}",
        f"/static/{'a' * 5000}",
        "/api/run/a%00b",
        "/audio/%ED%A0%80.wav",
        "/api/lines?run=three&folder=round-01/pool&begin=999999999999999999",
    ],
)
def test_senseless_requests_are_answered_with_400_or_404(served: str, path: str) -> None:
    answer = Answer(served, path)
    # An offset past the end of the file gives an empty page on file systems that allow it.
    is_past_the_end = path.endswith("begin=999999999999999999")
    assert answer.status in ({200, 400, 404} if is_past_the_end else {400, 404})
