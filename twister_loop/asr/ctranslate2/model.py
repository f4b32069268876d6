"""A Whisper that CTranslate2 computes: converted once for each checkpoint, and kept."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

import ctranslate2
import torch
from ctranslate2.converters import TransformersConverter

from ...core.cache import cache_folder
from ...core.types import Language
from ..whisper.decoding import Hypothesis
from ..whisper.model import WhisperProcessing, load_errors_explained
from ..whisper.weights import hash_weights

log = logging.getLogger(__name__)

ComputeType = Literal[
    "auto",
    "float32",
    "float16",
    "bfloat16",
    "int8",
    "int8_float32",
    "int8_float16",
    "int8_bfloat16",
]
MAX_CACHED_MODELS = 8
"""Converted models in the cache; the one that was not used for longest goes."""


@dataclass(frozen=True)
class CTranslate2Whisper(WhisperProcessing):
    """What goes in and what tokens mean as for any Whisper; the engine is CTranslate2's."""

    engine: ctranslate2.models.Whisper

    @classmethod
    def load(cls, folder: Path, compute_type: ComputeType) -> Self:
        """Convert the weights in a transformers folder, or take what was converted before.

        Raises EngineError where the folder holds no Whisper model.
        """
        processing = WhisperProcessing.from_folder(folder)
        cores = torch.get_num_threads()
        engine = ctranslate2.models.Whisper(
            str(convert_weights(folder, compute_type)),
            device="cpu" if processing.on_cpu else "cuda",
            compute_type=resolve_compute_type(compute_type),
            inter_threads=cores if processing.on_cpu else 1,
            intra_threads=1 if processing.on_cpu else 0,  # a batch has a core to itself
        )
        torch.set_num_threads(cores)  # which the engine has set for the whole process
        return cls(processing.config, processing.generation_config, processing.processor, engine)

    def decode_greedily(
        self,
        features: torch.Tensor,
        langs: Sequence[Language | None],
        limits: Sequence[int],
        ngram: int,
    ) -> list[Hypothesis]:
        """`_whisper_decode.Greedy`, with the same texts forbidden and the same statistics."""
        encoded = self.engine.encode(ctranslate2.StorageView.from_array(features.numpy()))
        spoken, probabilities = self._spoken(encoded, langs)
        longest = max(limits)
        results = self.engine.generate(
            encoded,
            [[self.start_token, *self.prompt_tokens(lang)] for lang in spoken],
            beam_size=1,
            length_penalty=0,  # so that a score is the plain sum
            no_repeat_ngram_size=ngram,
            max_length=2 * longest,  # of which at most half is what comes after the prompt
            return_scores=True,
            return_no_speech_prob=True,
            suppress_tokens=self._suppressed,
        )
        decodes = []
        rows = zip(results, spoken, probabilities, limits, strict=True)
        for result, lang, probability, limit in rows:
            tokens = result.sequences_ids[0]
            ended = len(tokens) < min(limit, longest)
            decodes.append(
                Hypothesis(
                    tokens=tokens[:limit],
                    text=self.detokenize(tokens[:limit]),
                    lang=lang,
                    lang_probability=probability,
                    confidence=result.scores[0] / (len(tokens) + ended),
                    no_speech=result.no_speech_prob,
                    hit_limit=not ended,
                )
            )
        return decodes

    @property
    def _suppressed(self) -> list[int]:
        """What is no text: all special tokens stand behind the end, timestamps too."""
        return [
            *range(self.end_token + 1, self.config.vocab_size),
            *(self.generation_config.suppress_tokens or ()),
        ]

    def _spoken(
        self, encoded: ctranslate2.StorageView, langs: Sequence[Language | None]
    ) -> tuple[list[Language | None], list[float | None]]:
        """The languages that are asked for, else those detected, and how likely each is."""
        if not self.language_tokens:
            return [lang or "en" for lang in langs], [None] * len(langs)
        if all(langs) and not self.engine.is_multilingual:  # a vocabulary that is not Whisper's own
            return list(langs), [None] * len(langs)
        detected = [
            {name.strip("<|>"): probability for name, probability in each}  # the likeliest first
            for each in self.engine.detect_language(encoded)
        ]
        spoken = [lang or next(iter(of)) for lang, of in zip(langs, detected, strict=True)]
        shares = [of.get(lang) for lang, of in zip(spoken, detected, strict=True)]
        return list(spoken), shares


def resolve_compute_type(compute_type: ComputeType) -> str:
    """What `auto` is here: half precision on a GPU, 8-bit weights on a processor."""
    if compute_type != "auto":
        return compute_type
    return "float16" if torch.cuda.is_available() else "int8"


def convert_weights(folder: Path, compute_type: ComputeType) -> Path:
    """Weights as CTranslate2 reads them, quantized, in the cache by the digest of the originals."""
    kind = resolve_compute_type(compute_type)
    out = cache_folder() / "ctranslate2" / f"{hash_weights(folder)}-{kind}"
    if out.is_dir():
        os.utime(out)
        return out
    scratch = out.with_name(f".{out.name}.{os.getpid()}")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.parent.mkdir(parents=True, exist_ok=True)
    with load_errors_explained(folder):
        TransformersConverter(str(folder)).convert(str(scratch), quantization=kind)
    try:
        scratch.rename(out)
    except OSError:  # another process was faster, and made the same
        shutil.rmtree(scratch)
        if not out.is_dir():
            raise
    log.info("%s converted for CTranslate2, %s", folder, kind)
    by_age = sorted(out.parent.glob("[!.]*"), key=lambda each: each.stat().st_mtime)
    for old in by_age[:-MAX_CACHED_MODELS]:
        shutil.rmtree(old, ignore_errors=True)
    return out
