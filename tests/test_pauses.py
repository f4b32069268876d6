"""Long recordings are cut at pauses."""

from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

# Not importorskip: imported past its door, silero-vad leaves every test with one thread.
pytestmark = [
    pytest.mark.model,
    pytest.mark.skipif(find_spec("silero_vad") is None, reason="needs silero-vad"),
]


def test_cutting_leaves_the_process_its_threads() -> None:
    import torch

    before = torch.get_num_threads()
    from twister_loop import pauses

    assert list(pauses.cut(np.zeros(16_000, np.float32), 30.0)) == []
    assert torch.get_num_threads() == before


@pytest.mark.pretrained
def test_a_long_recording_becomes_stretches_that_lie_in_it_and_hold_its_speech(
    tmp_path: Path,
) -> None:
    from twister_loop import ConfigError, audio, pauses
    from twister_loop.corpora.ivr import Ivr

    try:
        prompts = [audio.of(each) for each in Ivr("development").utterances()][:12]
    except ConfigError as missing:
        pytest.skip(str(missing))
    silence = np.zeros(audio.SAMPLE_RATE, np.float32)
    whole = np.concatenate([part for prompt in prompts for part in (prompt, silence)])
    length = len(whole) / audio.SAMPLE_RATE
    assert length > 30
    found = list(pauses.cut(whole, 30.0))
    assert len(found) >= 2
    assert all(0 < duration <= 30.0 for _, duration in found)
    for (offset, duration), (after, _) in pairwise(found):
        assert offset + duration <= after
    assert sum(found[-1]) <= length
    assert sum(duration for _, duration in found) > 0.7 * (length - len(prompts))
