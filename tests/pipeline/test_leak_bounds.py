"""Leaks of files: which stretches of one file are the same audio, and what is told of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from twister_loop import Utterance
from twister_loop.core.manifest import Manifest
from twister_loop.core.types import TEXT_ONLY
from twister_loop.errors import LeakError
from twister_loop.evaluation.outcomes import HeldOutSet
from twister_loop.pipeline.leak_check import (
    SetProtection,
    _check_files,
    _describe_place,
    _overlap,
    describe_unprotected,
    measure_protection,
)

DIGEST = "0123456789abcdef"


def cut(start: float = 0.0, duration: float = 1.0, **fields: Any) -> Utterance:
    options: dict[str, Any] = {"id": f"{DIGEST}-{start:g}", "audio_filepath": Path("/a.wav")}
    return Utterance(offset=start, duration=duration, **{**options, **fields})


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (cut(2.0), False),  # behind it
        (cut(1.0), False),
        (cut(0.96), False),  # they touch, but for rounding
        (cut(0.94), True),
        (cut(0.5, 0.2), True),  # within it
        (cut(0.5, 0.04), False),
        (cut(0.5, channel=1), False),
        (cut(0.5, channel=0), True),
        (cut(0.5, channel=None), True),  # all channels mixed hold that one
        (cut(0.0, channel=1), False),
        (cut(0.0, audio_filepath=TEXT_ONLY), True),  # by its name
        (cut(0.5, audio_filepath=TEXT_ONLY), False),
    ],
)
def test_stretches_of_a_file_are_the_same_audio_if_they_overlap(
    other: Utterance, same: bool
) -> None:
    held_out = cut(0.0, 1.0, channel=0)
    assert _overlap(held_out, other) is same and _overlap(other, held_out) is same


def manifest(folder: Path, *lines: Utterance) -> Manifest:
    return Manifest.write(lines, folder)


def test_the_sets_and_keys_of_what_is_in_two_places_are_named(tmp_path: Path) -> None:
    stranger = cut(0.0, id="fedcba9876543210-0", audio_filepath=Path("/b.wav"))
    dev = HeldOutSet(
        "development", manifest(tmp_path / "dev", stranger, *(cut(float(n)) for n in range(5)))
    )
    test = HeldOutSet("test", manifest(tmp_path / "test", cut(9.0)))
    sets = {"dev": dev, "test": test}
    touching = manifest(tmp_path / "pool", cut(5.0), cut(8.0))
    _check_files({"pool": touching}, sets)
    pool = manifest(tmp_path / "pool2", *(cut(n + 0.5) for n in (0.0, 1.0, 2.0, 3.0)))
    human = manifest(tmp_path / "human", cut(1.0))
    with pytest.raises(LeakError) as leak:
        _check_files({"pool": pool, "human": human}, sets)
    assert str(leak.value) == (
        "development.dev: 5 of its utterances are also in human, pool, such as /a.wav, /a.wav from "
        "1.0 s, /a.wav from 2.0 s; remove them from one"
    )
    _check_files({}, sets)


def test_a_recording_may_be_in_one_set_only(tmp_path: Path) -> None:
    first = HeldOutSet("development", manifest(tmp_path / "a", cut(0.0), cut(3.0)))
    second = HeldOutSet("retention", manifest(tmp_path / "b", cut(5.0), cut(3.5)))
    third = HeldOutSet("test", manifest(tmp_path / "c", cut(5.5)))
    with pytest.raises(LeakError, match=r"retention\.b: 1 of its utterances are also in dev"):
        _check_files({}, {"a": first, "b": second})
    with pytest.raises(LeakError, match=r"test\.c: 1 of its utterances are also in retention\.b"):
        _check_files({}, {"b": second, "c": third})
    _check_files({}, {"a": first, "c": third})
    twice = HeldOutSet("test", manifest(tmp_path / "d", cut(0.0), cut(0.5)))
    _check_files({}, {"d": twice})  # in one set nothing is counted twice as a leak


def test_places_are_told_unless_they_are_the_begin() -> None:
    assert _describe_place(Path("/a.wav"), 0.05) == "/a.wav"
    assert _describe_place(Path("/a.wav"), 0.06) == "/a.wav from 0.1 s"


def test_what_is_too_short_is_counted() -> None:
    speech = [
        cut(text="yes", duration=0.74),
        cut(text="please hold the line for the next agent", duration=0.75),
        cut(text=None, duration=0.1),
        cut(text="...", duration=3.0),
        cut(text="no", duration=3.0),
    ]
    counts = measure_protection(speech)
    assert counts == SetProtection(
        references=3, short_references=2, recordings=5, short_recordings=2
    )
    assert describe_unprotected("dev", counts) == (
        "dev: 2 of 3 references are too short to be protected, 2 of 5 recordings are too short to "
        "be found in parts"
    )
    assert describe_unprotected("dev", SetProtection(3, 0, 5, 1)) == (
        "dev: 1 of 5 recordings are too short to be found in parts"
    )
    assert describe_unprotected("dev", SetProtection(3, 0, 5, 0)) == ""
