"""Long recordings are cut at pauses."""

import sys
from collections.abc import Iterator
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests import processes

# Not importorskip: imported outside `audio.vad`, silero-vad leaves every test with one thread.
pytestmark = [
    pytest.mark.model,
    pytest.mark.skipif(find_spec("silero_vad") is None, reason="needs silero-vad"),
]


def import_with_two_threads() -> None:
    """Use silero-vad for the first time in a process whose torch has two threads."""
    import torch

    torch.set_num_threads(2)
    assert "silero_vad" not in sys.modules
    from twister_loop.audio import vad

    assert list(vad.split_at_pauses(np.zeros(16_000, np.float32), 30.0)) == []
    assert torch.get_num_threads() == 2


def test_importing_silero_vad_does_not_change_the_number_of_threads(tmp_path: Path) -> None:
    finished = processes.run(tmp_path / "log", import_with_two_threads)
    assert finished.code == 0, finished.output


def test_blocks_of_a_long_recording_do_not_cut_through_speech(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Loud noise counts as speech here: three segments, the second across two blocks."""
    from twister_loop import Manifest, Utterance
    from twister_loop.audio import io as audio
    from twister_loop.audio import vad
    from twister_loop.data import scanning
    from twister_loop.pipeline.stages.listing import scan

    def split_at_silence(samples: np.ndarray, limit: float) -> Iterator[tuple[float, float]]:
        edges = np.flatnonzero(np.diff(np.abs(samples) > 0.1, prepend=False, append=False))
        for start, stop in edges.reshape(-1, 2).tolist():
            yield start / 16_000, (stop - start) / 16_000

    monkeypatch.setattr(vad, "split_at_pauses", split_at_silence)
    monkeypatch.setattr(vad, "BLOCK_SECONDS", 10.0)
    segments = [(2.0, 3.0), (8.0, 6.0), (26.0, 4.0)]
    samples = np.zeros(31 * 16_000, np.float32)
    for start, length in segments:
        samples[int(start * 16_000) : int((start + length) * 16_000)] = 0.5
    stereo = np.stack([samples, np.zeros_like(samples)], 1)
    soundfile.write(tmp_path / "call.wav", stereo, 16_000)
    listing = Manifest.write(
        [Utterance(id="call", audio_filepath=tmp_path / "call.wav", duration=31.0)], tmp_path / "l"
    )
    for channels, ids in (("mixed", "call-{}"), ("split", "call-c0-{}"), (0, "call-c0-{}")):
        scanned = scan(
            scanning.ScanOptions(at_most=9.0, channels=channels),
            listing,
            out=tmp_path / f"{channels}",
        )
        assert [(utterance.offset, utterance.duration) for utterance in scanned] == segments
        assert [utterance.id for utterance in scanned] == [
            ids.format(f"{number:04d}") for number in range(3)
        ]
        assert all(
            audio.measure_loudness(audio.load_utterance(utterance)) > -13 for utterance in scanned
        )
    silent = list(Manifest(tmp_path / "split" / "rejected"))
    assert [(utterance.id, utterance.rejected_by) for utterance in silent] == [
        ("call-c1", "no_speech")
    ]
    unknown_channel = scan(scanning.ScanOptions(channels=2), listing, out=tmp_path / "wrong")
    assert not len(unknown_channel)
    [rejected] = Manifest(tmp_path / "wrong" / "rejected")
    assert rejected.objection and rejected.objection.endswith(
        "there is no channel 2; it has 2, counted from 0"
    )


@pytest.mark.pretrained
def test_a_long_recording_is_split_into_segments_that_contain_its_speech(
    tmp_path: Path,
) -> None:
    from twister_loop.audio import io as audio
    from twister_loop.audio import vad
    from twister_loop.data.corpora.ivr import Ivr
    from twister_loop.errors import ConfigError

    try:
        utterances = Ivr("development").utterances()
        prompts = [audio.load_utterance(utterance) for utterance in utterances][:12]
    except ConfigError as missing:
        pytest.skip(str(missing))
    silence = np.zeros(audio.SAMPLE_RATE, np.float32)
    whole = np.concatenate([part for prompt in prompts for part in (prompt, silence)])
    length = len(whole) / audio.SAMPLE_RATE
    assert length > 30
    segments = list(vad.split_at_pauses(whole, 30.0))
    assert len(segments) >= 2
    assert all(0 < duration <= 30.0 for _, duration in segments)
    for (offset, duration), (next_offset, _) in pairwise(segments):
        assert offset + duration <= next_offset
    assert sum(segments[-1]) <= length
    assert sum(duration for _, duration in segments) > 0.7 * (length - len(prompts))
