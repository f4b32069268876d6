"""AGENTS.md is true: its commands parse, the first of them run, and what it names exists."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from twister_loop.cli.main import main
from twister_loop.cli.parser import build_parser

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "AGENTS.md").read_text(encoding="utf-8")
TRIAL, OWN_DATA, CHANGES = (
    block.splitlines() for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
)


@pytest.mark.parametrize("line", [*TRIAL, *OWN_DATA])
def test_commands_are_those_of_the_parser(line: str) -> None:
    program, *arguments = shlex.split(line)
    assert program == "twister"
    assert build_parser().parse_args(arguments).json


def test_the_trial_runs_from_top_to_bottom(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for line in TRIAL:
        capsys.readouterr()
        assert main(shlex.split(line)[1:]) == 0, line
        assert isinstance(json.loads(capsys.readouterr().out), dict)
    [code] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    capsys.readouterr()
    exec(code, {})
    assert capsys.readouterr().out.splitlines() == [
        "1 accepted",
        "2 refused",
        "round-01/candidate",
    ]


def test_targets_and_files_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for line in CHANGES:
        words = line.split()
        if words[0] == "make":
            assert re.search(rf"^{words[1]}:", makefile, re.MULTILINE), line
        else:
            assert (ROOT / words[-1]).is_file(), line
    for name in re.findall(r"`((?:tests|twister_loop)/[\w/.]*|cli/\w+\.py)`", PAGE):
        assert (ROOT / name).exists() or (ROOT / "twister_loop" / name).exists(), name
