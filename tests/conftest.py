"""Fixtures of all tests."""

import sys
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from twister_loop import load
from twister_loop.types import Plan

from . import world as toy

settings.register_profile("house", deadline=None)  # timings are never asserted
settings.load_profile("house")


LONG_TIERS = ("overfit", "slow")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--long", action="store_true", help=f"also run tests marked {' or '.join(LONG_TIERS)}"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out tests of minutes, unless --long or -m names their tier."""
    if config.getoption("--long"):
        return
    left_out = [tier for tier in LONG_TIERS if tier not in config.getoption("markexpr")]
    long = [test for test in items if any(map(test.get_closest_marker, left_out))]
    items[:] = [test for test in items if test not in long]
    config.hook.pytest_deselected(items=long)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Escape what UTF-8 cannot encode, such as parts of file names in the log of a test.

    The processes of tests send reports as UTF-8, and one that cannot be sent ends all of them.
    """
    report = yield
    report.sections = [(title, _escape(text)) for title, text in report.sections]
    if report.longrepr and (text := str(report.longrepr)) != _escape(text):
        report.longrepr = _escape(text)
    return report


def _escape(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


@pytest.fixture
def world(tmp_path: Path) -> Path:
    """Path of the plan of a new toy world."""
    return toy.build(tmp_path)


@pytest.fixture
def plan(world: Path) -> Plan:
    return load(world)


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    """Check that a test does not change the number of threads, which changes the digits of sums."""
    torch = sys.modules.get("torch")
    thread_count = torch.get_num_threads() if torch else None
    yield
    if thread_count:
        assert sys.modules["torch"].get_num_threads() == thread_count
