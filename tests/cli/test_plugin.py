"""A package with parts of its own, installed by pip and used from the command line."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.own_parts import write_parts
from tests.world import build

pytest.importorskip("setuptools", reason="builds the package; part of the extra `dev`")

PLUGIN = Path(__file__).parents[1] / "plugin_package"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder that the package is installed in."""
    # From a copy, since building leaves files beside the source.
    source, site = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("site")
    for path in PLUGIN.rglob("*"):
        if path.suffix in {".py", ".toml"}:
            (source / path.relative_to(PLUGIN)).parent.mkdir(exist_ok=True)
            (source / path.relative_to(PLUGIN)).write_bytes(path.read_bytes())
    offline = ["--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check"]
    subprocess.run(
        [sys.executable, "-m", "pip", "install", *offline, "--target", str(site), str(source)],
        check=True,
        capture_output=True,
    )
    return site


def twister(*arguments: object, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command in a process that finds what is installed in a folder."""
    root = str(Path(__file__).parents[2])
    paths = os.pathsep.join([root, *([str(path)] if path else [])])
    return subprocess.run(
        [sys.executable, "-m", "twister_loop.cli.main", *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
    )


def test_a_run_with_parts_of_ones_own_is_made_read_without_them_and_explained(
    site: Path, tmp_path: Path
) -> None:
    plan, parts, run = build(tmp_path), write_parts(tmp_path / "parts"), tmp_path / "run"
    text = plan.read_text().replace("rounds: 2", "rounds: 1\nnormalizer: skeleton")
    text = text.replace("  pseudo:\n", "  pseudo:\n    - shouting\n    - wordy\n")
    plan.write_text(text.replace("significant]", "significant, lenient]"))

    process = twister("run", plan, run, "--no-prefect", "--parts", parts, path=site)
    assert process.returncode == 0, process.stderr
    assert "round 1: accepted" in process.stdout
    record = (run / "round-01" / "plan.json").read_text()
    assert "the distribution twister-shout 1.2" in record and "a parts folder" in record
    # No path of code: neither of the folder nor of the package.
    assert str(parts) not in record and str(site) not in record

    # The page and the tables need neither the folder nor the package.
    status = twister("status", run, "--json")
    assert status.returncode == 0, status.stderr
    [round_] = json.loads(status.stdout)["rounds"]
    assert round_["scores"]["dev"]["candidate"]["words"]["hits"]
    assert round_["intervals"]["dev"]["candidate"]["words"].keys() == {"low", "high"}
    assert round_["improved"]["dev"][0]["untouched_chunks"]
    assert twister("report", run).returncode == 0

    # Running does, and says how they were provided.
    refused = twister("round", plan, run, "--no-prefect")
    assert refused.returncode == 2 and "Traceback" not in refused.stderr
    assert (
        "round-01 used 'shouting', which came from the distribution twister-shout 1.2: install it"
        in refused.stderr
    )
    assert "round-01 used 'lenient', which came from a parts folder: name it with" in refused.stderr
