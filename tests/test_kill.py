"""kill -9 at any moment costs at most the window in flight, and changes no byte."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from . import world as toy

ROOT = Path(__file__).parents[1]


def run(plan: Path, folder: Path, fatal: int, stage: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.killing", str(plan), str(folder), str(fatal), stage]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def content(folder: Path) -> dict[str, bytes]:
    """All results; how long it took is none, and paths outside the run do not differ."""
    passed_over = {"timing.json", "lock", "hashes.json"}
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in passed_over
    }


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A toy world with an undisturbed run in it, which wrote as many things as `total` says."""
    home = tmp_path_factory.mktemp("home")
    plan = toy.build(home)
    texts = [f"{word} {word[::-1]} a e" for word in "aie eio oua uie iao oei".split()]
    toy.speak(texts, home / "data" / "pool", labeled=False)
    done = run(plan, home / "undisturbed", 0)
    assert done.returncode == 0, done.stderr
    (home / "total").write_text(done.stdout)
    return home


def test_a_run_killed_again_and_again_ends_in_the_same_bytes(home: Path, tmp_path: Path) -> None:
    world = home / "tone.yaml"
    fatal, kills = int((home / "total").read_text()) // 6, 0
    while run(world, tmp_path / "killed", fatal).returncode == -signal.SIGKILL:
        kills += 1
    assert kills >= 5
    assert content(tmp_path / "killed") == content(home / "undisturbed")


@pytest.mark.parametrize(
    "stage", "pool pseudo lesson spoken verified mixture packed candidate report verdict".split()
)
def test_a_run_killed_inside_a_stage_ends_in_the_same_bytes(
    home: Path, tmp_path: Path, stage: str
) -> None:
    world = home / "tone.yaml"
    killed = run(world, tmp_path / "killed", 2, stage)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    [scratch] = (tmp_path / "killed" / "round-01").rglob(f".{stage}")
    assert not scratch.with_name(stage).exists()
    assert run(world, tmp_path / "killed", 0).returncode == 0
    assert content(tmp_path / "killed") == content(home / "undisturbed")
