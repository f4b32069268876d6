"""Vocabularies of models trained from scratch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("torchaudio")
pytestmark = pytest.mark.model


@pytest.mark.parametrize("unit", ["character", "grapheme", "subword"])
def test_texts_are_the_same_after_encoding_and_decoding(unit: Any, tmp_path: Path) -> None:
    from twister_loop.asr._from_scratch.tokenizer import Tokenizer

    texts = ["한글 소리를 듣고", "소리 나는 대로 적는다", "값을 읽었다", "하나 둘 셋 넷"] * 3
    trained = Tokenizer.train(unit, texts, 60)
    trained.save(tmp_path)
    tokenizer = Tokenizer.load(tmp_path, trained.digest)
    assert tokenizer == trained and len(tokenizer) > 1
    for text in texts:
        tokens = tokenizer.encode(text)
        assert 0 not in tokens
        assert tokenizer.decode(tokens) == text
        words = tokenizer.encode_words(text)
        assert [word for word, _ in words] == text.split()
        assert [token for _, own in words for token in own] == tokens
    if unit != "subword":
        assert tokenizer.count_unknown("xy한") == 2
    if unit == "grapheme":
        assert len(tokenizer.encode("값")) == 3
