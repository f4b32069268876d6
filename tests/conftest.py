"""Worlds for tests, made anew for every test."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from twister_loop import Plan, load

from . import world as toy

settings.register_profile("house", deadline=None)  # timings are never asserted
settings.load_profile("house")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Learning ten clips by heart takes minutes: only where it is asked for, `-m overfit`."""
    if "overfit" not in config.getoption("markexpr"):
        items[:] = [each for each in items if not each.get_closest_marker("overfit")]


@pytest.fixture
def world(tmp_path: Path) -> Path:
    """The toy world; the path of its plan."""
    return toy.build(tmp_path)


@pytest.fixture
def plan(world: Path) -> Plan:
    return load(world)


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    """What takes torch's threads gives them back: with others, sums come out in another order."""
    torch = sys.modules.get("torch")
    before = torch.get_num_threads() if torch else None
    yield
    if before:
        assert sys.modules["torch"].get_num_threads() == before
