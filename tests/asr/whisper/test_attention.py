"""Attention of Whisper's decoder with keys and values that beams share."""

from __future__ import annotations

import pytest

from tests.asr.whisper.builders import load_model
from twister_loop.core.types import Checkpoint

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytestmark = pytest.mark.model


def test_beams_share_the_audio_of_their_clip(tiny_whisper: Checkpoint) -> None:
    """Rows of two clips are selected, and then each is decoded without sharing."""
    import torch

    from twister_loop.asr.whisper.decoder import CachedDecoder

    whisper = load_model(tiny_whisper)
    torch.manual_seed(0)
    encoded = torch.randn(3, 50, 32)
    prompt = [whisper.start_token, *whisper.prompt_tokens("it")]
    with torch.inference_mode():
        decoder = CachedDecoder(whisper, encoded)
        decoder.step([prompt] * 3)
        decoder.select_rows([[0, 0, 0], [], [2, 2, 2]])  # the second clip is finished
        shared = decoder.step([[token] for token in (10, 11, 12, 13, 14, 15)])
        decoder.select_rows([[2, 0], [3, 3]])
        later = decoder.step([[20], [21], [22], [23]])
        for row, (clip, tokens) in enumerate(
            [(0, [10]), (0, [11]), (0, [12]), (2, [13]), (2, [14]), (2, [15])]
        ):
            alone = CachedDecoder(whisper, encoded[clip : clip + 1]).step([[*prompt, *tokens]])
            assert torch.allclose(shared[row], alone[0], atol=1e-4)
        for row, (clip, tokens) in enumerate(
            [(0, [12, 20]), (0, [10, 21]), (2, [13, 22]), (2, [13, 23])]
        ):
            alone = CachedDecoder(whisper, encoded[clip : clip + 1]).step([[*prompt, *tokens]])
            assert torch.allclose(later[row], alone[0], atol=1e-4)


def test_the_audio_is_kept_once_per_clip(tiny_whisper: Checkpoint) -> None:
    import torch

    from twister_loop.asr.whisper.decoder import CachedDecoder

    whisper = load_model(tiny_whisper)
    with torch.inference_mode():
        decoder = CachedDecoder(whisper, torch.randn(2, 50, 32))
        decoder.step([[whisper.start_token]] * 2)
        keys = [layer.keys for layer in decoder._audio.layers]
        for selected in ([[0, 0], [1, 1]], [[1, 0], [2, 3]]):
            decoder.select_rows(selected)
            decoder.step([[5]] * 4)
        # The very tensors of the first step: nothing was copied.
        assert all(
            layer.keys is key for layer, key in zip(decoder._audio.layers, keys, strict=True)
        )
        decoder.select_rows([[], [2, 3]])
        assert {len(layer.keys) for layer in decoder._audio.layers} == {1}
