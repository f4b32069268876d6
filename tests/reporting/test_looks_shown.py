"""Looks and changed sets stand beside the verdict, wherever a round is shown."""

import shutil
from pathlib import Path

import pytest

from tests import world as toy
from tests.pages import rounds_of_page
from twister_loop import load, next_round
from twister_loop.cli.main import main
from twister_loop.core.artifacts import read_json
from twister_loop.reporting.dashboard.page import write_page
from twister_loop.reporting.export.card import render_card
from twister_loop.reporting.export.metrics import rate_rows
from twister_loop.reporting.summary import Summary, summarize

LOOKS = "look 2 at dev and vowels"
CHANGE = "development.dev: since round 1, which had 2 utterances: 1 added"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a run of two rounds, whose development set grew in between."""
    folder = tmp_path_factory.mktemp("run")
    plan = load(toy.build(folder))
    next_round(plan, folder / "run")
    toy.speak([*toy.DEVELOPMENT, "aia oui e"], folder / "data" / "development")
    toy.speak(["uoa uia", "aue i"], folder / "data" / "pool" / "second", labeled=False)
    next_round(plan, folder / "run")
    return folder / "run"


@pytest.fixture(scope="module")
def summary(run: Path) -> Summary:
    return summarize(run)


def test_the_summary_has_them_also_from_its_cache(run: Path, summary: Summary) -> None:
    first, second = summary.rounds
    assert first.verdict and first.verdict.looks == {"dev": 1, "vowels": 1}
    assert second.verdict and second.verdict.looks == {"dev": 2, "vowels": 2}
    assert first.set_changes == () and list(map(str, second.set_changes)) == [CHANGE]
    assert summarize(run) == summary
    assert read_json(second_round(run) / "verdict" / "verdict.json")["looks"]["dev"] == 2


def second_round(run: Path) -> Path:
    return run / "round-02"


def test_the_terminal_shows_them(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", str(run)]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert f"{LOOKS}: candidates that this run has judged on these recordings" in text
    assert f"{CHANGE}; all models of this round are measured on the set as it is now" in text


def test_the_page_shows_them(run: Path) -> None:
    write_page(run)
    first, second = rounds_of_page(run)
    assert (first["looks"], first["set_changes"]) == ("look 1 at dev and vowels", [])
    assert (second["looks"], second["set_changes"]) == (LOOKS, [CHANGE])


def test_the_model_card_and_the_table_show_them(run: Path, summary: Summary) -> None:
    card = render_card(second_round(run), summary, None)
    assert f"This model was {LOOKS}: so many candidates were judged" in card
    assert f"Changed set: {CHANGE}." in card
    looks = {(row["round"], row["set"]): row["look"] for row in rate_rows(summary)}
    assert looks[1, "dev"] == 1 and looks[2, "dev"] == looks[2, "vowels"] == 2
    assert looks[2, "test"] == "", "a test set judges nothing"


@pytest.mark.prefect
def test_messages_have_them(summary: Summary) -> None:
    # Imported here, since importing Prefect takes seconds.
    from twister_loop.flows import notifications

    lines = notifications.format_scores(summary.rounds[-1]).splitlines()
    assert f"- {LOOKS}" in lines and f"- {CHANGE}" in lines


def test_a_report_that_was_deleted_by_hand_is_missed(
    run: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    damaged = tmp_path / "run"
    shutil.copytree(run, damaged, ignore=shutil.ignore_patterns(".summaries"))
    shutil.rmtree(second_round(damaged) / "report")
    assert main(["status", str(damaged)]) == 0
    assert "round-02: report is missing although the round is finished" in caplog.text


@pytest.mark.parametrize("content", ["{}", "[]", '{"looks": {"dev": 1}}', '{"objections": null}'])
def test_a_verdict_that_lost_its_objections_is_no_acceptance(
    run: Path, capsys: pytest.CaptureFixture[str], content: str
) -> None:
    verdict = second_round(run) / "verdict" / "verdict.json"
    before = verdict.read_text()
    verdict.write_text(content)
    try:
        assert main(["status", str(run)]) == 2
    finally:
        verdict.write_text(before)
    assert "verdict.json" in capsys.readouterr().err
