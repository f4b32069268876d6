"""Recall of key terms stands beside the error rates, wherever a round is shown."""

from pathlib import Path

import pytest

from tests.pages import rounds_of_page
from tests.windowed import run_rounds
from twister_loop.cli.main import main
from twister_loop.core.artifacts import read_json
from twister_loop.core.types import Proportion
from twister_loop.evaluation.term_scores import TermScores
from twister_loop.reporting.dashboard import report_rows, score_rows
from twister_loop.reporting.dashboard.page import write_page
from twister_loop.reporting.export.card import render_card
from twister_loop.reporting.export.metrics import rate_rows
from twister_loop.reporting.summary import Summary, summarize
from twister_loop.types import Report

TERMS = ["Pack my", "jugs", "aia", "天気"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a run of one round in both decodings, whose plan names terms."""
    return run_rounds(tmp_path_factory.mktemp("terms"), rounds=1, key_terms=TERMS)


@pytest.fixture(scope="module")
def summary(run: Path) -> Summary:
    return summarize(run)


def scores_of(summary: Summary, set_name: str, decoding: str) -> TermScores:
    [scores] = [
        scores
        for scores in summary.rounds[0].term_scores
        if (scores.set_name, scores.decoding) == (set_name, decoding)
    ]
    return scores


def test_every_set_is_counted_in_both_decodings_and_read_back(run: Path, summary: Summary) -> None:
    [round_summary] = summary.rounds
    counted = {(scores.set_name, scores.decoding) for scores in round_summary.term_scores}
    sets = {name for name in round_summary.scores if not name.startswith("all ")}
    assert {name for name, _ in counted} == sets
    assert {decoding for _, decoding in counted} == {"clip", "standard"}
    assert summarize(run) == summary


def test_recall_and_errors_on_other_words_have_intervals(summary: Summary) -> None:
    dev = scores_of(summary, "dev", "clip")
    # The untouched model reads vowels only, and the candidate everything.
    assert dev.models["untouched"].recall == Proportion(0, 2)
    assert dev.models["candidate"].recall == Proportion(2, 2)
    interval = dev.models["candidate"].recall_interval
    assert 0.2 < interval.low < 0.5 and interval.high == 1, "two of two are not sure"
    change = dev.changes["untouched"]
    assert change.recall.rate == 1 and change.others.rate < 0
    assert change.others.low <= change.others.rate <= change.others.high
    words = summary.rounds[0].scores["dev"]["candidate"].words.length
    assert dev.models["candidate"].others.length == words - 3, "three words are in terms"


def test_a_report_holds_them(run: Path) -> None:
    report = Report.load(run / "round-01" / "report")
    assert report.key_terms == ("Pack my", "jugs", "aia", "天気")
    counted = report.score("dev").term_count
    assert counted and counted.recall == Proportion(2, 2) and counted.others.errors == 0
    [row] = [row for row in report_rows(report) if row["set"] == "dev"]
    assert row["terms recalled, own context"].startswith("2 of 2, 100.0 % (")


def test_japanese_terms_are_counted_by_character(summary: Summary) -> None:
    japanese = [s for s in summary.rounds[0].term_scores if s.measure == "characters"]
    assert japanese and {scores.occurrences for scores in japanese} == {2}


def test_the_terminal_shows_them(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", str(run)]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "Key terms" in text and "2 of 2, 100.0 %" in text and "no term occurs" in text


def test_tables_of_plain_rows_have_them(run: Path) -> None:
    rows = {(row["set"], row["model"]): row for row in score_rows(run)}
    assert rows["dev", "untouched"]["terms recalled, own context"].startswith("0 of 2, 0.0 %")
    assert rows["test", "candidate"]["terms recalled, own context"] == "no term occurs"


def test_the_page_has_them(run: Path) -> None:
    write_page(run)
    [page] = rounds_of_page(run)
    [dev] = [
        scores
        for scores in page["term_scores"]
        if (scores["set_name"], scores["decoding"]) == ("dev", "clip")
    ]
    assert dev["models"]["candidate"]["recall"] == {"count": 2, "total": 2}


def test_the_model_card_and_the_exported_table_have_them(run: Path, summary: Summary) -> None:
    card = render_card(run / "round-01", summary, None)
    assert "## Key terms" in card
    assert "| dev (development) | own context | candidate | 2 of 2, 100.0 % (" in card
    rows = [row for row in rate_rows(summary) if row["set"] == "dev" and row["own_measure"]]
    assert {(row["model"], row["terms_recalled"], row["terms"]) for row in rows if
            row["decoding"] == "clip"} == {
        ("untouched", 0, 2), ("champion", 0, 2), ("candidate", 2, 2)}  # fmt: skip
    others = [row for row in rate_rows(summary) if not row["own_measure"]]
    assert {row["terms"] for row in others} == {""}


@pytest.mark.prefect
def test_messages_have_them(summary: Summary) -> None:
    # Imported here, since importing Prefect takes seconds.
    from twister_loop.flows import notifications

    text = notifications.format_scores(summary.rounds[-1])
    assert "- terms of dev (development), own context: untouched 0 of 2, 0.0 %" in text


def test_the_verdict_tells_no_loss_where_there_is_none(run: Path, summary: Summary) -> None:
    verdict = summary.rounds[0].verdict
    assert verdict and verdict.lost_terms is not None
    stored = read_json(run / "round-01" / "verdict" / "verdict.json")
    assert stored["lost_terms"] == list(verdict.lost_terms)
    assert not any("dev" in loss for loss in verdict.lost_terms)
