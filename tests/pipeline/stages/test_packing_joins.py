"""The audio of packed groups: clips at their places, fades, pauses and room tone between them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from twister_loop import Utterance
from twister_loop.asr.toy import ToyRecognizer
from twister_loop.audio import io as audio
from twister_loop.core.manifest import Manifest
from twister_loop.core.tallies import Funnel, Tally
from twister_loop.data.packed_group import PackedGroup
from twister_loop.data.packing import PackOptions
from twister_loop.pipeline.stages.packing import FADE_SAMPLES, _join, pack

RATE = audio.SAMPLE_RATE


def tone(samples: int, level: float = 0.5) -> audio.Samples:
    return np.full(samples, level, np.float32)


def group(*spans: tuple[float, int], **fields: Any) -> PackedGroup:
    """Return a group of clips by their start in seconds and their length in samples."""
    placed = [
        (start, Utterance(id=str(number), duration=samples / RATE, text="a", **fields))
        for number, (start, samples) in enumerate(spans)
    ]
    return PackedGroup(placed)


def join(packed: PackedGroup, *clips: audio.Samples) -> audio.Samples:
    return _join(packed, clips, np.random.default_rng(1))


def test_clips_that_meet_are_faded_over_five_milliseconds() -> None:
    joined = join(group((0.0, 1600), (0.1, 1600)), tone(1600), tone(1600, -0.5))
    assert len(joined) == 3200 and FADE_SAMPLES == 80
    assert np.allclose(joined[:1520], 0.5) and np.allclose(joined[1680:], -0.5)
    fade = np.linspace(1, 0, 80, dtype=np.float32) * 0.5
    assert np.allclose(joined[1520:1600], fade) and np.allclose(joined[1600:1680], fade[::-1] * -1)


@pytest.mark.parametrize("lengths", [(40, 1600), (1600, 40)])
def test_a_clip_shorter_than_the_fade_is_faded_as_a_whole(lengths: tuple[int, int]) -> None:
    first, second = lengths
    joined = join(group((0.0, first), (first / RATE, second)), tone(first), tone(second))
    fade = np.linspace(1, 0, 40, dtype=np.float32) * 0.5
    assert len(joined) == 1640
    assert np.allclose(joined[first - 40 : first], fade)
    assert np.allclose(joined[first : first + 40], fade[::-1])
    assert np.allclose(joined[: first - 40], 0.5) and np.allclose(joined[first + 40 :], 0.5)


def test_clips_are_not_changed_by_being_joined() -> None:
    first, second = tone(1600), tone(1600)
    join(group((0.0, 1600), (0.1, 1600)), first, second)
    assert (first == 0.5).all() and (second == 0.5).all()


def test_a_last_clip_that_rounding_made_too_long_is_cut() -> None:
    joined = join(group((0.0, 1600), (0.2, 1600)), tone(1600), tone(1602))
    assert len(joined) == 4800 and np.allclose(joined[3200:], 0.5)


def test_a_gap_is_filled_between_the_clips_and_nowhere_else() -> None:
    rng = np.random.default_rng(5)
    noisy = rng.normal(0, 0.1, 8000).astype(np.float32)
    joined = join(group((0.0, 8000), (1.0, 8000)), noisy, noisy)
    assert np.array_equal(joined[:8000], noisy) and np.array_equal(joined[16000:], noisy)
    assert len(joined) == 24_000
    short = join(group((0.0, 1600), (1600 / RATE + 79 / RATE, 1600)), tone(1600), tone(1600))
    assert np.allclose(short[1600:1679], 0.0), "too short a gap for room tone is silent"
    assert short[1599] == 0.0 and short[1679] == 0.0, "and the clips around it are faded"


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return ten seconds, each of another level."""
    path = tmp_path_factory.mktemp("audio") / "call.wav"
    audio.write(np.repeat(np.arange(10, dtype=np.float32) / 20, RATE), path)
    return path


def cut(path: Path, number: int, start: float, duration: float, **fields: Any) -> Utterance:
    options = {"text": f"text {number}", "follows": f"c-{number - 1}", "origin": "pseudo", **fields}
    return Utterance(
        id=f"c-{number}", audio_filepath=path, offset=start, duration=duration, **options
    )


def pack_all(tmp_path: Path, *lines: Utterance, **options: Any) -> tuple[Path, list[Utterance]]:
    source, out, asr = (
        Manifest.write(lines, tmp_path / "mixture"),
        tmp_path / "packed",
        ToyRecognizer(),
    )
    return out, list(
        pack(PackOptions(**options), source, asr, asr.initial_checkpoint(), 3, out=out)
    )


def test_the_pause_between_neighbors_is_as_it_was_recorded(tmp_path: Path, recording: Path) -> None:
    """Seconds 1, 3 and 4 were cut out; second 2 is the pause between them."""
    lines = [cut(recording, 0, 1.0, 1.0), cut(recording, 1, 3.0, 1.0), cut(recording, 2, 4.0, 1.0)]
    _, [whole] = pack_all(tmp_path, *lines)
    samples = audio.load_utterance(whole)
    assert len(samples) == 4 * RATE and whole.duration == 4.0
    assert np.allclose(samples, np.repeat([0.05, 0.1, 0.15, 0.2], RATE), atol=1e-3), "no fades"
    assert whole.id == "packed-000000" and whole.text == "text 0 text 1 text 2"
    assert [(piece.id, piece.start, piece.end) for piece in whole.pieces] == [
        ("c-0", 0.0, 1.0),
        ("c-1", 2.0, 3.0),
        ("c-2", 3.0, 4.0),
    ]


def test_what_is_known_of_a_group_is_in_its_line(tmp_path: Path, recording: Path) -> None:
    fields: dict[str, Any] = {"lang": "it", "speaker": "ada", "previous_text": "before"}
    lines = [cut(recording, 0, 0.0, 1.0, **fields), cut(recording, 5, 5.0, 1.0, **fields)]
    out, [both] = pack_all(tmp_path, *lines, gap=0.25)
    assert (both.lang, both.speaker, both.origin, both.previous_text, both.speechless) == (
        "it",
        "ada",
        "pseudo",
        "before",
        False,
    )
    assert both.audio_filepath == out / "audio" / "000000.wav" and both.duration == 2.25


def test_what_cannot_be_read_is_rejected_and_counted(tmp_path: Path, recording: Path) -> None:
    lines = [
        cut(recording, 0, 0.0, 1.0),
        cut(tmp_path / "missing.wav", 3, 0.0, 2.0),
        cut(recording, 5, 2.0, 1.5, error="it was listed with an error"),
        cut(recording, 7, 4.0, 1.0),
        cut(tmp_path / "missing.wav", 9, 0.0, 29.0),  # a window of its own
        cut(recording, 11, 6.0, 1.0, text=""),
    ]
    out, packed = pack_all(tmp_path, *lines)
    assert [[piece.id for piece in window.pieces] for window in packed] == [["c-0", "c-7"]]
    assert packed[0].duration == 2.5
    rejected = {line.id: line for line in Manifest.load(out / "rejected")}
    assert set(rejected) == {"c-3", "c-5", "c-9"}
    assert {line.rejected_by for line in rejected.values()} == {"error"}
    assert "missing.wav" in (rejected["c-3"].objection or "")
    assert rejected["c-5"].objection == "it was listed with an error"
    assert Funnel.load(out) == Funnel(Tally(1, 2.5), {"error": Tally(3, 32.5)})


def test_without_anything_rejected_there_is_no_folder_for_it(
    tmp_path: Path, recording: Path
) -> None:
    out, packed = pack_all(tmp_path, cut(recording, 0, 0.0, 1.0))
    assert len(packed) == 1 and not (out / "rejected").exists()
    assert not (out / "funnel.json").exists()
