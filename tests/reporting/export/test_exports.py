"""Exports are read by the programs that they are for."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from tests import world as toy
from tests.windowed import run_rounds
from twister_loop import load, next_round
from twister_loop.audio import io as audio
from twister_loop.cli.main import main
from twister_loop.core.artifacts import read_json, write_json
from twister_loop.core.tallies import Tally
from twister_loop.data.corpora._base import Corpus
from twister_loop.evaluation.gates.minimum_gain import MinimumGain
from twister_loop.reporting.export import card, export
from twister_loop.reporting.summary import Summary, summarize


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two rounds, the first accepted; its candidate has a training log."""
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
    [line] = [
        line
        for line in lines
        if (line["round"], line["set"], line["model"], line["measure"])
        == ("1", "test", "candidate", "WER")
    ]
    assert (line["rate"], line["hits"], line["verdict"]) == ("0.0", "13", "accepted")
    summary = read_json(tmp_path / "out" / "metrics.json")
    assert set(summary) == set(Summary.__dataclass_fields__) and len(summary["rounds"]) == 2


def test_curves_and_rates_are_read_back_by_tensorboard(run: Path, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    list(export(run, tmp_path / "out"))
    board = tmp_path / "out" / "tensorboard"
    training = EventAccumulator(str(board / "round-01" / "candidate")).Reload()
    assert [(event.step, event.value) for event in training.Scalars("training/loss")] == [
        (1, 2.5),
        (2, 1.5),
    ]
    rates = EventAccumulator(str(board / "rounds" / "candidate")).Reload()
    assert [event.step for event in rates.Scalars("WER/test")] == [1, 2]


def test_the_training_data_becomes_an_audiofolder(run: Path, tmp_path: Path) -> None:
    list(export(run, tmp_path / "out", with_data=True))
    split = tmp_path / "out" / "data" / "train"
    lines = [json.loads(line) for line in (split / "metadata.jsonl").read_text().splitlines()]
    assert {line["origin"] for line in lines} == {"human", "pseudo", "synthetic"}
    for line in lines:
        seconds = audio.read_duration(split / line["file_name"])
        assert seconds == pytest.approx(line["duration"], abs=0.01)
    assert len({tuple(line) for line in lines}) == 1  # the same columns in every line
    read = list(Corpus.build({"use": "audiofolder", "folder": str(split)}).utterances())
    texts = {Path(line["file_name"]).name: line["text"] for line in lines}
    assert {line.audio_filepath.name: line.text for line in read if not line.rejected_by} == texts
    # A mixture repeats some utterances, whose audio is written once.
    assert {line.rejected_by for line in read} <= {None, "duplicate_row"}


@pytest.mark.model
def test_the_exported_data_is_read_by_the_library_datasets(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "hf")
    [line] = [
        line for line in export(run, tmp_path / "out", with_data=True) if line.startswith("data:")
    ]
    folder = tmp_path / "out" / "data"
    assert f"{{use: audiofolder, folder: {folder / 'train'}}}" in line
    lines = (folder / "train" / "metadata.jsonl").read_text(encoding="utf-8").splitlines()
    corpus = Corpus.build({"use": "huggingface", "folder": str(folder), "speaker": "speaker"})
    assert [utterance.text for utterance in corpus.utterances()] == [
        json.loads(line)["text"] for line in lines
    ]


def test_the_card_names_regressions_and_a_missing_license(run: Path) -> None:
    summary = summarize(run)
    text = card.render_card(run / "round-01", summary, None)
    front = yaml.safe_load(text.split("---")[1])
    assert front["library_name"] == "transformers" and "license" not in front
    assert front["language"] == ["en"]
    assert "On none of the sets above" in text and "No license was named" in text
    second = card.render_card(run / "round-02", summary, "cc-by-sa-3.0")
    assert yaml.safe_load(second.split("---")[1])["license"] == "cc-by-sa-3.0"
    assert "{{" not in text and "{%" not in text


def test_a_set_with_more_errors_is_named_in_the_card(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    summary = summarize(run)
    first = summary.rounds[0]
    worse = first.changes["dev"]["words"].__class__(0.02, -0.01, 0.05, 0.1, "utterances")
    changes = {**first.changes, "dev": {**first.changes["dev"], "words": worse}}
    monkeypatch.setitem(first.__dict__, "changes", changes)
    text = card.render_card(run / "round-01", summary, None)
    line = "dev (development), WER in own context: +2.00 points (-1.00 to +5.00; may be chance)"
    assert line in text


@pytest.fixture(scope="module")
def windowed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run in both decodings."""
    return run_rounds(tmp_path_factory.mktemp("windowed"), rounds=1)


def test_the_card_has_both_decodings_of_every_set_with_intervals(windowed: Path) -> None:
    text = card.render_card(windowed / "round-01", summarize(windowed), None)
    lines = text.splitlines()
    [own, standard] = [line for line in lines if line.startswith("| test (test) |")]
    assert own == (
        "| test (test) | own context | 3 | WER 105.88 (75.0-116.7) | WER 0.00 (0.0-0.0) "
        "| -105.88 (-116.67 to -75.00) |  |"
    )
    assert standard.startswith("| test (test) | 30 s windows with timestamps | 2 | WER 100.00 (")
    assert standard.endswith("| 50.0 % -> 50.0 % |")
    assert any(line.startswith("| talks-long (test, long recordings) | own") for line in lines)
    assert any(line.startswith("| japanese (retention) | own context | 2 | CER") for line in lines)
    header = lines[lines.index(next(line for line in lines if line.startswith("| set |")))]
    assert {line.count("|") for line in (header, own, standard)} == {header.count("|")}
    assert "as other tools decode" in text
    assert yaml.safe_load(text.split("---")[1])["metrics"] == ["cer", "wer"]


def test_the_table_and_the_curves_have_both_decodings(windowed: Path, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    list(export(windowed, tmp_path / "out"))
    with (tmp_path / "out" / "metrics.csv").open(newline="") as file:
        lines = [line for line in csv.DictReader(file) if line["model"] == "candidate"]
    own = {line["set"]: line["measure"] for line in lines if line["own_measure"] == "True"}
    assert own["test"] == "WER" and own["japanese"] == "CER" and own["all retention sets"] == "MER"
    by_decoding = {
        line["decoding"]: (line["utterances"], line["right_timestamps"], line["judged_timestamps"])
        for line in lines
        if (line["set"], line["measure"]) == ("test", "WER")
    }
    assert by_decoding == {"clip": ("3", "0", "0"), "standard": ("2", "1", "2")}
    board = tmp_path / "out" / "tensorboard" / "rounds" / "candidate"
    tags = EventAccumulator(str(board)).Reload().Tags()["scalars"]
    assert {"CER/japanese", "CER in 30 s windows/japanese"} <= set(tags)


def test_without_an_accepted_candidate_only_the_scores_are_exported(
    world: Path, tmp_path: Path
) -> None:
    unreachable = MinimumGain(at_least=9)  # more than any plan may ask for
    next_round(replace(load(world), gates=(unreachable,)), tmp_path / "run")
    lines = list(export(tmp_path / "run", tmp_path / "out"))
    assert "no candidate was accepted" in lines[0] and not (tmp_path / "out" / "model").exists()
    assert (tmp_path / "out" / "metrics.csv").is_file()


def test_a_folder_that_is_not_empty_is_refused(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_json({}, tmp_path / "mine.json")
    assert main(["export", str(run), str(tmp_path)]) == 2
    assert "not empty" in capsys.readouterr().err


def test_names_in_the_card_never_become_markup(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    summary = summarize(run)
    first = summary.rounds[0]
    for field in ("scores", "intervals", "changes"):
        renamed = {f"<b>|{name}": content for name, content in getattr(first, field).items()}
        monkeypatch.setitem(first.__dict__, field, renamed)
    monkeypatch.setitem(first.__dict__, "languages", {"pseudo": {"no": Tally(1, 60.0)}})
    text = card.render_card(run / "round-01", summary, None)
    assert "| \\<b>\\|dev (development) |" in text and "<b>" not in text.replace("\\<b>", "")
    assert yaml.safe_load(text.split("---")[1])["language"] == ["no"]  # in YAML, no is false
