"""Control tokens that are spelled in texts are text: in labels, prompts and forced decoding."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.asr.conftest import SPECIAL_TOKENS
from tests.asr.whisper.builders import build_whisper, load_model
from twister_loop.asr._base import BoundRecognizer
from twister_loop.core.types import Checkpoint, Piece, Utterance

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytestmark = pytest.mark.model

SPELLED = [*SPECIAL_TOKENS, "<|0.00|>", "<|30.00|>"]


def example(whisper: Any, **fields: Any) -> Any:
    from twister_loop.asr.whisper.labels import build_examples

    defaults: dict[str, Any] = {"id": "a", "duration": 1.0, "lang": "it", "text": "uno"}
    [built] = build_examples(whisper, [Utterance(**{**defaults, **fields})], 5.0, 8)
    return built


@pytest.mark.parametrize("token", SPELLED)
@pytest.mark.parametrize("lang", ["it", "zh"])
def test_a_spelled_token_is_tokenized_as_letters(
    tiny_whisper: Checkpoint, token: str, lang: str
) -> None:
    whisper = load_model(tiny_whisper)
    tokens = whisper.tokenize(f"uno {token}due{token}", lang)
    assert max(tokens) < whisper.end_token  # all control tokens come after the letters
    spelled = "".join(whisper.tokenizer.convert_ids_to_tokens(tokens)).replace("\u0120", " ")
    assert spelled.strip() == f"uno {token}due{token}"


@pytest.mark.parametrize("token", SPELLED)
def test_labels_and_previous_texts_hold_no_control_token_of_the_text(
    tiny_whisper: Checkpoint, token: str
) -> None:
    whisper = load_model(tiny_whisper)
    piece = Piece(id="p", origin="human", lang="it", text=f"{token} tre", start=0.0, end=1.0)
    built = example(whisper, text=f"uno {token}", previous_text=f"due {token}", pieces=(piece,))
    [sentence] = built.sentence_tokens
    start, *previous = built.previous_text_tokens
    assert start == whisper.previous_text_token
    for tokens in (built.tokens, sentence, previous):
        assert tokens and max(tokens) < whisper.end_token


@pytest.mark.parametrize("token", ["<|endoftext|>", "<|it|>", "<|0.00|>"])
def test_forced_decoding_scores_a_spelled_token_letter_by_letter(
    tiny_whisper: Checkpoint, clips: list[Utterance], token: str
) -> None:
    recognizer = BoundRecognizer(build_whisper(), tiny_whisper)
    [aligned] = recognizer.align([replace(clips[0], text=f"uno {token}")])
    assert [word.word for word in aligned.words] == ["uno", token]
    # One letter less, one term of the sum less: a control token would be one term for all.
    short, long = recognizer.score(
        [replace(clips[0], text=f"uno {token[:-1]}"), replace(clips[0], text=f"uno {token}")]
    )
    assert short is not None and long is not None and short != long


def test_plain_texts_have_the_tokens_of_the_tokenizer(tiny_whisper: Checkpoint) -> None:
    whisper = load_model(tiny_whisper)
    for text in ("l'università è così", "你好 world", "안녕하세요", "1,000.50 €  <b> a|b", "नमस्ते"):
        words = text.split()
        expected = [
            token
            for word in words
            for token in whisper.tokenizer.encode(f" {word}", add_special_tokens=False)
        ]
        assert whisper.tokenize(text, "it") == expected
