"""A SpeedySpeech voice: letters -> mel frames, all at once (arXiv 2008.03802)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import torch
from TTS.tts.configs.forward_tts_config import ForwardTTSArgs
from TTS.tts.configs.shared_configs import CharactersConfig
from TTS.tts.configs.speedy_speech_config import SpeedySpeechConfig
from TTS.tts.layers.generic.res_conv_bn import Conv1dBN
from TTS.tts.models.forward_tts import ForwardTTS, maximum_path

from ...core.types import Seconds
from . import model_files
from .mel_voice import Mel, SynthesisRequest, make_audio_config
from .model_files import Model

KIND = "speedy_speech"
CHARACTER_EMBEDDING = "emb.weight"
KERNEL = 4
SHARPNESS = 0.0005
"""Of the aligner, times the squared distance of a letter to a frame; Coqui's own."""
NEVER = 1e-8
"""The least that the prior gives to a letter and a frame."""


class SpeedySpeech(ForwardTTS):
    """Coqui's, but as good at the begin and end as within, and with a faster aligner.

    Coqui convolves without padding and appends zeros instead, so that the first and last fifth of
    a second are said by half of the layers, and what is shorter cannot be said at all. Its aligner
    is slow, and does not expect letters in the order of time.
    """

    def __init__(self, config: SpeedySpeechConfig) -> None:
        super().__init__(config)
        for each in self.modules():
            if isinstance(each, Conv1dBN):
                each.forward = partial(_of_equal_length, each)

    def _forward_aligner(
        self, x: torch.Tensor, y: torch.Tensor, x_mask: torch.Tensor, y_mask: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """One TTS alignment to rule them all (Badlani et al., arXiv 2108.10447), with its prior.

        Letters (batch, letters, channels) and frames (batch, frames, mels) with their masks
        (batch, 1, ...) -> frames of every letter (batch, letters), soft alignment (batch, letters,
        frames), its logarithm (batch, 1, frames, letters), and the hard one (batch, letters,
        frames). In float32: differences of large sums.
        """
        with torch.autocast(x.device.type, enabled=False):
            keys = self.aligner.key_layer(x.float().transpose(1, 2))  # (batch, channels, letters)
            queries = self.aligner.query_layer(y.float().transpose(1, 2))
            norms = queries.square().sum(1)[:, :, None] + keys.square().sum(1)[:, None]
            distances = norms - 2 * queries.transpose(1, 2) @ keys  # (batch, frames, letters)
            logits = torch.log_softmax(-SHARPNESS * distances, 2) + diagonal_log_prior(
                x_mask, y_mask
            )
            logits = logits.masked_fill(x_mask == 0, -torch.inf)
            soft = torch.softmax(logits, 2).transpose(1, 2)
        mask = x_mask.transpose(1, 2) * y_mask  # (batch, letters, frames)
        hard = maximum_path(soft.detach().contiguous(), mask.contiguous())
        return hard.sum(-1).int(), soft, logits[:, None], hard


def _of_equal_length(layer: Conv1dBN, x: torch.Tensor) -> torch.Tensor:
    """What the layer makes of (batch, channels, time); Coqui pads after the convolution."""
    return layer.norm(layer.conv1d(layer.pad(x)).relu())


def diagonal_log_prior(x_mask: torch.Tensor, y_mask: torch.Tensor) -> torch.Tensor:
    """The logarithm of a prior of which letter a frame is of: beta-binomial, along the diagonal.

    (batch, frames, letters); at frame t of T the letters are counted by a beta-binomial
    distribution of parameters t and T - t + 1 (arXiv 2108.10447, section 3.3).
    """
    last = x_mask.sum(2)[..., None] - 1  # (batch, 1, 1)
    frames = y_mask.sum(2)[..., None]
    letter = torch.arange(x_mask.shape[2], device=x_mask.device)[None, None]
    frame = torch.arange(1, y_mask.shape[2] + 1, device=y_mask.device)[None, :, None]
    before, after = frame.expand(len(last), -1, 1), (frames - frame + 1).clamp_min(1)
    letter = torch.minimum(letter, last.clamp_min(0))  # what is beyond is masked anyway

    def choices(n: torch.Tensor, k: torch.Tensor) -> torch.Tensor:
        return torch.lgamma(n + 1) - torch.lgamma(k + 1) - torch.lgamma(n - k + 1)

    def beta(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return torch.lgamma(a) + torch.lgamma(b) - torch.lgamma(a + b)

    likely = choices(last, letter) + beta(letter + before, last - letter + after)
    return (likely - beta(before.float(), after)).exp().add(NEVER).log()


def create_model(rate: int, hidden: int, encoder: int, decoder: int, characters: str) -> Model:
    """A new voice, untrained."""
    args = ForwardTTSArgs(
        use_pitch=False,
        encoder_type="residual_conv_bn",
        encoder_params=_blocks(encoder, (1, 2, 4)),
        decoder_type="residual_conv_bn",
        decoder_params=_blocks(decoder, (1, 2, 4, 8)),
        hidden_channels=hidden,
        detach_duration_predictor=True,
    )
    return SpeedySpeech(
        SpeedySpeechConfig(
            model_args=args,
            audio=make_audio_config(rate),
            characters=CharactersConfig(characters=characters, punctuations=""),
            optimizer="RAdam",  # as of Glow-TTS: the rate need not be warmed up
            test_sentences=[],
        )
    )


def _blocks(count: int, dilations: Sequence[int]) -> dict[str, Any]:
    """As in the paper: dilations again and again, and at the end none."""
    taken = [*islice(cycle(dilations), count - 1), 1]
    return {
        "kernel_size": KERNEL,
        "dilations": taken,
        "num_conv_blocks": 2,
        "num_res_blocks": count,
    }


def explain_unfit(config: Any) -> str | None:
    """Why a voice cannot be gone on with; None where it is of one speaker and reads letters."""
    if why := model_files.explain_unfit(config, KIND):
        return why
    args = config.model_args
    for wrong, why in (
        (args.use_speaker_embedding or args.use_d_vector_file, "has several speakers"),
        (args.use_pitch or args.use_energy, "is told pitch or energy"),
        (not args.use_aligner, "was told how long letters take, and cannot find that out"),
    ):
        if wrong:
            return f"the voice {why}"
    return None


def load_model(weights: Path) -> Model:
    """Raises EngineError where files are missing or broken, ConfigError for other voices."""
    return model_files.load_model(weights, explain_unfit, SpeedySpeech)


def extend_model(model: Model, characters: str) -> Model:
    """The same voice with room for more characters; what it knew of the others it still knows."""
    return model_files.extend_model(model, characters, CHARACTER_EMBEDDING, SpeedySpeech)


@torch.inference_mode()
def predict_mel(model: Model, take: SynthesisRequest, longest: Seconds) -> Mel | None:
    """Speak a text, letters held by chance longer or shorter; None where it would be too long."""
    letters = torch.tensor([take.token_ids], device=model.device)
    mask = torch.ones(1, 1, len(take.token_ids), device=model.device)
    encoded, *_ = model._forward_encoder(letters, mask)
    log_times = model.duration_predictor(encoded, mask)  # (1, 1, letters), of frames and one
    drawn = torch.randn(letters.shape, generator=torch.Generator().manual_seed(take.seed))
    times = (log_times.exp() - 1) * (take.noise * drawn.to(model.device)).exp() / take.speed
    times = times.round().clamp_min(1).squeeze(1)
    # Also false where it is not a number.
    if not times.sum() <= longest * model.ap.sample_rate / model.ap.hop_length:
        return None
    spoken, _ = model._forward_decoder(encoded, times, mask, times.sum(1).long())
    frames: Mel = spoken[0].T.float().cpu().numpy()
    return frames
