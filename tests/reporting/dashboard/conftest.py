"""A folder of runs, made once, and a real server for it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests import world as toy
from tests.serving import serve
from tests.windowed import run_rounds
from twister_loop import load, next_round
from twister_loop.reporting import dashboard

HOSTILE = "<script>document.title='owned'</script> jumps"
RIGHT_TO_LEFT = "שלום עולם"
KOREAN, CHINESE = "안녕하세요 여러분", "你好 世界"


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two toy runs: one of one round, and one of three rounds with texts in several scripts."""
    home = tmp_path_factory.mktemp("dashboard")
    world, data, runs = toy.build(home), home / "data", home / "runs"
    next_round(load(world), runs / "one")
    dashboard.write_page(runs / "one")
    metadata = data / "test" / "metadata.jsonl"
    line = '{"file_name": "%d.wav", "text": "%s"}\n'
    texts = ("the five boxing wizards jump quickly", HOSTILE, RIGHT_TO_LEFT, KOREAN, CHINESE)
    toy.speak([*toy.TEST, "a rose", "io e", "e lui"], data / "test")
    metadata.write_text("".join(line % numbered for numbered in enumerate(texts)), encoding="utf-8")
    plans = ({}, {"mix": {"human": 2}}, {"mix": {"human": 3}, "gates": ["significant"]})
    for changes in plans:
        next_round(load(world, changes), runs / "three")
        dashboard.write_page(runs / "three")
    return runs


@pytest.fixture(scope="session")
def windowed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one run, of two rounds in both decodings."""
    run = run_rounds(tmp_path_factory.mktemp("windowed"))
    dashboard.write_page(run)
    return run.parent


@contextmanager
def serving(runs: Path, token: str | None = None, host: str = "127.0.0.1") -> Iterator[str]:
    """Run a server in a thread; yields its address."""
    pytest.importorskip("uvicorn")
    from twister_loop.reporting.dashboard import server
    from twister_loop.reporting.dashboard.folder import Runs

    with serve(server.create_app(Runs.open(runs), host, token)) as address:
        yield address


@pytest.fixture(scope="session")
def served(folder: Path) -> Iterator[str]:
    with serving(folder) as address:
        yield address
