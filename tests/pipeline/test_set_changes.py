"""Held-out sets that change between rounds: small changes are told, large ones need a name."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests import world as toy
from twister_loop import Utterance, load, next_round
from twister_loop.asr.toy import ToyRecognizer
from twister_loop.core.manifest import Manifest
from twister_loop.errors import ConfigError
from twister_loop.evaluation.outcomes import HeldOutSet
from twister_loop.pipeline.set_changes import SetChange, SetChanges, check_set_changes
from twister_loop.text.normalizers.basic import Basic
from twister_loop.types import Plan, Report


def speech(numbers: range, folder: Path, **changed: str) -> Manifest:
    """Write a set of numbered utterances, some of them with another reference."""
    lines = [
        Utterance(
            id=f"{number:0>16}",
            audio_filepath=Path(f"/{number}.wav"),
            duration=1.0,
            text=changed.get(f"n{number}", f"Number {number}."),
            lang="en",
        )
        for number in numbers
    ]
    return Manifest.write(lines, folder)


def check(run: Path, *rounds: range, **changed: str) -> SetChanges | None:
    """Write rounds with a development set each, check the last one, and return its record."""
    for number, numbers in enumerate(rounds, 1):
        folder = run / f"round-{number:02d}"
        last = speech(
            numbers,
            folder / "inputs" / "development" / "dev",
            **(changed if number == len(rounds) else {}),
        )
    finished = [run / f"round-{number:02d}" for number in range(1, len(rounds))]
    check_set_changes({"dev": HeldOutSet("development", last)}, finished, Basic(), folder)
    record = folder / "inputs"
    return SetChanges.load(record) if (record / "set_changes.json").is_file() else None


def test_a_set_that_stays_or_is_written_otherwise_has_not_changed(tmp_path: Path) -> None:
    assert check(tmp_path / "first", range(30)) is None
    assert check(tmp_path / "second", range(30), range(30)) is None
    # The normalizer makes these equal, so no count differs.
    assert check(tmp_path / "third", range(30), range(30), n3="NUMBER three") is None


def test_small_changes_are_told_with_numbers(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    record = check(tmp_path, range(100), range(2, 130), n5="another", n7="one more")
    change = SetChange("dev", "development", 1, 100, gone=2, relabeled=2, added=30)
    assert record == SetChanges((change,))
    assert (
        "development.dev: since round 1, which had 100 utterances: 2 gone, 2 with another "
        "reference, language or duration, 30 added; all models are measured on the set as it is now"
    ) in caplog.text


@pytest.mark.parametrize(
    ("rounds", "reason"),
    [
        ([range(80), range(20, 80)], r"of 80 utterances .* 20 are gone \(0\.wav, 1\.wav, 2\.wav"),
        ([range(40), range(3, 43)], r"of 40 utterances .* 3 are gone \(0\.wav, 1\.wav, 2\.wav\)"),
        # In a large set, too: as many as make a set.
        ([range(1000), range(20, 1000)], r"20 are gone"),
        # One or two in each round, which nobody would notice.
        ([range(40), range(1, 40), range(2, 40), range(3, 40)], r"of 40 utterances .* 3 are gone"),
    ],
)
def test_a_set_that_lost_recordings_is_refused(
    tmp_path: Path, rounds: list[range], reason: str
) -> None:
    with pytest.raises(ConfigError, match=rf"development\.dev: .*{reason}.*`dev-2`"):
        check(tmp_path, *rounds)


def test_as_much_as_is_allowed_is_told_only(tmp_path: Path) -> None:
    assert check(tmp_path / "two of forty", range(40), range(2, 40))
    assert check(tmp_path / "one of four", range(4), range(1, 4))
    assert check(tmp_path / "many", range(1000), range(19, 1000))


def test_references_that_were_exchanged_are_refused(tmp_path: Path) -> None:
    shifted = {f"n{number}": f"number {number + 1}" for number in range(30)}
    with pytest.raises(ConfigError, match="30 have another reference, language or duration"):
        check(tmp_path, range(30), range(30), **shifted)


def test_all_models_are_measured_anew_on_the_set_as_it_is(plan: Plan, tmp_path: Path) -> None:
    data, run = tmp_path / "data" / "development", tmp_path / "run"
    first = next_round(plan, run)
    rows = (data / "metadata.jsonl").read_text().splitlines()
    toy.speak([*toy.DEVELOPMENT, "aia oui e"], data)
    toy.speak(["uoa uia", "aue i"], tmp_path / "data" / "pool" / "second", labeled=False)
    second = next_round(plan, run)
    for stage in ("untouched", "champion", "report"):
        before, now = (Report.load(done.folder / stage).score("dev") for done in (first, second))
        assert (before.utterances, now.utterances) == (2, 3), stage
    (data / "2.wav").unlink()
    (data / "1.wav").unlink()
    (data / "metadata.jsonl").write_text(f"{rows[0]}\n")
    with pytest.raises(ConfigError, match=r"development\.dev: of 3 .* 2 are gone \(1\.wav, 2\.wav"):
        next_round(plan, run)
    assert sorted(path.name for path in run.glob("*round-03*")) == []
    # The remedy of the message.
    toy.speak(["iue aoa", "oui e"], tmp_path / "data" / "pool" / "third", labeled=False)
    (tmp_path / "renamed.yaml").write_text(plan.source.replace("{dev:", "{dev-2:"))
    third = next_round(load(tmp_path / "renamed.yaml"), run)
    assert third.report.score("dev-2").utterances == 1
    assert third.verdict.looks == {"dev-2": 3, "vowels": 3}


def test_an_unchanged_set_is_not_transcribed_again(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    next_round(plan, tmp_path / "run")
    toy.speak(["uoa uia", "aue i"], tmp_path / "data" / "pool" / "second", labeled=False)
    transcribed: list[str] = []
    transcribe = ToyRecognizer.transcribe

    def record(self: ToyRecognizer, checkpoint: object, lines: object) -> object:
        for line in transcribe(self, checkpoint, lines):  # type: ignore[arg-type]
            transcribed.append(f"{line.audio_filepath.parent.name} {checkpoint}")
            yield line

    monkeypatch.setattr(ToyRecognizer, "transcribe", record)
    second = next_round(replace(plan, rounds=3), tmp_path / "run")
    held_out = [name for name in transcribed if name.startswith("development")]
    # The candidate alone: both others were measured in the first round.
    assert len(held_out) == second.report.score("dev").utterances
    assert json.loads((second.folder / "report" / "report.json").read_text())["scores"]
