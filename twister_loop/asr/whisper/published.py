"""Published models of Whisper: sizes and languages by name, for a check before they are here.

Sizes are those of the table in Radford et al. (arXiv 2212.04356), of the model cards of large-v3
and large-v3-turbo, and of Distil-Whisper (arXiv 2311.00430); languages those of `tokenizer.py` in
openai-whisper 20250625. Weights of large-v3 and its descendants are stored in float16.
"""

from __future__ import annotations

from ...core.types import Checkpoint
from .model_folder import ModelDescription, ModelSizes, describe_folder, weights_folder

LANGUAGES = frozenset(
    "af am ar as az ba be bg bn bo br bs ca cs cy da de el en es et eu fa fi fo fr gl gu ha haw he "
    "hi hr ht hu hy id is it ja jw ka kk km kn ko la lb ln lo lt lv mg mi mk ml mn mr ms mt my ne "
    "nl nn no oc pa pl ps pt ro ru sa sd si sk sl sn so sq sr su sv sw ta te tg th tk tl tr tt uk "
    "ur uz vi yi yo zh".split()
)
"""Languages of all multilingual models; large-v3 added Cantonese."""


def _describe(
    width: int, layers: int, decoder_layers: int | None = None, *, version: int = 2
) -> ModelDescription:
    """Describe a published model; `version` 3 has Cantonese, 128 mel bands and float16."""
    is_third = version == 3
    return ModelDescription(
        ModelSizes(
            d_model=width,
            encoder_layers=layers,
            decoder_layers=decoder_layers or layers,
            encoder_ffn_dim=4 * width,
            decoder_ffn_dim=4 * width,
            vocab_size=51866 if is_third else 51865,
            num_mel_bins=128 if is_third else 80,
        ),
        languages=LANGUAGES | {"yue"} if is_third else LANGUAGES,
        has_timestamps=True,
        dtype="float16" if is_third else "float32",
    )


PUBLISHED = {
    "openai/whisper-tiny": _describe(384, 4),
    "openai/whisper-base": _describe(512, 6),
    "openai/whisper-small": _describe(768, 12),
    "openai/whisper-medium": _describe(1024, 24),
    "openai/whisper-large": _describe(1280, 32),
    "openai/whisper-large-v2": _describe(1280, 32),
    "openai/whisper-large-v3": _describe(1280, 32, version=3),
    "openai/whisper-large-v3-turbo": _describe(1280, 32, 4, version=3),
    "distil-whisper/distil-large-v2": _describe(1280, 32, 2),
    "distil-whisper/distil-large-v3": _describe(1280, 32, 2, version=3),
}
"""Multilingual models by their name on the hub."""


def published_checkpoint(model: str) -> Checkpoint | None:
    """Return a checkpoint without a folder that stands for a published model; None if unknown.

    >>> describe_model(published_checkpoint("openai/whisper-small")).sizes.count_parameters()
    241734912
    """
    return Checkpoint("whisper", source=model) if model in PUBLISHED else None


def describe_model(checkpoint: Checkpoint) -> ModelDescription:
    """Describe the model of a checkpoint, whose weights need not be here if it is published.

    Raises:
        EngineError: The checkpoint is another engine's, or its folder holds no Whisper.
    """
    folder = weights_folder(checkpoint)
    if not folder.parts and checkpoint.source in PUBLISHED:
        return PUBLISHED[checkpoint.source]
    return describe_folder(folder)
