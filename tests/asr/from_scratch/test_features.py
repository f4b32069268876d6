"""Acoustic features of models trained from scratch."""

from __future__ import annotations

import numpy as np
import pytest

from twister_loop.audio import io as audio
from twister_loop.core.types import Utterance

pytest.importorskip("torch")
pytest.importorskip("torchaudio")
pytestmark = pytest.mark.model


@pytest.mark.parametrize("kind", ["filter_bank", "log_mel", "log_spectrogram", "mfcc"])
def test_features_have_100_frames_per_second_and_no_loudness(
    kind: str, speech: list[Utterance]
) -> None:
    from twister_loop.asr._from_scratch.feature_kinds import feature_size
    from twister_loop.asr._from_scratch.features import extract_features

    samples = audio.load_utterance(speech[0])
    features = extract_features(samples, kind, 80)  # type: ignore[arg-type]
    assert features.shape[1] == feature_size(kind, 80)  # type: ignore[arg-type]
    assert abs(len(features) - 100 * speech[0].duration) <= 3
    assert features.mean(0).abs().max() < 1e-4
    quieter = extract_features(samples * np.float32(0.25), kind, 80)  # type: ignore[arg-type]
    assert (features - quieter).abs().mean() < 0.1
