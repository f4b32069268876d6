"""Coqui's VITS with several speakers: characters -> samples (arXiv 2106.06103)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.nn.utils import parametrize
from TTS.config.shared_configs import BaseAudioConfig
from TTS.tts.configs.shared_configs import CharactersConfig
from TTS.tts.configs.vits_config import VitsArgs, VitsConfig
from TTS.tts.models.vits import Vits, VitsDataset

from ...audio.io import Samples
from ...core.errors import ConfigError, EngineError
from ...core.types import Hertz, Seconds
from . import model_files, voice_files
from .model_files import Model, Names
from .training_clips import CoquiSample

CHARACTERS_CLASS = "TTS.tts.models.vits.VitsCharacters"
"""Coqui's class of characters with a blank, which VITS puts between letters."""
CHARACTER_EMBEDDING, SPEAKER_EMBEDDING = "text_encoder.emb.weight", "emb_g.weight"
DISCRIMINATOR = "disc."
"""Prefix of the names of the discriminator's tensors."""
UPSAMPLE_RATES = {128: [8, 4, 2, 2], 256: [8, 8, 2, 2], 512: [8, 8, 4, 2]}
"""Rates of the decoder's layers by the hop in samples, their product; 256 is the paper's."""
SPEAKER_FILES = ("speaker_ids.json", "speakers.json")
"""Files in which Coqui's tools keep the names of speakers, if not in the configuration."""
UNNAMED_SPEAKER = "unnamed"
"""Name of the one speaker of a voice without names, and of all clips without a speaker."""


class Scales(NamedTuple):
    """Numbers that shape the speech of one text."""

    speed: float
    """Rate of speech; 2 is twice as fast as trained."""
    noise: float
    """Spread of the random latent: tone and timbre."""
    rhythm: float
    """Spread of the durations of letters."""


class WaveformDataset(VitsDataset):
    """Coqui's data set, reading files with libsndfile.

    Coqui's own calls `torchaudio.load`, which needs torchcodec and FFmpeg.
    """

    def __getitem__(self, idx: int) -> dict[str, Any]:
        sample = self.samples[idx]
        token_ids = self.get_token_ids(idx, sample["text"], sample["language"])
        waveform = torch.from_numpy(self.load_wav(sample["audio_file"])).float()  # (n_samples,)
        return {
            "raw_text": sample["text"],
            "token_ids": token_ids,
            "token_len": len(token_ids),
            "wav": waveform[None],
            "wav_file": sample["audio_file"],
            "speaker_name": sample["speaker_name"],
            "language_name": sample["language"],
            "audio_unique_name": sample["audio_unique_name"],
        }


def build_dataset(model: Model, samples: list[CoquiSample]) -> WaveformDataset:
    """Return the data set of the clips, in order of length."""
    # Files of one format and rate: their size orders them without reading them.
    ordered = sorted(samples, key=lambda sample: Path(sample["audio_file"]).stat().st_size)
    return WaveformDataset(model.args, samples=ordered, tokenizer=model.tokenizer, ap=model.ap)


def create_model(
    sample_rate: Hertz,
    hidden: int,
    layers: int,
    channels: int,
    periods: tuple[int, ...],
    segment: int,
    characters: str,
    speakers: Names,
) -> Model:
    """Return an untrained model with frames of about 16 ms.

    The sizes are options of `VitsSynthesizer`. `speakers` are in the order of their rows of the
    embedding.
    """
    # A power of two, for the rates of the decoder's layers multiply to it.
    hop = 128 * 2 ** int(np.log2(sample_rate / 8000))
    audio = BaseAudioConfig(
        sample_rate=sample_rate, fft_size=4 * hop, win_length=4 * hop, hop_length=hop
    )
    args = VitsArgs(
        out_channels=2 * hop + 1,
        spec_segment_size=segment,
        hidden_channels=hidden,
        hidden_channels_ffn_text_encoder=4 * hidden,
        num_layers_text_encoder=layers,
        upsample_rates_decoder=UPSAMPLE_RATES[hop],
        upsample_kernel_sizes_decoder=[2 * rate for rate in UPSAMPLE_RATES[hop]],
        upsample_initial_channel_decoder=channels,
        periods_multi_period_discriminator=list(periods),
        use_speaker_embedding=True,
    )
    config = VitsConfig(
        model_args=args,
        audio=audio,
        characters=CharactersConfig(
            characters_class=CHARACTERS_CLASS, characters=characters, punctuations="", pad="_"
        ),
        speakers=list(speakers),
        test_sentences=[],
    )
    return Vits(config)


def load_model(weights: Path) -> Model:
    """Load a voice; one of a single speaker becomes one of several that so far has one.

    Raises:
        EngineError: files are missing or broken.
        ConfigError: the voice is of another kind, or its speakers have no names.
    """
    config, state = model_files.read_config(weights), model_files.read_state(weights)
    if reason := voice_files.explain_unfit_vits(config):
        raise ConfigError(f"{weights}: {reason}")
    # `normalize_text` replaces Coqui's cleaners, which differ between languages and versions.
    config.text_cleaner = None
    has_speakers = config.model_args.use_speaker_embedding
    config.speakers = _read_speakers(config, weights) if has_speakers else [UNNAMED_SPEAKER]
    for part in (config, config.model_args):
        part.use_speaker_embedding, part.speakers_file = True, None
    model = model_files.build_model(Vits, config, weights)
    initial = model.state_dict()
    # Speaker conditioning that is added here must not change the speech before it is trained, so
    # its weights begin at 0. `original1` of a normalized weight is a direction, for which 0 is
    # impossible; there the norm, `original0`, is 0.
    conditioning = {
        name: tensor
        if name == SPEAKER_EMBEDDING or name.endswith("original1")
        else torch.zeros_like(tensor)
        for name, tensor in initial.items()
        if not has_speakers and name not in state and not name.startswith(DISCRIMINATOR)
    }
    # Published voices may lack the discriminator, which only training needs.
    discriminator = {
        name: tensor for name, tensor in initial.items() if name.startswith(DISCRIMINATOR)
    }
    model_files.load_weights(model, {**discriminator, **conditioning, **state}, weights)
    return model


def _read_speakers(config: Any, weights: Path) -> list[str]:
    """Return the names of the speakers, in the order of their rows of the embedding."""
    if config.speakers:
        return list(config.speakers)
    for path in (weights.with_name(name) for name in SPEAKER_FILES):
        if path.is_file():
            try:
                rows = dict[str, int](json.loads(path.read_text(encoding="utf-8")))
            except ValueError as cause:
                raise EngineError(f"{path}: not a JSON object of speakers ({cause})") from cause
            # The file maps names to rows, in any order.
            return sorted(rows, key=lambda name: rows[name])
    raise ConfigError(
        f"{weights}: the voice has several speakers, and neither its {voice_files.CONFIG} nor "
        f"{' or '.join(SPEAKER_FILES)} beside it names them"
    )


def extend_model(model: Model, characters: str, speakers: Names) -> Model:
    """Return the model with rows for more characters and speakers.

    Everything else keeps its weights. The row of a new speaker begins at the mean of the others.
    """
    earlier_characters, earlier_speakers = model.tokenizer.characters, list(model.config.speakers)
    new_characters = sorted(set(characters) - set(earlier_characters.vocab))
    new_speakers = [speaker for speaker in speakers if speaker not in earlier_speakers]
    if not new_characters and not new_speakers:
        return model
    # Read before the configuration, which both models share, is changed.
    vocabulary = list(earlier_characters.vocab)
    config = model.config
    config.characters.characters = earlier_characters.characters + "".join(new_characters)
    # The vocabulary has them among its characters; Coqui would add them a second time.
    config.characters.phonemes = None
    config.speakers = [*earlier_speakers, *new_speakers]
    extended = Vits(config)
    with torch.no_grad():
        # An average voice is nearer to a new speaker than random numbers are.
        extended.emb_g.weight[:] = model.emb_g.weight.mean(0)
    tables = {
        CHARACTER_EMBEDDING: (vocabulary, extended.tokenizer.characters.vocab),
        SPEAKER_EMBEDDING: (earlier_speakers, config.speakers),
    }
    model_files.copy_weights(extended, model, tables)
    return extended


def remove_weight_norm(model: Model) -> None:
    """Replace normalized weights, which only help training, with plain ones."""
    for module in model.modules():
        if parametrize.is_parametrized(module, "weight"):
            parametrize.remove_parametrizations(module, "weight")


@torch.inference_mode()
def synthesize_samples(
    model: Model, text: str, speaker: str, scales: Scales, max_seconds: Seconds
) -> Samples | None:
    """Return samples (n_samples,) at the model's rate; None if they would exceed `max_seconds`.

    Durations are computed first, and passed to Coqui's inference: samples of an absurd length
    would not fit into memory.
    """
    # Coqui reads this one from the model, not from the arguments of its inference.
    model.inference_noise_scale = scales.noise
    token_ids = torch.tensor([model.tokenizer.text_to_ids(text)], device=model.device)
    lengths = torch.tensor([token_ids.shape[1]], device=model.device)
    speaker_ids = torch.tensor([model.config.speakers.index(speaker)], device=model.device)
    hidden, _, _, mask = model.text_encoder(token_ids, lengths, lang_emb=None)
    speaker_vector = (
        model.emb_g(speaker_ids)[..., None] if model.args.condition_dp_on_speaker else None
    )
    # The stochastic predictor draws durations; the other one computes them and takes no noise.
    draw = {"reverse": True, "noise_scale": scales.rhythm} if model.args.use_sdp else {}
    log_durations = model.duration_predictor(hidden, mask, g=speaker_vector, lang_emb=None, **draw)
    durations = (log_durations.exp() * mask / scales.speed).ceil()  # (1, 1, letters), in frames
    # Negated, so that NaN, for which every comparison is false, is refused as well.
    if not durations.sum() <= max_seconds * model.ap.sample_rate / model.ap.hop_length:
        return None
    outputs = model.inference(
        token_ids,
        {"x_lengths": lengths, "speaker_ids": speaker_ids, "durations": durations[0]},
    )
    samples: Samples = outputs["model_outputs"][0, 0].float().cpu().numpy()
    return samples
