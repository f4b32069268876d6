"""What is exported is read by those it is for."""

import csv
import json
from pathlib import Path

import pytest
import yaml

from tests import world as toy
from twister_loop import load, next_round
from twister_loop.audio import io as audio
from twister_loop.cli.main import main
from twister_loop.core.artifacts import read_json, write_json
from twister_loop.reporting.export import card, export
from twister_loop.reporting.summary import Summary, summarize


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two rounds, the first accepted; its candidate noted its training."""
    home = tmp_path_factory.mktemp("exports")
    world = toy.build(home)
    next_round(load(world), home / "run")
    next_round(load(world, {"mix": {"human": 2}}), home / "run")
    log = home / "run" / "round-01" / "candidate" / "training.jsonl"
    log.write_text('{"step": 1, "loss": 2.5, "learning_rate": 0.1}\n{"step": 2, "loss": 1.5}\n')
    return home / "run"


def test_every_rate_is_a_line_of_the_table(run: Path, tmp_path: Path) -> None:
    assert main(["export", str(run), str(tmp_path / "out")]) == 0
    with (tmp_path / "out" / "metrics.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == 2 * 3 * 3 * 3  # rounds, sets, models, measures
    [one] = [
        each
        for each in lines
        if (each["round"], each["set"], each["model"], each["measure"])
        == ("1", "test", "candidate", "WER")
    ]
    assert (one["rate"], one["hits"], one["verdict"]) == ("0.0", "13", "accepted")
    told = read_json(tmp_path / "out" / "metrics.json")
    assert set(told) == set(Summary.__dataclass_fields__) and len(told["rounds"]) == 2


def test_curves_and_rates_are_read_back_by_tensorboard(run: Path, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    list(export(run, tmp_path / "out"))
    board = tmp_path / "out" / "tensorboard"
    training = EventAccumulator(str(board / "round-01" / "candidate")).Reload()
    assert [(e.step, e.value) for e in training.Scalars("training/loss")] == [(1, 2.5), (2, 1.5)]
    rates = EventAccumulator(str(board / "rounds" / "candidate")).Reload()
    assert [each.step for each in rates.Scalars("WER/test")] == [1, 2]


def test_what_was_trained_on_becomes_an_audiofolder(run: Path, tmp_path: Path) -> None:
    list(export(run, tmp_path / "out", with_data=True))
    split = tmp_path / "out" / "data" / "train"
    lines = [json.loads(each) for each in (split / "metadata.jsonl").read_text().splitlines()]
    assert {each["origin"] for each in lines} == {"human", "pseudo", "synthetic"}
    for each in lines:
        assert audio.read_duration(split / each["file_name"]) == pytest.approx(
            each["duration"], abs=0.01
        )
    assert len({tuple(each) for each in lines}) == 1  # the same columns in every line


def test_the_card_says_what_got_worse_and_that_no_license_was_named(run: Path) -> None:
    summary = summarize(run)
    text = card.render_card(run / "round-01", summary, None)
    front = yaml.safe_load(text.split("---")[1])
    assert front["library_name"] == "transformers" and "license" not in front
    assert front["language"] == ["en"]
    assert "On none of the sets above" in text and "No license was named" in text
    second = card.render_card(run / "round-02", summary, "cc-by-sa-3.0")
    assert yaml.safe_load(second.split("---")[1])["license"] == "cc-by-sa-3.0"
    assert "{{" not in text and "{%" not in text


def test_a_set_that_lost_is_named_in_the_card(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    summary = summarize(run)
    this = summary.rounds[0]
    lost = this.changes["dev"]["words"].__class__(0.02, -0.01, 0.05, 0.1, "utterances")
    changes = {**this.changes, "dev": {**this.changes["dev"], "words": lost}}
    monkeypatch.setitem(this.__dict__, "changes", changes)
    text = card.render_card(run / "round-01", summary, None)
    assert "dev (development), words: +2.00 points (-1.00 to +5.00; may be chance)" in text


def test_without_an_accepted_candidate_there_are_figures_and_no_model(
    world: Path, tmp_path: Path
) -> None:
    next_round(load(world, {"gates": [{"use": "minimum_gain", "at_least": 9}]}), tmp_path / "run")
    said = list(export(tmp_path / "run", tmp_path / "out"))
    assert "no candidate was accepted" in said[0] and not (tmp_path / "out" / "model").exists()
    assert (tmp_path / "out" / "metrics.csv").is_file()


def test_a_folder_that_holds_something_is_left_alone(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_json({}, tmp_path / "mine.json")
    assert main(["export", str(run), str(tmp_path)]) == 2
    assert "not empty" in capsys.readouterr().err
