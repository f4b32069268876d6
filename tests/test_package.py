"""The package as it is published: one top-level name, its licences, its version."""

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
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


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout."""
    pytest.importorskip("hatchling", reason="builds the wheel; part of the extra `dev`")
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    [path] = folder.glob("*.whl")
    return path


def test_the_wheel_holds_the_package_its_licences_and_the_plans_of_the_demos(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    metadata = f"twister_loop-{PROJECT['version']}.dist-info"
    assert {name.partition("/")[0] for name in names} == {"twister_loop", metadata}
    for name in PROJECT["license-files"]:
        assert f"{metadata}/licenses/{name}" in names
    plans = "twister_loop/cli/plans/"
    assert {name.removeprefix(plans) for name in names if name.startswith(plans)} == {
        "ivr.yaml",
        "quick.yaml",
        "texts/ivr.it.txt",
        "toy.yaml",
    }


def test_the_toy_demo_runs_from_the_wheel_without_a_clone(wheel: Path, tmp_path: Path) -> None:
    installed, elsewhere = tmp_path / "installed", tmp_path / "elsewhere"
    shutil.unpack_archive(wheel, installed, "zip")
    elsewhere.mkdir()
    # -P keeps the working directory off the module path; an editable install comes after the wheel.
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import twister_loop; print(twister_loop.__file__)\n"
        "from twister_loop.cli.main import main\n"
        "sys.exit(main(['demo', '--toy']))"
    )
    process = subprocess.run(
        [sys.executable, "-P", "-c", code, str(installed)],
        cwd=elsewhere,
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, process.stderr
    assert process.stdout.startswith(str(installed)) and "round 1: accepted" in process.stdout
    assert (elsewhere / "twister-toy-demo" / "run" / "index.html").is_file()


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
