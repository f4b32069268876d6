"""Text of the message that reports a round."""

from pathlib import Path

import pytest

from tests.windowed import run_rounds
from twister_loop import load, next_round
from twister_loop.reporting.summary import summarize

pytest.importorskip("prefect")
pytestmark = pytest.mark.prefect


def test_a_message_has_both_decodings_of_every_set(tmp_path: Path) -> None:
    from twister_loop.flows.notifications import format_scores

    lines = format_scores(summarize(run_rounds(tmp_path, rounds=1)).rounds[0]).splitlines()
    first = lines.index("- test (test), WER %:")
    assert lines[first + 1] == (
        "  - own context: untouched 105.88, champion 105.88, candidate 0.00; against untouched "
        "-105.88 (-116.67 to -75.00), -100%"
    )
    assert lines[first + 2].startswith("  - 30 s windows with timestamps (2 utterances): untouched")
    assert lines[first + 2].endswith("; right timestamps 50.0 % -> 50.0 %")
    assert "- japanese (retention), CER %:" in lines
    assert "- all retention sets (retention), MER %:" in lines
    assert "- talks-long (test, long recordings), WER %:" in lines
    assert lines[-1].endswith("as other tools decode.")


def test_a_message_of_one_decoding_has_one_line_for_every_set(world: Path, tmp_path: Path) -> None:
    from twister_loop.flows.notifications import format_scores

    next_round(load(world, {"language": "ja"}), tmp_path / "run")
    lines = format_scores(summarize(tmp_path / "run").rounds[0]).splitlines()
    assert [line.split(":")[0] for line in lines[:3]] == [
        "- dev (development), CER %",
        "- test (test), CER %",
        "- vowels (retention), WER %",  # its language is detected, by the letters
    ]
    assert not any("windows" in line for line in lines)
