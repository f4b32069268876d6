"""`twister new`: the part works, its test passes, and nothing that exists is replaced."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from twister_loop.cli.main import main
from twister_loop.cli.new_part import KINDS
from twister_loop.core.part_origins import VARIABLE


def test_every_kind_of_part_passes_its_test_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for kind in KINDS:
        assert main(["new", kind, f"my_{kind}", "--parts", str(tmp_path / "mine")]) == 0
        printed = capsys.readouterr().out
        assert f"my_{kind}.py" in printed and "In a plan: " in printed
    # In a process of its own, and without the variable that a user may have set.
    environment = {name: text for name, text in os.environ.items() if name != VARIABLE}
    tests = str(tmp_path / "mine" / "tests")
    process = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", tests, "-p", "no:cacheprovider"],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, process.stdout
    assert f"{len(KINDS)} passed" in process.stdout


def test_files_that_exist_are_never_replaced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    test = tmp_path / "tests" / "test_gate_mine.py"
    test.parent.mkdir()
    test.write_text("precious")
    assert main(["new", "gate", "mine", "--parts", str(tmp_path)]) == 2
    assert "test_gate_mine.py: exists already" in capsys.readouterr().err
    assert test.read_text() == "precious" and not (tmp_path / "gates").exists()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Loud-One", "'Loud-One' cannot be the name of a part: write small letters"),
        ("class", "'class' cannot be the name of a part"),
        ("confidence", "the filter 'confidence' is in the package twister_loop"),
        ("emilia", "'emilia' is a preset of filters"),
    ],
)
def test_names_that_cannot_be_used_are_refused(
    tmp_path: Path, name: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["new", "filter", name, "--parts", str(tmp_path)]) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
