"""`twister doctor`: checks of packages, and the commands that it proposes."""

import re
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

from twister_loop.cli import doctor
from twister_loop.cli.main import main

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
EXTRAS = set(PROJECT["optional-dependencies"]) - doctor.NOT_LISTED


def test_every_missing_package_is_proposed_as_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "installed_version", lambda package: None)
    findings = list(doctor.check_packages())
    commands = [re.findall(r"pip install (.+)", finding.detail) for finding in findings]
    proposed = {command for [command] in filter(None, commands)}
    assert proposed == {"twister-loop", *(f"'twister-loop[{extra}]'" for extra in EXTRAS)}
    problems = [finding.name for finding in findings if finding.status == "PROBLEM"]
    assert problems == ["core packages"]


def test_a_version_out_of_range_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    versions = {"sqlalchemy": "2.1.0"}
    monkeypatch.setattr(
        doctor,
        "installed_version",
        lambda package: versions.get(package) or metadata.version(package),
    )
    flows = doctor._check_extra("flows", [doctor.Requirement("sqlalchemy[asyncio]>=2.0,<2.1")])
    assert flows.status == "PROBLEM"
    assert flows.detail == (
        "sqlalchemy 2.1.0 does not match <2.1,>=2.0: pip install 'twister-loop[flows]'"
    )


def test_without_any_extra_the_exit_code_is_0_and_nothing_is_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for module in ("torch", "torchaudio", "transformers", "prefect"):
        monkeypatch.setitem(sys.modules, module, None)
    requirements = metadata.requires("twister-loop") or []
    core = {doctor.Requirement(line).name for line in requirements if "extra ==" not in line}
    monkeypatch.setattr(
        doctor,
        "installed_version",
        lambda package: metadata.version(package) if package in {*core, "twister-loop"} else None,
    )
    monkeypatch.setattr(doctor, "MIN_DISK", 0)
    assert main(["doctor", "--server"]) == 0
    printed = capsys.readouterr().out
    assert "optional extra whisper" in printed and "PROBLEM" not in printed
    assert "ok       core packages" in printed


def test_a_torchcodec_that_cannot_be_imported_is_no_problem_here(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(doctor, "find_spec", lambda name: object())
    monkeypatch.setattr(doctor, "_can_import", lambda module: False)
    broken = doctor._check_torchcodec()
    assert broken.status == "optional" and "the build of torchcodec" in broken.detail


@pytest.mark.model
def test_weights_are_looked_for_and_not_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("twister_loop.core.hub.explain_unreachable", lambda: "no network")
    monkeypatch.setattr("twister_loop.asr.whisper.weights.is_installed", lambda package: False)
    monkeypatch.setattr("twister_loop.asr.whisper.weights._find_in_hub_cache", lambda model: None)

    def fetch(*arguments: object) -> None:
        raise AssertionError("a download was tried")

    monkeypatch.setattr("twister_loop.asr.whisper.weights.locate_weights", fetch)
    finding = doctor._check_weights()
    assert finding.status == "PROBLEM" and "no network" in finding.detail
