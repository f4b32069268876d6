"""Long recordings are cut at pauses."""

from collections.abc import Iterator
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile

# Not importorskip: imported past its door, silero-vad leaves every test with one thread.
pytestmark = [
    pytest.mark.model,
    pytest.mark.skipif(find_spec("silero_vad") is None, reason="needs silero-vad"),
]


def test_cutting_leaves_the_process_its_threads() -> None:
    import torch

    before = torch.get_num_threads()
    from twister_loop.audio import vad as pauses

    assert list(pauses.split_at_pauses(np.zeros(16_000, np.float32), 30.0)) == []
    assert torch.get_num_threads() == before


def test_a_long_recording_is_read_in_blocks_and_no_stretch_is_cut_by_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Speech is what is loud here: three stretches, the second across two blocks."""
    from twister_loop import Utterance
    from twister_loop.audio import io as audio
    from twister_loop.audio import vad as pauses
    from twister_loop.data import scanning
    from twister_loop.pipeline.stages import labeling as stages

    def loud(samples: np.ndarray, limit: float) -> Iterator[tuple[float, float]]:
        edges = np.flatnonzero(np.diff(np.abs(samples) > 0.1, prepend=False, append=False))
        for start, stop in edges.reshape(-1, 2).tolist():
            yield start / 16_000, (stop - start) / 16_000

    monkeypatch.setattr(pauses, "split_at_pauses", loud)
    monkeypatch.setattr(scanning, "BLOCK", 10.0)
    spoken = [(2.0, 3.0), (8.0, 6.0), (26.0, 4.0)]
    samples = np.zeros(31 * 16_000, np.float32)
    for start, length in spoken:
        samples[int(start * 16_000) : int((start + length) * 16_000)] = 0.5
    stereo = np.stack([samples, np.zeros_like(samples)], 1)
    soundfile.write(tmp_path / "call.wav", stereo, 16_000)
    listing = stages.Manifest.write(
        [Utterance(id="call", audio_filepath=tmp_path / "call.wav", duration=31.0)], tmp_path / "l"
    )
    for channels, ids in (("mixed", "call-{}"), ("split", "call-c0-{}"), (0, "call-c0-{}")):
        found = stages.scan(
            scanning.ScanOptions(at_most=9.0, channels=channels),
            listing,
            out=tmp_path / f"{channels}",
        )
        assert [(each.offset, each.duration) for each in found] == spoken
        assert [each.id for each in found] == [ids.format(f"{at:04d}") for at in range(3)]
        assert all(audio.measure_loudness(audio.load_utterance(each)) > -13 for each in found)
    silent = list(stages.Manifest(tmp_path / "split" / "rejected"))
    assert [(each.id, each.rejected_by) for each in silent] == [("call-c1", "no_speech")]
    wrong = stages.scan(scanning.ScanOptions(channels=2), listing, out=tmp_path / "wrong")
    assert not len(wrong)
    [said] = stages.Manifest(tmp_path / "wrong" / "rejected")
    assert said.objection and said.objection.endswith(
        "there is no channel 2; it has 2, counted from 0"
    )


@pytest.mark.pretrained
def test_a_long_recording_becomes_stretches_that_lie_in_it_and_hold_its_speech(
    tmp_path: Path,
) -> None:
    from twister_loop import ConfigError
    from twister_loop.audio import io as audio
    from twister_loop.audio import vad as pauses
    from twister_loop.data.corpora.ivr import Ivr

    try:
        prompts = [audio.load_utterance(each) for each in Ivr("development").utterances()][:12]
    except ConfigError as missing:
        pytest.skip(str(missing))
    silence = np.zeros(audio.SAMPLE_RATE, np.float32)
    whole = np.concatenate([part for prompt in prompts for part in (prompt, silence)])
    length = len(whole) / audio.SAMPLE_RATE
    assert length > 30
    found = list(pauses.split_at_pauses(whole, 30.0))
    assert len(found) >= 2
    assert all(0 < duration <= 30.0 for _, duration in found)
    for (offset, duration), (after, _) in pairwise(found):
        assert offset + duration <= after
    assert sum(found[-1]) <= length
    assert sum(duration for _, duration in found) > 0.7 * (length - len(prompts))
