"""The package as it is published: one top-level name, its licences, its version."""

import re
import tomllib
from pathlib import Path

import pytest

import twister_loop
from twister_loop.cli.main import main

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = PYPROJECT["project"]


def test_the_wheel_installs_one_top_level_name() -> None:
    # A second one, such as `flows`, would be imported by and clash with users' own packages.
    assert PYPROJECT["tool"]["hatch"]["build"]["targets"] == {
        "wheel": {"packages": ["twister_loop"]}
    }
    assert PROJECT["scripts"] == {"twister": "twister_loop.cli.main:main"}


def test_licence_files_are_there_and_name_every_library() -> None:
    for name in PROJECT["license-files"]:
        assert (ROOT / name).is_file()
    assert "Version 2.0, January 2004" in (ROOT / "LICENSE").read_text()
    third_party = (ROOT / "THIRD_PARTY.md").read_text().lower()
    extras = PROJECT["optional-dependencies"]
    published = [extras[extra] for extra in extras.keys() - {"all", "dev", "peers"}]
    for requirement in sum(published, PROJECT["dependencies"]):
        name = re.split(r"[\[>=<]", requirement)[0].lower()
        assert re.search(rf"\b{re.escape(name)}\b", third_party), name


def test_the_version_is_the_one_of_the_metadata(capsys: pytest.CaptureFixture[str]) -> None:
    assert twister_loop.__version__ == PROJECT["version"]
    with pytest.raises(SystemExit) as stopped:
        main(["--version"])
    assert stopped.value.code == 0
    assert capsys.readouterr().out == f"twister {PROJECT['version']}\n"
