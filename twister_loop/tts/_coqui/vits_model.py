"""A VITS voice of several speakers: letters -> samples (arXiv 2106.06103)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn.utils import parametrize
from TTS.config.shared_configs import BaseAudioConfig
from TTS.tts.configs.shared_configs import CharactersConfig
from TTS.tts.configs.vits_config import VitsArgs, VitsConfig
from TTS.tts.models.vits import Vits, VitsDataset

from ...audio.io import Samples
from ...core.errors import ConfigError, EngineError
from ...core.types import Seconds
from . import model_files
from .model_files import Model, Names
from .training_clips import CoquiSample

KIND = "vits"
CHARACTERS = "TTS.tts.models.vits.VitsCharacters"
"""The ones that have a blank, which VITS puts between letters."""
CHARACTER_EMBEDDING, SPEAKER_EMBEDDING = "text_encoder.emb.weight", "emb_g.weight"
UPSAMPLED = {128: [8, 4, 2, 2], 256: [8, 8, 2, 2], 512: [8, 8, 4, 2]}
"""By the decoder's layers, from frames to samples; 256 is the paper's."""
NAMES = ("speaker_ids.json", "speakers.json")
"""Where Coqui's tools keep the names of speakers, if not in the configuration."""
UNNAMED_SPEAKER = "unnamed"
"""The one speaker of a voice that had no names."""


class WaveformDataset(VitsDataset):
    """Coqui's, but read by libsndfile: `torchaudio.load` needs torchcodec and FFmpeg."""

    def __getitem__(self, idx: int) -> dict[str, Any]:
        item = self.samples[idx]
        ids = self.get_token_ids(idx, item["text"], item["language"])
        wave = torch.from_numpy(self.load_wav(item["audio_file"])).float()  # (n_samples,)
        return {
            "raw_text": item["text"],
            "token_ids": ids,
            "token_len": len(ids),
            "wav": wave[None],
            "wav_file": item["audio_file"],
            "speaker_name": item["speaker_name"],
            "language_name": item["language"],
            "audio_unique_name": item["audio_unique_name"],
        }


def build_dataset(model: Model, samples: list[CoquiSample]) -> WaveformDataset:
    """In order of length."""
    ordered = sorted(samples, key=lambda each: Path(each["audio_file"]).stat().st_size)
    return WaveformDataset(model.args, samples=ordered, tokenizer=model.tokenizer, ap=model.ap)


def create_model(
    rate: int,
    hidden: int,
    layers: int,
    channels: int,
    periods: tuple[int, ...],
    segment: int,
    characters: str,
    speakers: Names,
) -> Model:
    """A new voice, untrained: frames of 16 ms, or a little less at rates between."""
    hop = 128 * 2 ** int(np.log2(rate / 8000))
    audio = BaseAudioConfig(sample_rate=rate, fft_size=4 * hop, win_length=4 * hop, hop_length=hop)
    args = VitsArgs(
        out_channels=2 * hop + 1,
        spec_segment_size=segment,
        hidden_channels=hidden,
        hidden_channels_ffn_text_encoder=4 * hidden,
        num_layers_text_encoder=layers,
        upsample_rates_decoder=UPSAMPLED[hop],
        upsample_kernel_sizes_decoder=[2 * each for each in UPSAMPLED[hop]],
        upsample_initial_channel_decoder=channels,
        periods_multi_period_discriminator=list(periods),
        use_speaker_embedding=True,
    )
    config = VitsConfig(
        model_args=args,
        audio=audio,
        characters=CharactersConfig(
            characters_class=CHARACTERS, characters=characters, punctuations="", pad="_"
        ),
        speakers=list(speakers),
        test_sentences=[],
    )
    return Vits(config)


def explain_unfit(config: Any) -> str | None:
    """Why a voice cannot be gone on with; None where it reads letters and embeds its speakers."""
    if why := model_files.explain_unfit(config, KIND):
        return why
    for wrong, why in (
        (config.model_args.use_d_vector_file, "takes its speakers from another model's vectors"),
        (config.model_args.use_language_embedding, "has several languages"),
        (config.model_args.use_speaker_encoder_as_loss, "was trained with another model's ear"),
    ):
        if wrong:
            return f"the voice {why}"
    return None


def load_model(weights: Path) -> Model:
    """A voice of one speaker becomes one of several that so far are one.

    Raises EngineError where files are missing or broken, ConfigError for other voices.
    """
    config, state = model_files.read_config(weights), model_files.read_state(weights)
    if why := explain_unfit(config):
        raise ConfigError(f"{weights}: {why}")
    config.text_cleaner = None  # what Coqui would do to a text is done by `spelled`
    several = config.model_args.use_speaker_embedding
    config.speakers = _speakers(config, weights) if several else [UNNAMED_SPEAKER]
    for each in (config, config.model_args):
        each.use_speaker_embedding, each.speakers_file = True, None
    model = Vits(config)
    begun = model.state_dict()
    # What tells speakers apart says nothing until it has learned to. `original1` of a normalized
    # weight is a direction, which must not be 0.
    neutral = {
        name: each
        if name == SPEAKER_EMBEDDING or name.endswith("original1")
        else torch.zeros_like(each)
        for name, each in begun.items()
        if not several and name not in state and not name.startswith("disc.")
    }
    untaught = {name: each for name, each in begun.items() if name.startswith("disc.")}
    try:
        model.load_state_dict({**untaught, **neutral, **state})
    except RuntimeError as cause:
        raise EngineError(f"{weights}: does not fit its {model_files.CONFIG} ({cause})") from cause
    return model


def _speakers(config: Any, weights: Path) -> list[str]:
    """The names of its speakers, in order."""
    if config.speakers:
        return list(config.speakers)
    for path in (weights.with_name(each) for each in NAMES):
        if path.is_file():
            try:
                numbers = dict[str, int](json.loads(path.read_text(encoding="utf-8")))
            except ValueError as cause:
                raise EngineError(f"{path}: not names of speakers ({cause})") from cause
            return sorted(numbers, key=lambda name: numbers[name])
    raise ConfigError(
        f"{weights}: the voice has several speakers, and neither its {model_files.CONFIG} nor "
        f"{' or '.join(NAMES)} beside it names them"
    )


def extend_model(model: Model, characters: str, speakers: Names) -> Model:
    """The same voice with room for more characters and speakers; what it knew it still knows.

    A speaker who is new begins at the mean of the others.
    """
    known, named = model.tokenizer.characters, list(model.config.speakers)
    new = sorted(set(characters) - set(known.vocab))
    newcomers = [each for each in speakers if each not in named]
    if not new and not newcomers:
        return model
    before = list(known.vocab)
    config = model.config
    config.characters.characters = known.characters + "".join(new)
    config.characters.phonemes = None  # they are among the characters by now
    config.speakers = [*named, *newcomers]
    grown = Vits(config)
    with torch.no_grad():
        grown.emb_g.weight[:] = model.emb_g.weight.mean(0)
    tables = {
        CHARACTER_EMBEDDING: (before, grown.tokenizer.characters.vocab),
        SPEAKER_EMBEDDING: (named, config.speakers),
    }
    model_files.copy_weights(grown, model, tables)
    return grown


def remove_weight_norm(model: Model) -> None:
    """Make plain weights of normalized ones, which are only of use in training."""
    for module in model.modules():
        if parametrize.is_parametrized(module, "weight"):
            parametrize.remove_parametrizations(module, "weight")


@torch.inference_mode()
def synthesize_samples(
    model: Model, text: str, speaker: str, scales: tuple[float, float, float], longest: Seconds
) -> Samples | None:
    """Samples at the voice's rate, or None for what would be longer than `longest`.

    `scales` are those of speed, of the noise and of the noise of durations. How long it takes is
    found before anything so long is made.
    """
    speed, model.inference_noise_scale, rhythm = scales
    ids = torch.tensor([model.tokenizer.text_to_ids(text)], device=model.device)
    lengths = torch.tensor([ids.shape[1]], device=model.device)
    who = torch.tensor([model.config.speakers.index(speaker)], device=model.device)
    letters, _, _, mask = model.text_encoder(ids, lengths, lang_emb=None)
    whose = model.emb_g(who)[..., None] if model.args.condition_dp_on_speaker else None
    ways = {"reverse": True, "noise_scale": rhythm} if model.args.use_sdp else {}
    log_times = model.duration_predictor(letters, mask, g=whose, lang_emb=None, **ways)
    times = (log_times.exp() * mask / speed).ceil()  # (1, 1, letters), in frames
    # Also false where it is not a number.
    if not times.sum() <= longest * model.ap.sample_rate / model.ap.hop_length:
        return None
    said = model.inference(ids, {"x_lengths": lengths, "speaker_ids": who, "durations": times[0]})
    samples: Samples = said["model_outputs"][0, 0].float().cpu().numpy()
    return samples
