"""Tiny Whisper models with random weights, and clips for them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from twister_loop.audio import io as audio
from twister_loop.core.cache import cache_folder
from twister_loop.core.types import Checkpoint, Utterance
from twister_loop.data.corpora._base import Corpus

# In the order of the real vocabulary: the code relies on what follows what.
SPECIAL_TOKENS = (
    "<|endoftext|> <|startoftranscript|> <|en|> <|it|> <|zh|> <|translate|> <|transcribe|> "
    "<|startoflm|> <|startofprev|> <|nospeech|> <|notimestamps|>"
).split()
TIMESTAMPS = [f"<|{step * 0.02:.2f}|>" for step in range(1501)]


@pytest.fixture(scope="session")
def tiny_whisper(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    """Whisper with two layers of width 32, and single bytes and timestamps as tokens."""
    folder = tmp_path_factory.mktemp("tiny-whisper")
    return write_tiny_whisper(folder, [*SPECIAL_TOKENS, *TIMESTAMPS])


@pytest.fixture(scope="session")
def untimed_whisper(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    """The same without timestamps."""
    return write_tiny_whisper(tmp_path_factory.mktemp("untimed-whisper"), SPECIAL_TOKENS)


@pytest.fixture(scope="session")
def brief_whisper(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    """The same with room for 96 tokens, since random weights go on to the limit."""
    folder = tmp_path_factory.mktemp("brief-whisper")
    return write_tiny_whisper(folder, [*SPECIAL_TOKENS, *TIMESTAMPS], token_limit=96)


def write_tiny_whisper(
    folder: Path, special_tokens: list[str], token_limit: int = 448
) -> Checkpoint:
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    alphabet = pytest.importorskip("tokenizers").pre_tokenizers.ByteLevel.alphabet()
    vocabulary = {letter: index for index, letter in enumerate(sorted(alphabet))}
    tokenizer = transformers.WhisperTokenizer(
        vocab=vocabulary, merges=[], pad_token=special_tokens[0]
    )
    tokenizer.add_special_tokens({"additional_special_tokens": special_tokens[1:]})
    to_id = tokenizer.convert_tokens_to_ids
    end_token = to_id(SPECIAL_TOKENS[0])
    token_ids = dict.fromkeys(("bos_token_id", "eos_token_id", "pad_token_id"), end_token)
    token_ids["decoder_start_token_id"] = to_id("<|startoftranscript|>")
    torch.manual_seed(0)
    model = transformers.WhisperForConditionalGeneration(
        transformers.WhisperConfig(
            vocab_size=len(tokenizer),
            num_mel_bins=80,
            max_target_positions=token_limit,
            d_model=32,
            encoder_layers=2,
            decoder_layers=2,
            encoder_attention_heads=2,
            decoder_attention_heads=2,
            encoder_ffn_dim=64,
            decoder_ffn_dim=64,
            init_std=0.3,  # the usual 0.02 would give nearly the same logits for every clip
            **token_ids,
        )
    )
    model.generation_config = transformers.GenerationConfig(
        **token_ids,
        is_multilingual=True,
        lang_to_id={name: to_id(name) for name in ("<|en|>", "<|it|>", "<|zh|>")},
        task_to_id={name: to_id(f"<|{name}|>") for name in ("translate", "transcribe")},
        no_timestamps_token_id=to_id("<|notimestamps|>"),
        suppress_tokens=[],
        begin_suppress_tokens=[end_token],
        max_length=token_limit,
    )
    model.save_pretrained(folder)
    processor = transformers.WhisperProcessor(transformers.WhisperFeatureExtractor(), tokenizer)
    processor.save_pretrained(folder)
    return Checkpoint("whisper", folder, source="random", digest="0")


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Utterance]:
    """Twelve clips of noise with different lengths, not ordered by length."""
    folder, rng = tmp_path_factory.mktemp("clips"), np.random.default_rng(0)
    utterances = []
    for number in range(12):
        duration = 0.3 + 0.1 * (number * 5 % 12)
        samples = rng.normal(0, 0.1, round(duration * audio.SAMPLE_RATE)).astype(np.float32)
        path = folder / f"{number}.wav"
        audio.write(samples, path)
        text = ("uno due", "tre", "quattro e cinque")[number % 3]
        utterances.append(
            Utterance(id=str(number), audio_filepath=path, duration=duration, text=text, lang="it")
        )
    return utterances


@pytest.fixture
def without_fallback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take every first decode of a window: random weights are never sure.

    The two engines have different fallbacks, so only first decodes can be compared.
    """
    from twister_loop.asr.whisper import sequential

    monkeypatch.setattr(sequential, "MIN_CONFIDENCE", -99.0)
    monkeypatch.setattr(sequential, "MAX_COMPRESSION_RATIO", 99.0)


@pytest.fixture(scope="session")
def prompts() -> list[Utterance]:
    """Eight Italian telephone prompts of a minute in all, if they are in the cache."""
    if not (cache_folder() / "asterisk" / "it-carlo").is_dir():
        pytest.skip("the telephone prompts are not in the cache; the corpus ivr fetches them")
    speech = {
        utterance.id.partition("/")[2]: utterance
        for split in ("development", "test")
        for utterance in Corpus.build({"use": "ivr", "split": split}).utterances()
    }
    # By name, since a corrected list may leave another one out.
    names = (
        "agent-alreadyon agent-loggedoff demo-echotest vm-instructions conf-noempty conf-onlyone "
        "conf-waitforleader vm-options"
    )
    return [replace(speech[name], lang="it") for name in names.split()]
