"""Coqui's Glow-TTS: characters -> mel frames (arXiv 2005.11129)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch.nn.utils.rnn import pad_sequence
from TTS.tts.configs.glow_tts_config import GlowTTSConfig
from TTS.tts.configs.shared_configs import CharactersConfig
from TTS.tts.models.glow_tts import GlowTTS
from TTS.tts.utils.helpers import generate_path, sequence_mask

from ...core.types import Hertz, Seconds
from . import model_files
from .griffin_lim import Mel, make_audio_config
from .mel_voice import SynthesisRequest
from .model_files import Model
from .voice_files import explain_unfit_glow_tts

CHARACTER_EMBEDDING = "encoder.emb.weight"


def create_model(
    sample_rate: Hertz, hidden: int, blocks: int, layers: int, characters: str
) -> Model:
    """Return an untrained model; the sizes are options of `GlowTtsSynthesizer`."""
    # Other parameters of the encoder stay at Coqui's defaults.
    encoder = {**GlowTTSConfig().encoder_params, "num_layers": layers}
    config = GlowTTSConfig(
        audio=make_audio_config(sample_rate),
        # Punctuation is among the characters already.
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


def load_model(weights: Path) -> Model:
    """Load a voice.

    Raises:
        EngineError: files are missing or broken.
        ConfigError: the voice is of another kind.
    """
    return model_files.load_model(weights, explain_unfit_glow_tts, _build_initialized)


def _build_initialized(config: GlowTTSConfig) -> Model:
    """Return a model whose normalization layers count as initialized from data."""
    # A trained model would otherwise be initialized from the first batches again.
    config.data_dep_init_steps = 0
    return GlowTTS(config)


def extend_model(model: Model, characters: str) -> Model:
    """Return the model with rows for more characters; everything else keeps its weights."""
    return model_files.extend_model(model, characters, CHARACTER_EMBEDDING, GlowTTS)


@torch.inference_mode()
def predict_mels(
    model: Model, requests: Sequence[SynthesisRequest], max_seconds: Seconds
) -> list[Mel | None]:
    """Return the mel frames of every text; None for one that would exceed `max_seconds`.

    This is `GlowTTS.inference`, except that the batch does not influence a text: noise is drawn
    for every text on its own, and padding gets no frames.
    """
    device = model.device
    token_ids = [torch.tensor(request.token_ids) for request in requests]
    lengths = torch.tensor([len(ids) for ids in token_ids], device=device)
    padded = pad_sequence(token_ids, batch_first=True).to(device)
    mean, log_scale, log_durations, mask = model.encoder(padded, lengths, g=None)
    speed = torch.tensor([request.speed for request in requests], device=device)[:, None, None]
    # (batch, characters), in frames
    durations = ((log_durations.exp() - 1) / speed).ceil().clamp_min(1).mul(mask).squeeze(1)
    limit = max_seconds * model.ap.sample_rate / model.ap.hop_length
    # A comparison with NaN is false, so such durations are refused as well.
    within_limit = durations.sum(1) <= limit
    # A refused text takes one frame a character, to not blow up the batch.
    durations = torch.where(within_limit[:, None], durations, mask.squeeze(1))
    frames = durations.sum(1).long()
    frame_mask = sequence_mask(frames).unsqueeze(1).to(mean.dtype)  # (batch, 1, frames)
    # (batch, characters, frames)
    path = generate_path(durations, mask.transpose(1, 2) * frame_mask)
    # On the CPU, so that every device gets the same noise; transposed for `pad_sequence`, which
    # pads the first dimension.
    noises = [
        torch.randn(
            mean.shape[1], int(size), generator=torch.Generator().manual_seed(request.seed)
        ).T
        for request, size in zip(requests, frames, strict=True)
    ]
    noise = pad_sequence(noises, batch_first=True).transpose(1, 2).to(device)
    spread = torch.tensor([request.noise for request in requests], device=device)[:, None, None]
    latent = (mean @ path + (log_scale @ path).exp() * noise * spread) * frame_mask
    mels, _ = model.decoder(latent, frame_mask, g=None, reverse=True)  # (batch, mels, frames)
    # The decoder squeezes frames in groups; an incomplete group at the end is masked.
    complete = frames // model.num_squeeze * model.num_squeeze
    return [
        mel[:, :size].float().cpu().numpy() if usable else None
        for mel, size, usable in zip(mels, complete.tolist(), within_limit.tolist(), strict=True)
    ]
