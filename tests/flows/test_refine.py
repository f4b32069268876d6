"""Rounds through Prefect on a real temporary server."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.hostile import plant_hostile_modules
from tests.operating import ROOT, TWISTER
from twister_loop import load, refine
from twister_loop.reporting.summary import summarize

pytest.importorskip("prefect")
pytestmark = pytest.mark.prefect


def twister(
    *arguments: str | Path, home: Path, folder: Path = ROOT
) -> subprocess.CompletedProcess[str]:
    """Run a command in `folder`, with Prefect's files in `home`."""
    inherited = {name: text for name, text in os.environ.items() if not name.startswith("PREFECT_")}
    environment = inherited | {"PREFECT_HOME": str(home), "NO_COLOR": "1", "PYTHONPATH": str(ROOT)}
    command = [*TWISTER, *map(str, arguments)]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=240
    )


def test_a_run_through_prefect_makes_the_same_folders_as_without_in_any_working_directory(
    world: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "working-directory"
    folder.mkdir()
    witness = plant_hostile_modules(folder)
    arguments = ("run", world, tmp_path / "run", "--prefect")
    process = twister(*arguments, home=tmp_path / "prefect", folder=folder)
    assert not witness.exists(), witness.read_text()
    assert process.returncode == 0, process.stderr
    list(refine(load(world), tmp_path / "plain"))
    for path in (tmp_path / "plain").rglob("manifest.jsonl"):
        twin = tmp_path / "run" / path.relative_to(tmp_path / "plain")
        assert twin.read_bytes() == path.read_bytes()
    assert [round_.accepted for round_ in summarize(tmp_path / "run").rounds] == [True, False]
    log = process.stdout + process.stderr
    assert "round-01/pseudo_labels" in log and "round-02/verdict" in log


def test_an_error_of_the_user_is_one_sentence_through_prefect_too(
    world: Path, tmp_path: Path
) -> None:
    (world.parent / "data" / "texts.txt").unlink()
    process = twister("run", world, tmp_path / "run", "--prefect", home=tmp_path / "prefect")
    assert process.returncode == 2
    assert "texts.txt: cannot read the file" in process.stderr.splitlines()[-1]
