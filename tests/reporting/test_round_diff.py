"""Comparison of two rounds in both ways of decoding."""

from pathlib import Path

from tests.windowed import run_rounds
from twister_loop.core.manifest import Manifest
from twister_loop.reporting.round_diff import compare_rounds


def test_only_equal_parts_of_a_set_are_compared_in_windows(tmp_path: Path) -> None:
    run = run_rounds(tmp_path)
    first, second = run / "round-01", run / "round-02"
    scoreboard = compare_rounds(first, second).scoreboard
    assert set(scoreboard.full_window) == set(scoreboard.scores)
    assert scoreboard.full_window_steps["test"]["words"].rate == 0
    drawn = second / "report" / "test" / "test-full-window"
    other = list(Manifest(drawn))[:1]
    (drawn / "manifest.jsonl").unlink()
    Manifest.write(other, drawn)
    scoreboard = compare_rounds(first, second).scoreboard
    assert "test" in scoreboard.scores and "test" not in scoreboard.full_window
    assert "talks-long" in scoreboard.full_window
