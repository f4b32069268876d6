"""Reproduction: the same plan, seed and machine give the same bytes; edits are named."""

import json
import shutil
from pathlib import Path

import pytest

from twister_loop import RunFolder, load, next_round, refine
from twister_loop.cli.main import main
from twister_loop.core.artifacts import read_json, write_json
from twister_loop.core.environment import Environment, describe_environment
from twister_loop.errors import ConfigError
from twister_loop.pipeline.experiments.reproduce import reproduce
from twister_loop.pipeline.run_folder import PruneOptions


@pytest.fixture
def run(world: Path, tmp_path: Path) -> Path:
    # Both rounds are accepted; the second begins from another champion, so it is news.
    text = world.read_text().replace("gates: [no_regression, significant]", "gates: []")
    world.write_text(text)
    list(refine(load(world), tmp_path / "run"))
    return tmp_path / "run"


def test_a_run_is_reproduced_byte_for_byte_from_its_own_records(
    run: Path, world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world.unlink()
    assert main(["reproduce", str(run)]) == 0
    printed = capsys.readouterr().out
    assert "round 2: " in printed and "all files are identical" in printed
    [first, second] = reproduce(run, run.with_name("run.again"))
    assert (
        first.is_identical
        and second.is_identical
        and first.file_count > 10
        and not first.machine_differences
    )


def edit(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b" ")


EDITED = (
    "inputs/development/dev/manifest.jsonl",
    "pseudo_labels/manifest.jsonl",
    "voices/toy/spoken/audio/*.wav",
    "candidate/codebook.json",
    "report/report.json",
    "verdict/verdict.json",
)
"""Patterns of files of a round, one of each kind, in the order of the loop."""


def test_files_that_were_edited_on_disk_are_named_in_the_order_of_the_loop(run: Path) -> None:
    again = run.parent / "elsewhere"
    list(reproduce(run, again))
    folder = run / "round-02"
    edited = [next(folder.glob(pattern)) for pattern in EDITED]
    for path in edited:
        edit(path)
    (folder / "pool" / "stray.txt").write_text("added")
    # Notes are no results: seconds, versions and logs differ between repetitions.
    for name in ("pool/timing.json", "pool/made.json", "plan.json", "report/decoder.json"):
        edit(folder / name)
    (folder / "pool" / "a.log").touch()
    [first, second] = reproduce(run, again)
    assert first.is_identical
    named = [str(path.relative_to(folder)) for path in edited]
    assert second.differing_files == (named[0], "pool/stray.txt", *named[1:])
    audio = [path for path in folder.rglob("*.wav") if "/." not in str(path)]
    assert second.file_count > len(audio) > 0 and second.pruned_count == 0


def test_pruned_files_are_compared_by_the_digest_that_was_recorded(run: Path) -> None:
    RunFolder.read(run).prune(PruneOptions(last=1))
    assert not list((run / "round-01").rglob("*.wav"))
    [first, _] = reproduce(run, run.parent / "elsewhere")
    assert first.is_identical and first.pruned_count == 0
    # Earlier versions recorded no digests of audio.
    record = next((run / "round-01").glob("voices/toy/spoken/made.json"))
    content = {
        name: digest
        for name, digest in read_json(record)["content"].items()
        if not name.endswith(".wav")
    }
    write_json({**read_json(record), "content": content}, record)
    [first, _] = reproduce(run, run.parent / "elsewhere")
    assert first.is_identical and first.pruned_count == 2


def test_differences_of_the_machines_are_named(run: Path) -> None:
    machine = describe_environment()
    other_machine = Environment("2.7", machine.system, "a slide rule", 1, {"numpy": "0.1"})
    other_machine.save(run / "round-01")
    [first, _] = reproduce(run, run.parent / "elsewhere")
    assert f"processor: a slide rule -> {machine.processor}" in first.machine_differences
    assert any(line.startswith("packages.numpy: 0.1 -> ") for line in first.machine_differences)


def test_looks_of_a_round_that_was_set_aside_are_repeated(run: Path) -> None:
    # As after `--restart` of a round whose candidate had been evaluated already.
    shutil.rmtree(run / "round-02")
    write_json({"format": 3}, run / "run.json")
    aside = run / "round-02.aside-1"
    shutil.copytree(run / "round-01" / "inputs", aside / "inputs")
    shutil.copytree(run / "round-01" / "report", aside / "report")
    edit(aside / "report" / "made.json")
    next_round(load(run / "round-01" / "plan.yaml"), run)
    [_, second] = reproduce(run, run.parent / "elsewhere")
    assert second.is_identical, second.differing_files


def test_a_missing_round_is_told(run: Path) -> None:
    (run / "round-01").rename(run.parent / "round-01")
    with pytest.raises(ConfigError, match="round 1 is missing, so later rounds cannot be repeated"):
        list(reproduce(run, run.parent / "elsewhere"))


def test_a_run_without_finished_rounds_or_into_itself_is_refused(run: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="into itself"):
        list(reproduce(run, run))
    with pytest.raises(ConfigError, match="no run here"):
        list(reproduce(tmp_path / "nothing", tmp_path / "into"))


def test_a_round_records_its_machine_and_seed(run: Path) -> None:
    recorded = Environment.load(run / "round-01")
    assert (
        recorded == describe_environment() and recorded.cores >= 1 and "numpy" in recorded.packages
    )
    assert json.loads((run / "round-01" / "plan.json").read_text())["seed"] > 0
