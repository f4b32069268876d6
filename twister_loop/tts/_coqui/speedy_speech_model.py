"""Coqui's SpeedySpeech: characters -> mel frames, all at once (arXiv 2008.03802)."""

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

from ...core.types import Hertz, Seconds
from . import model_files
from .griffin_lim import Mel, make_audio_config
from .mel_voice import SynthesisRequest
from .model_files import Model
from .voice_files import explain_unfit_speedy_speech

CHARACTER_EMBEDDING = "emb.weight"
KERNEL_SIZE = 4
TEMPERATURE = 0.0005
"""Factor of the squared distance of a letter to a frame in the aligner; Coqui's own."""
MIN_PRIOR = 1e-8
"""Added to the prior probability of a letter and a frame, so that its logarithm is finite."""


class SpeedySpeech(ForwardTTS):
    """Coqui's model with padded convolutions and a faster aligner.

    Coqui convolves without padding and appends zeros instead. There the first and last fifth of a
    second come from half of the layers, and anything shorter cannot be synthesized at all. Its
    aligner is slow, and has no prior for letters in the order of time.
    """

    def __init__(self, config: SpeedySpeechConfig) -> None:
        super().__init__(config)
        for module in self.modules():
            if isinstance(module, Conv1dBN):
                # Per instance: other models of the process keep Coqui's own layers.
                module.forward = partial(_convolve_padded, module)

    def _forward_aligner(
        self, x: torch.Tensor, y: torch.Tensor, x_mask: torch.Tensor, y_mask: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """Align letters with frames: "One TTS alignment to rule them all" (arXiv 2108.10447).

        Args:
            x: encoded letters (batch, letters, channels).
            y: mel frames (batch, frames, mels).
            x_mask: mask of the letters (batch, 1, letters).
            y_mask: mask of the frames (batch, 1, frames).

        Returns:
            Frames of every letter (batch, letters), the soft alignment (batch, letters, frames),
            its logarithm (batch, 1, frames, letters), and the hard one (batch, letters, frames).
        """
        # In float32: the distances are differences of large sums, which bfloat16 would lose.
        with torch.autocast(x.device.type, enabled=False):
            keys = self.aligner.key_layer(x.float().transpose(1, 2))  # (batch, channels, letters)
            queries = self.aligner.query_layer(y.float().transpose(1, 2))
            # |q - k|^2 as |q|^2 + |k|^2 - 2 qk: a matrix product instead of Coqui's tensor of all
            # differences; 0.006 s instead of 0.373 s for 24 clips of 190 frames and 50 letters.
            norms = queries.square().sum(1)[:, :, None] + keys.square().sum(1)[:, None]
            distances = norms - 2 * queries.transpose(1, 2) @ keys  # (batch, frames, letters)
            logits = torch.log_softmax(-TEMPERATURE * distances, 2)
            logits = logits + diagonal_log_prior(x_mask, y_mask)
            logits = logits.masked_fill(x_mask == 0, -torch.inf)
            soft = torch.softmax(logits, 2).transpose(1, 2)
        mask = x_mask.transpose(1, 2) * y_mask  # (batch, letters, frames)
        hard = maximum_path(soft.detach().contiguous(), mask.contiguous())
        return hard.sum(-1).int(), soft, logits[:, None], hard


def _convolve_padded(layer: Conv1dBN, frames: torch.Tensor) -> torch.Tensor:
    """Return the layer's output for (batch, channels, time), padded before the convolution."""
    return layer.norm(layer.conv1d(layer.pad(frames)).relu())


def diagonal_log_prior(letter_mask: torch.Tensor, frame_mask: torch.Tensor) -> torch.Tensor:
    """Return the log prior of the letter of each frame: beta-binomial, along the diagonal.

    At frame t of T the index of the letter has a beta-binomial distribution with parameters t and
    T - t + 1 (arXiv 2108.10447, section 3.3).

    Args:
        letter_mask: (batch, 1, letters).
        frame_mask: (batch, 1, frames).

    Returns:
        (batch, frames, letters); what the masks exclude has no meaning.
    """
    last = letter_mask.sum(2)[..., None] - 1  # (batch, 1, 1)
    frames = frame_mask.sum(2)[..., None]
    letter = torch.arange(letter_mask.shape[2], device=letter_mask.device)[None, None]
    frame = torch.arange(1, frame_mask.shape[2] + 1, device=frame_mask.device)[None, :, None]
    before, after = frame.expand(len(last), -1, 1), (frames - frame + 1).clamp_min(1)
    # Beyond the last letter the logarithms below are not defined; the caller masks it anyway.
    letter = torch.minimum(letter, last.clamp_min(0))

    def log_binomial(n: torch.Tensor, k: torch.Tensor) -> torch.Tensor:
        return torch.lgamma(n + 1) - torch.lgamma(k + 1) - torch.lgamma(n - k + 1)

    def log_beta(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return torch.lgamma(a) + torch.lgamma(b) - torch.lgamma(a + b)

    joint = log_binomial(last, letter) + log_beta(letter + before, last - letter + after)
    return (joint - log_beta(before.float(), after)).exp().add(MIN_PRIOR).log()


def create_model(
    sample_rate: Hertz, hidden: int, encoder_blocks: int, decoder_blocks: int, characters: str
) -> Model:
    """Return an untrained model; the sizes are options of `SpeedySpeechSynthesizer`."""
    args = ForwardTTSArgs(
        use_pitch=False,
        encoder_type="residual_conv_bn",
        encoder_params=_block_params(encoder_blocks, (1, 2, 4)),
        decoder_type="residual_conv_bn",
        decoder_params=_block_params(decoder_blocks, (1, 2, 4, 8)),
        hidden_channels=hidden,
        # The loss of the durations must not train the encoder.
        detach_duration_predictor=True,
    )
    return SpeedySpeech(
        SpeedySpeechConfig(
            model_args=args,
            audio=make_audio_config(sample_rate),
            # Punctuation is among the characters already.
            characters=CharactersConfig(characters=characters, punctuations=""),
            # Coqui's default for Glow-TTS: RAdam needs no warm-up of the learning rate.
            optimizer="RAdam",
            test_sentences=[],
        )
    )


def _block_params(block_count: int, dilations: Sequence[int]) -> dict[str, Any]:
    """Return Coqui's parameters of residual blocks, as in the paper.

    The dilations are repeated; the last block has none, that is, 1.
    """
    return {
        "kernel_size": KERNEL_SIZE,
        "dilations": [*islice(cycle(dilations), block_count - 1), 1],
        "num_conv_blocks": 2,
        "num_res_blocks": block_count,
    }


def load_model(weights: Path) -> Model:
    """Load a voice.

    Raises:
        EngineError: files are missing or broken.
        ConfigError: the voice is of another kind.
    """
    return model_files.load_model(weights, explain_unfit_speedy_speech, SpeedySpeech)


def extend_model(model: Model, characters: str) -> Model:
    """Return the model with rows for more characters; everything else keeps its weights."""
    return model_files.extend_model(model, characters, CHARACTER_EMBEDDING, SpeedySpeech)


@torch.inference_mode()
def predict_mel(model: Model, request: SynthesisRequest, max_seconds: Seconds) -> Mel | None:
    """Return the mel frames of a text; None if they would exceed `max_seconds`.

    The model itself is deterministic. Durations are multiplied by noise here, so that several
    samples of one text differ.
    """
    letters = torch.tensor([request.token_ids], device=model.device)
    mask = torch.ones(1, 1, len(request.token_ids), device=model.device)
    encoded, *_ = model._forward_encoder(letters, mask)
    log_durations = model.duration_predictor(encoded, mask)  # (1, 1, letters), of 1 + frames
    # Drawn on the CPU, so that every device gets the same noise.
    noise = torch.randn(letters.shape, generator=torch.Generator().manual_seed(request.seed))
    factors = (request.noise * noise.to(model.device)).exp()
    durations = (log_durations.exp() - 1) * factors / request.speed
    durations = durations.round().clamp_min(1).squeeze(1)
    # Negated, so that NaN, for which every comparison is false, is refused as well.
    if not durations.sum() <= max_seconds * model.ap.sample_rate / model.ap.hop_length:
        return None
    frames, _ = model._forward_decoder(encoded, durations, mask, durations.sum(1).long())
    mel: Mel = frames[0].T.float().cpu().numpy()
    return mel
