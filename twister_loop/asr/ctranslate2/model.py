"""Whisper model in CTranslate2, converted once per checkpoint and cached."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import ctranslate2
import torch
from ctranslate2.converters import TransformersConverter

from ...core.cache import cache_folder
from ...core.types import Language
from .._precision import ComputeType
from ..whisper.beam_search import list_alternatives
from ..whisper.decoding import Hypothesis
from ..whisper.model import WhisperProcessing, load_errors_explained
from ..whisper.weights import hash_weights

log = logging.getLogger(__name__)

MAX_CACHED_MODELS = 8
"""Converted models in the cache; of more, the least recently used are deleted."""


@dataclass(frozen=True)
class CTranslate2Whisper(WhisperProcessing):
    """Whisper with its network in CTranslate2."""

    engine: ctranslate2.models.Whisper

    @classmethod
    def load(cls, folder: Path, compute_type: ComputeType) -> Self:
        """Load the weights of a transformers folder, converted if they are not in the cache.

        Raises:
            EngineError: the folder holds no Whisper model.
        """
        processing = WhisperProcessing.from_folder(folder)
        cores = torch.get_num_threads()
        engine = ctranslate2.models.Whisper(
            str(convert_weights(folder, compute_type)),
            device="cpu" if processing.on_cpu else "cuda",
            compute_type=resolve_compute_type(compute_type),
            # One core per batch, several batches in parallel, as `map_batches` gives them.
            inter_threads=cores if processing.on_cpu else 1,
            intra_threads=1 if processing.on_cpu else 0,
        )
        # CTranslate2 sets the number of OpenMP threads of the whole process, PyTorch's too.
        torch.set_num_threads(cores)
        return cls(
            config=processing.config,
            generation_config=processing.generation_config,
            processor=processing.processor,
            engine=engine,
        )

    def decode(
        self,
        features: torch.Tensor,
        langs: Sequence[Language | None],
        limits: Sequence[int],
        ngram: int = 0,
        timestamps: bool = False,
        previous_tokens: Sequence[Sequence[int]] = (),
        beam: int = 1,
        nbest: int = 0,
    ) -> list[Hypothesis]:
        """Decode a batch greedily or by beam search: a `BatchDecoder`.

        Tokens are suppressed and statistics computed as in `greedy_search` and `beam_search`.

        Args:
            features: (batch, mels, frames).
            langs: language of each clip; None is detected.
            limits: maximum tokens of each transcript, the end included.
            ngram: length of token n-grams that must not occur twice; 0 allows all.
            timestamps: whether to decode timestamps too.
            previous_tokens: tokens of the text before each clip; () for none.
            beam: number of hypotheses per clip; 1 is greedy decoding.
            nbest: number of hypotheses to store as `alternatives`.
        """
        encoded = self.engine.encode(ctranslate2.StorageView.from_array(features.numpy()))
        used_langs, probabilities = self._detect_languages(encoded, langs)
        longest = max(limits)
        prompts = [
            [
                *([self.previous_text_token, *previous] if previous else []),
                self.start_token,
                *self.prompt_tokens(lang, timestamps),
            ]
            for lang, previous in zip(used_langs, previous_tokens or [()] * len(langs), strict=True)
        ]
        outputs = self.engine.generate(
            encoded,
            # Without <|notimestamps|>, CTranslate2 applies the rules of `timestamps` by itself.
            prompts,
            beam_size=beam,
            # All of them, since they are ranked anew below.
            num_hypotheses=beam,
            # So that scores are sums of log-probabilities. With another penalty CTranslate2 would
            # divide by the length without the end, which is 0 for an empty text.
            length_penalty=0,
            no_repeat_ngram_size=ngram,
            # CTranslate2 generates at most half of this after the prompt, which it includes.
            max_length=max(2 * longest, longest + len(prompts[0])),
            return_scores=True,
            return_no_speech_prob=True,
            suppress_tokens=self._suppressed_tokens(timestamps),
        )
        hypotheses = []
        for row, (output, lang, probability, limit) in enumerate(
            zip(outputs, used_langs, probabilities, limits, strict=True)
        ):
            # The end token is not among the tokens of CTranslate2.
            texts = [
                tokens if len(tokens) == longest else [*tokens, self.end_token]
                for tokens in output.sequences_ids
            ]
            if limit < longest and max(map(len, texts)) >= limit:
                # CTranslate2 has one limit for the batch, the longest. Alone the clip ends at its
                # own limit, whatever its neighbors are. In a beam that came that far, all
                # hypotheses would have ended there.
                hypotheses += self.decode(
                    features[row : row + 1],
                    langs[row : row + 1],
                    [limit],
                    ngram,
                    timestamps,
                    previous_tokens[row : row + 1],
                    beam,
                    nbest,
                )
                continue
            # By the mean log-probability of a token, as `beam_search` ranks them.
            ranked = sorted(
                (
                    Hypothesis(
                        tokens=tokens,
                        text=self.detokenize(tokens),
                        lang=lang,
                        lang_probability=probability,
                        confidence=score / len(tokens),
                        no_speech=output.no_speech_prob,
                        hit_limit=tokens[-1] != self.end_token,
                    )
                    for tokens, score in zip(texts, output.scores, strict=True)
                ),
                key=lambda hypothesis: -hypothesis.confidence,
            )
            alternatives = list_alternatives(ranked)[:nbest]
            hypotheses.append(replace(ranked[0], alternatives=alternatives))
        return hypotheses

    def _suppressed_tokens(self, timestamps: bool) -> list[int]:
        """Return all tokens that are not text, nor timestamps if these are decoded."""
        # In Whisper's vocabularies all special tokens come after the end token, timestamps last.
        last = self.first_timestamp_token if timestamps else self.config.vocab_size
        special_tokens = range(self.end_token + 1, last)
        return [*special_tokens, *(self.generation_config.suppress_tokens or ())]

    def _detect_languages(
        self, encoded: ctranslate2.StorageView, langs: Sequence[Language | None]
    ) -> tuple[list[Language | None], list[float | None]]:
        """Return the requested or detected language of each clip, and its probability."""
        if not self.language_tokens:
            return [lang or "en" for lang in langs], [None] * len(langs)
        # CTranslate2 calls a model multilingual by the size of Whisper's own vocabulary, and
        # refuses to detect languages with any other.
        if all(langs) and not self.engine.is_multilingual:
            return list(langs), [None] * len(langs)
        detected = [
            {name.strip("<|>"): probability for name, probability in clip_languages}
            for clip_languages in self.engine.detect_language(encoded)  # most probable first
        ]
        used = [
            lang or next(iter(probabilities))
            for lang, probabilities in zip(langs, detected, strict=True)
        ]
        used_probabilities = [
            probabilities.get(lang) for lang, probabilities in zip(used, detected, strict=True)
        ]
        return list(used), used_probabilities


def resolve_compute_type(compute_type: ComputeType) -> str:
    """Return the compute type; for `auto`, float16 on a GPU and 8-bit weights on a processor.

    >>> resolve_compute_type("float32")
    'float32'
    """
    if compute_type != "auto":
        return compute_type
    return "float16" if torch.cuda.is_available() else "int8"


def convert_weights(folder: Path, compute_type: ComputeType) -> Path:
    """Convert weights to CTranslate2's format, quantized, unless they are in the cache.

    Args:
        folder: transformers folder.
        compute_type: precision of the converted weights.

    Returns:
        Folder in the user's cache, named by the hash of the weights.

    Raises:
        EngineError: the folder holds no Whisper model.
    """
    quantization = resolve_compute_type(compute_type)
    out = cache_folder() / "ctranslate2" / f"{hash_weights(folder)}-{quantization}"
    if out.is_dir():
        os.utime(out)  # the time of last use, by which the cache is cleaned
        return out
    scratch = out.with_name(f".{out.name}.{os.getpid()}")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.parent.mkdir(parents=True, exist_ok=True)
    with load_errors_explained(folder):
        TransformersConverter(str(folder)).convert(str(scratch), quantization=quantization)
    try:
        scratch.rename(out)
    except OSError:  # another process converted the same meanwhile
        shutil.rmtree(scratch)
        if not out.is_dir():
            raise
    log.info("converted %s for CTranslate2 (%s)", folder, quantization)
    # Hidden folders are conversions in progress, maybe of another process.
    by_last_use = sorted(out.parent.glob("[!.]*"), key=lambda model: model.stat().st_mtime)
    for unused in by_last_use[:-MAX_CACHED_MODELS]:
        shutil.rmtree(unused, ignore_errors=True)
    return out
