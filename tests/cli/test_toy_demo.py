"""`twister demo --toy`: the whole loop without a model, from the package alone."""

import subprocess
import sys
from pathlib import Path

import pytest

from twister_loop import RunFolder, load
from twister_loop.cli import toy_demo
from twister_loop.cli.main import main

EXTRAS = "torch torchaudio transformers TTS prefect plotly starlette silero_vad sklearn librosa"
"""Import names of packages that only extras install."""


def test_the_demo_prints_tables_verdicts_page_and_next_commands(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "demo"
    assert main(["demo", "--toy", str(folder)]) == 0
    printed = capsys.readouterr().out
    assert "round 1: accepted" in printed and "round 2: refused" in printed
    for expected in (
        "untouched",
        "candidate",
        "index.html",
        "Try next:",
        f"twister dashboard {folder}",
    ):
        assert expected in printed
    assert len(RunFolder.read(folder / "run").finished_rounds) == 2
    assert load(folder / "toy.yaml").rounds == 2


def test_a_second_demo_in_the_same_folder_repeats_no_round(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["demo", "--toy", str(tmp_path / "demo")]) == 0
    files = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("manifest.jsonl")}
    capsys.readouterr()
    assert main(["demo", "--toy", str(tmp_path / "demo")]) == 0
    assert "untouched" in capsys.readouterr().out
    assert files == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("manifest.jsonl")}


def test_the_demo_needs_no_extra(tmp_path: Path) -> None:
    # A module that is None in `sys.modules` cannot be imported.
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({EXTRAS.split()!r}))\n"
        "from twister_loop.cli.main import main\n"
        "sys.exit(main(['demo', '--toy', sys.argv[1]]))"
    )
    process = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "demo")], capture_output=True, text=True
    )
    assert process.returncode == 0, process.stderr
    assert "round 1: accepted" in process.stdout


def test_the_demo_refuses_a_folder_of_other_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "letter.txt").write_text("dear Ada")
    assert main(["demo", "--toy", str(tmp_path)]) == 2
    assert "name a new folder" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_the_repository_shows_the_same_plan() -> None:
    shown = Path(__file__).parents[2] / "configs" / "toy.yaml"
    assert shown.is_symlink(), "configs/toy.yaml is a link; edit the plan that it points to"
    assert shown.read_bytes() == toy_demo.PLAN.read_bytes()
