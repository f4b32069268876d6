"""Which part of a recording was said right before which other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from twister_loop import Utterance
from twister_loop.data.neighbors import CutIndex, find_stretches


def cut(name: str, start: float, end: float, **fields: Any) -> Utterance:
    fields = {"id": f"{name}-{start:g}", "audio_filepath": Path(f"/{name}.wav"), **fields}
    return Utterance(offset=start, duration=end - start, **fields)


def previous(cuts: list[Utterance], left_out: Sequence[Utterance] = ()) -> list[int]:
    index = CutIndex()
    for utterance in left_out:
        index.add(utterance, is_left_out=True)
    first = len(index)
    for utterance in cuts:
        index.add(utterance)
    return [int(max(place - first, -1)) for place in index.find_previous()[first:]]


def test_cuts_of_a_recording_follow_each_other_in_any_order() -> None:
    cuts = [
        cut("b", 0, 4), cut("a", 8, 12), cut("a", 0, 5), cut("b", 5, 6), cut("a", 5, 7.5),
        cut("c", 3, 9),
    ]  # fmt: skip
    assert previous(cuts) == [-1, 4, -1, 0, 2, -1]
    assert previous(cuts[:1]) == [-1] and previous([]) == []


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        (cut("a", 5, 7), 0),
        (cut("a", 4.95, 7), 0),
        (cut("a", 4.94, 7), -1),  # it overlaps
        (cut("a", 35, 37), 0),
        (cut("a", 35.01, 37), -1),  # more than a window later
        (cut("a", 6, 7, channel=1), -1),
        (cut("a", 6, 7, audio_filepath=Path("/b.wav")), -1),
    ],
)
def test_a_neighbor_begins_after_the_cut_before_it_within_a_window(
    second: Utterance, expected: int
) -> None:
    assert previous([cut("a", 0, 5), second]) == [-1, expected]


def test_a_cut_under_a_longer_one_is_no_neighbor() -> None:
    """Somebody else spoke too, and it is not known in which order."""
    cuts = [cut("a", 0, 20), cut("a", 5, 8), cut("a", 9, 12), cut("a", 21, 22)]
    assert previous(cuts) == [-1, -1, -1, 2]


@pytest.mark.parametrize(
    ("left_out", "expected"),
    [
        (cut("a", 5, 6, rejected_by="confidence", pred_text="no"), [-1, -1, 1]),
        (cut("a", 5, 6, rejected_by="no_speech", pred_text="no"), [-1, -1, 1]),
        (cut("a", 5, 6, rejected_by="no_speech"), [-1, 0, 1]),  # the scan heard nobody
        (cut("a", 5, 6, rejected_by="music"), [-1, 0, 1]),
        (cut("a", 5, 6, rejected_by="unreadable"), [-1, -1, 1]),
        (cut("b", 5, 6, rejected_by="confidence", pred_text="no"), [-1, 0, 1]),
        (cut("a", 30, 36, rejected_by="confidence"), [-1, 0, 1]),
        # Speech that had to be removed has no place any more.
        (Utterance(id="0123456789abcdef-0003", rejected_by="forgotten"), [-1, -1, -1]),
        (Utterance(id="fedcba9876543210-0003", rejected_by="forgotten"), [-1, 0, 1]),
    ],
)
def test_nothing_follows_what_was_left_out(left_out: Utterance, expected: list[int]) -> None:
    digest = "0123456789abcdef"
    cuts = [
        cut("a", start, end, id=f"{digest}-{start}") for start, end in ((0, 4), (7, 9), (10, 12))
    ]
    assert previous(cuts, [left_out]) == expected


@pytest.mark.parametrize(
    ("durations", "expected"),
    [
        ([10, 10, 10], [[0, 1, 2]]),  # 30 s exactly
        ([10, 10, 10.01], [[0, 1], [2]]),
        ([31, 5, 5], [[0], [1, 2]]),
    ],
)
def test_a_stretch_is_at_most_30_s(durations: list[float], expected: list[list[int]]) -> None:
    starts = [sum(durations[:place]) for place in range(3)]
    stretches = find_stretches([0, 1, 2], [-1, 0, 1], [1, 2, -1], starts, durations)
    assert [list(stretches[number]) for number in range(len(stretches))] == expected
