"""A tiny Whisper with random weights, and clips for it."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from twister_loop.audio import io as audio
from twister_loop.core.cache import cache_folder
from twister_loop.core.types import Checkpoint, Utterance
from twister_loop.data.corpora._base import Corpus

SPECIAL = (
    "<|endoftext|> <|startoftranscript|> <|en|> <|it|> <|zh|> <|translate|> <|transcribe|> "
    "<|startoflm|> <|startofprev|> <|nospeech|> <|notimestamps|>"
).split()


TIMESTAMPS = [f"<|{place * 0.02:.2f}|>" for place in range(1501)]


@pytest.fixture(scope="session")
def tiny_whisper(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    """Two layers of 32, letters as tokens; it has the layout of the real vocabulary."""
    return tiny(tmp_path_factory.mktemp("tiny-whisper"), SPECIAL)


@pytest.fixture(scope="session")
def timed_whisper(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    """The same with timestamps."""
    return tiny(tmp_path_factory.mktemp("timed-whisper"), [*SPECIAL, *TIMESTAMPS])


def tiny(folder: Path, special: list[str]) -> Checkpoint:
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    alphabet = pytest.importorskip("tokenizers").pre_tokenizers.ByteLevel.alphabet()
    vocabulary = {letter: place for place, letter in enumerate(sorted(alphabet))}
    tokenizer = transformers.WhisperTokenizer(vocab=vocabulary, merges=[], pad_token=special[0])
    tokenizer.add_special_tokens({"additional_special_tokens": special[1:]})
    token = tokenizer.convert_tokens_to_ids
    ends = dict.fromkeys(("bos_token_id", "eos_token_id", "pad_token_id"), token(SPECIAL[0]))
    ends["decoder_start_token_id"] = token("<|startoftranscript|>")
    torch.manual_seed(0)
    model = transformers.WhisperForConditionalGeneration(
        transformers.WhisperConfig(
            vocab_size=len(tokenizer),
            num_mel_bins=80,
            d_model=32,
            encoder_layers=2,
            decoder_layers=2,
            encoder_attention_heads=2,
            decoder_attention_heads=2,
            encoder_ffn_dim=64,
            decoder_ffn_dim=64,
            init_std=0.3,
            **ends,
        )
    )
    model.generation_config = transformers.GenerationConfig(
        **ends,
        is_multilingual=True,
        lang_to_id={name: token(name) for name in ("<|en|>", "<|it|>", "<|zh|>")},
        task_to_id={name: token(f"<|{name}|>") for name in ("translate", "transcribe")},
        no_timestamps_token_id=token("<|notimestamps|>"),
        suppress_tokens=[],
        begin_suppress_tokens=[token(SPECIAL[0])],
        max_length=448,
    )
    model.save_pretrained(folder)
    processor = transformers.WhisperProcessor(transformers.WhisperFeatureExtractor(), tokenizer)
    processor.save_pretrained(folder)
    return Checkpoint("whisper", folder, source="random", digest="0")


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Utterance]:
    """Twelve noises of different lengths, none in the order of their length."""
    folder, rng = tmp_path_factory.mktemp("clips"), np.random.default_rng(0)
    made = []
    for number in range(12):
        duration = 0.3 + 0.1 * (number * 5 % 12)
        samples = rng.normal(0, 0.1, round(duration * audio.SAMPLE_RATE)).astype(np.float32)
        path = folder / f"{number}.wav"
        audio.write(samples, path)
        text = ("uno due", "tre", "quattro e cinque")[number % 3]
        made.append(
            Utterance(id=str(number), audio_filepath=path, duration=duration, text=text, lang="it")
        )
    return made


@pytest.fixture(scope="session")
def prompts() -> list[Utterance]:
    """Sentences of the Italian telephone prompts, where those were fetched before."""
    if not (cache_folder() / "asterisk" / "it-carlo").is_dir():
        pytest.skip("the telephone prompts are not in the cache; the corpus ivr fetches them")
    speech = Corpus.build({"use": "ivr", "split": "development"}).utterances()
    return [replace(each, lang="it") for each in islice(speech, 8)]
