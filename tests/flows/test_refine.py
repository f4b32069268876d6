"""The flow is the loop, seen by Prefect: a real server, ephemeral."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from twister_loop.reporting.summary import summarize

pytest.importorskip("prefect")
pytestmark = pytest.mark.prefect

ROOT = Path(__file__).parents[2]


def twister(*arguments: str | Path, home: Path) -> subprocess.CompletedProcess[str]:
    """The command in its own process, with a Prefect of its own."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")
    } | {"PREFECT_HOME": str(home), "NO_COLOR": "1"}
    command = [sys.executable, "-m", "twister_loop.cli.main", *map(str, arguments)]
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=240
    )


def test_a_run_through_prefect_makes_the_same_folders_as_without(
    world: Path, tmp_path: Path
) -> None:
    done = twister("run", world, tmp_path / "run", "--prefect", home=tmp_path / "prefect")
    assert done.returncode == 0, done.stderr
    plain = twister("run", world, tmp_path / "plain", "--no-prefect", home=tmp_path / "prefect")
    assert plain.returncode == 0, plain.stderr
    for path in (tmp_path / "plain").rglob("manifest.jsonl"):
        twin = tmp_path / "run" / path.relative_to(tmp_path / "plain")
        assert twin.read_bytes() == path.read_bytes()
    assert [each.accepted for each in summarize(tmp_path / "run").rounds] == [True, False]
    log = done.stdout + done.stderr
    assert "round-01/pseudo_labels" in log and "round-02/verdict" in log


def test_the_users_mistake_is_one_sentence_through_prefect_too(world: Path, tmp_path: Path) -> None:
    (world.parent / "data" / "texts.txt").unlink()
    done = twister("run", world, tmp_path / "run", "--prefect", home=tmp_path / "prefect")
    assert done.returncode == 2
    assert "texts.txt: no UTF-8 text" in done.stderr.splitlines()[-1]
