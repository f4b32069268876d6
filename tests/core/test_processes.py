"""Module path of the processes that this package starts."""

import subprocess
import sys
from pathlib import Path

import pytest

import twister_loop
from tests.hostile import plant_hostile_modules
from twister_loop.core.processes import child_environment


@pytest.mark.parametrize(
    "options", [("-c", "import twister_loop"), ("-m", "twister_loop.cli.main", "--version")]
)
def test_a_child_imports_nothing_from_the_working_directory(
    options: tuple[str, ...], tmp_path: Path
) -> None:
    witness = plant_hostile_modules(tmp_path)
    process = subprocess.run(
        [sys.executable, *options], cwd=tmp_path, env=child_environment(), capture_output=True
    )
    assert process.returncode == 0, process.stderr
    assert not witness.exists()
    # The check itself works: with an ordinary environment the module is imported.
    subprocess.run([sys.executable, "-c", "import twister_loop"], cwd=tmp_path, check=False)
    assert witness.read_text() == "twister_loop\n"


def test_a_child_imports_from_where_its_parent_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "own_parts.py").write_text("")
    command = [sys.executable, "-c", "import own_parts, twister_loop; print(twister_loop.__file__)"]
    output = subprocess.run(
        command, cwd="/", env=child_environment(), capture_output=True, text=True, check=True
    ).stdout
    assert output.strip() == twister_loop.__file__
