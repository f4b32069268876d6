"""Worlds for tests, made anew for every test."""

from pathlib import Path

import pytest

from twister_loop import Plan, load

from . import world as toy


@pytest.fixture
def world(tmp_path: Path) -> Path:
    """The toy world; the path of its plan."""
    return toy.build(tmp_path)


@pytest.fixture
def plan(world: Path) -> Plan:
    return load(world)
