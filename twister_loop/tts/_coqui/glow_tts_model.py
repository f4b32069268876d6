"""A Glow-TTS voice: letters -> mel frames (arXiv 2005.11129)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch.nn.utils.rnn import pad_sequence
from TTS.tts.configs.glow_tts_config import GlowTTSConfig
from TTS.tts.configs.shared_configs import CharactersConfig
from TTS.tts.models.glow_tts import GlowTTS
from TTS.tts.utils.helpers import generate_path, sequence_mask

from ...core.types import Seconds
from . import model_files
from .mel_voice import Mel, SynthesisRequest, make_audio_config
from .model_files import Model

KIND = "glow_tts"
CHARACTER_EMBEDDING = "encoder.emb.weight"


def create_model(rate: int, hidden: int, blocks: int, layers: int, characters: str) -> Model:
    """A new voice, untrained."""
    encoder = {**GlowTTSConfig().encoder_params, "num_layers": layers}
    config = GlowTTSConfig(
        audio=make_audio_config(rate),
        characters=CharactersConfig(characters=characters, punctuations=""),
        hidden_channels_enc=hidden,
        hidden_channels_dec=hidden,
        hidden_channels_dp=hidden,
        num_flow_blocks_dec=blocks,
        num_block_layers=layers,
        encoder_params={**encoder, "hidden_channels_ffn": 4 * hidden},
        test_sentences=[],
    )
    return GlowTTS(config)


def explain_unfit(config: Any) -> str | None:
    """Why a voice cannot be gone on with; None where it is of one speaker and reads letters."""
    several = config.model == KIND and (config.use_speaker_embedding or config.use_d_vector_file)
    return "the voice has several speakers" if several else model_files.explain_unfit(config, KIND)


def load_model(weights: Path) -> Model:
    """Raises EngineError where files are missing or broken, ConfigError for other voices."""
    return model_files.load_model(weights, explain_unfit, _initialized)


def _initialized(config: GlowTTSConfig) -> Model:
    """From data it has been; again would undo it."""
    config.data_dep_init_steps = 0
    return GlowTTS(config)


def extend_model(model: Model, characters: str) -> Model:
    """The same voice with room for more characters; what it knew of the others it still knows."""
    return model_files.extend_model(model, characters, CHARACTER_EMBEDDING, GlowTTS)


@torch.inference_mode()
def predict_mels(
    model: Model,
    takes: Sequence[SynthesisRequest],
    longest: Seconds,
) -> list[Mel | None]:
    """Speak a batch; None for what would be longer than `longest`.

    This is `GlowTTS.inference`, but what a text is batched with does not change how it is
    spoken: noise is drawn for every text apart, and padding takes no time.
    """
    device = model.device
    texts = [torch.tensor(each.token_ids) for each in takes]
    lengths = torch.tensor([len(each) for each in texts], device=device)
    padded = pad_sequence(texts, batch_first=True).to(device)
    mean, log_scale, log_time, mask = model.encoder(padded, lengths, g=None)
    speed = torch.tensor([each.speed for each in takes], device=device)[:, None, None]
    # (batch, characters), in frames
    times = ((log_time.exp() - 1) / speed).ceil().clamp_min(1).mul(mask).squeeze(1)
    limit = longest * model.ap.sample_rate / model.ap.hop_length
    sane = times.sum(1) <= limit  # also false where it is not a number
    times = torch.where(sane[:, None], times, mask.squeeze(1))
    frames = times.sum(1).long()
    heard = sequence_mask(frames).unsqueeze(1).to(mean.dtype)  # (batch, 1, frames)
    path = generate_path(times, mask.transpose(1, 2) * heard)  # (batch, characters, frames)
    drawn = [
        torch.randn(mean.shape[1], int(size), generator=torch.Generator().manual_seed(take.seed)).T
        for take, size in zip(takes, frames, strict=True)
    ]
    randomness = pad_sequence(drawn, batch_first=True).transpose(1, 2).to(device)
    noise = torch.tensor([each.noise for each in takes], device=device)[:, None, None]
    latent = (mean @ path + (log_scale @ path).exp() * randomness * noise) * heard
    spoken, _ = model.decoder(latent, heard, g=None, reverse=True)  # (batch, mels, frames)
    whole = frames // model.num_squeeze * model.num_squeeze  # the rest of a squeeze is masked
    return [
        each[:, :size].float().cpu().numpy() if good else None
        for each, size, good in zip(spoken, whole.tolist(), sane.tolist(), strict=True)
    ]
