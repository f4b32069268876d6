"""Vocabulary of a model trained from scratch: characters, jamo, or subwords.

Token 0 is CTC's blank. The vocabulary is saved beside the weights that were trained with it, and
its hash is compared when they are loaded.
"""

from __future__ import annotations

import hashlib
import io
import json
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Self

from ...core.artifacts import read_json, write_json
from ...core.errors import ConfigError, EngineError

Unit = Literal["character", "grapheme", "subword"]
BLANK = 0
"""Token of CTC's blank; it has no symbol."""
VOCABULARY_FILE, SENTENCEPIECE_FILE = "tokens.json", "tokens.model"


@dataclass(frozen=True)
class Tokenizer:
    """A vocabulary, and the rule by which texts are split into its symbols.

    >>> tokenizer = Tokenizer.train("character", ["a cat"], size=0)
    >>> tokenizer.encode("tac"), tokenizer.decode([4, 2, 3])
    ([4, 2, 3], 'tac')
    """

    unit: Unit
    symbols: tuple[str, ...]
    """Symbols by token number; the first is token 1."""
    pieces: bytes = b""
    """Model of sentencepiece; empty unless the unit is `subword`."""

    @classmethod
    def train(cls, unit: Unit, texts: Iterable[str], size: int) -> Self:
        """Return the vocabulary of some texts; `size` is the largest number of subwords.

        Raises:
            EngineError: the unit is `subword`, and sentencepiece is not installed.
        """
        if unit == "subword":
            return cls(unit, *_train_sentencepiece(list(texts), size))
        return cls(unit, tuple(sorted({symbol for text in texts for symbol in _split(unit, text)})))

    @classmethod
    def load(cls, folder: Path, expected_digest: str) -> Self:
        """Read the vocabulary that lies beside some weights.

        Raises:
            EngineError: it cannot be read, or is not the one that the weights were trained with.
        """
        try:
            saved: dict[str, Any] = read_json(folder / VOCABULARY_FILE)
            model = folder / SENTENCEPIECE_FILE
            pieces = model.read_bytes() if saved["unit"] == "subword" else b""
            tokenizer = cls(saved["unit"], tuple(saved["symbols"]), pieces)
        except (OSError, ValueError, KeyError, TypeError, ConfigError) as cause:
            raise EngineError(f"{folder}: cannot read the vocabulary ({cause!r})") from cause
        # With another vocabulary of the same size the model would load, and write wrong letters.
        if tokenizer.digest != expected_digest:
            raise EngineError(
                f"{folder / VOCABULARY_FILE}: this vocabulary ({tokenizer.digest}, "
                f"{len(tokenizer)} tokens) is not the one that the weights beside it were trained "
                f"with ({expected_digest}); restore the file, or train again"
            )
        return tokenizer

    def save(self, folder: Path) -> None:
        """Write the vocabulary to a folder."""
        vocabulary = {"unit": self.unit, "symbols": list(self.symbols)}
        write_json(vocabulary, folder / VOCABULARY_FILE)
        if self.pieces:
            (folder / SENTENCEPIECE_FILE).write_bytes(self.pieces)

    def __len__(self) -> int:
        """Return the number of tokens, the blank included."""
        return len(self.symbols) + 1

    @cached_property
    def digest(self) -> str:
        """Hash of the vocabulary, 16 hexadecimal digits."""
        content = json.dumps([self.unit, self.symbols], ensure_ascii=False).encode() + self.pieces
        return hashlib.sha256(content).hexdigest()[:16]

    def encode(self, text: str) -> list[int]:
        """Return the tokens of a text; symbols that are not in the vocabulary are left out."""
        numbers = (self._numbers.get(symbol) for symbol in self._symbols_of(text))
        return [number for number in numbers if number]

    def count_unknown(self, text: str) -> int:
        """Return the number of symbols of a text that are not in the vocabulary."""
        return sum(symbol not in self._numbers for symbol in self._symbols_of(text))

    def decode(self, tokens: Sequence[int]) -> str:
        """Return the text of some tokens, in Unicode's composed form (NFC)."""
        text = "".join(self.symbols[token - 1] for token in tokens if token != BLANK)
        if self.unit == "subword":
            text = text.replace("▁", " ")  # sentencepiece's mark for the start of a word
        return " ".join(unicodedata.normalize("NFC", text).split())

    def encode_words(self, text: str) -> list[tuple[str, list[int]]]:
        """Return the words of a text with their tokens.

        The space before a word belongs to it, so that together they are the tokens of the text.
        """
        words = []
        for index, word in enumerate(text.split()):
            with_space = word if self.unit == "subword" or index == 0 else f" {word}"
            words.append((word, self.encode(with_space)))
        return words

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {symbol: number for number, symbol in enumerate(self.symbols, 1)}

    def _symbols_of(self, text: str) -> list[str]:
        if self.pieces:
            return self._sentencepiece.encode(text, out_type=str)
        return _split(self.unit, text)

    @cached_property
    def _sentencepiece(self) -> Any:
        import sentencepiece  # imported here because only this unit needs the extra

        return sentencepiece.SentencePieceProcessor(model_proto=self.pieces)


def _split(unit: Unit, text: str) -> list[str]:
    # Jamo are those of decomposed syllables: they distinguish leading from trailing consonants, so
    # that syllables can be composed again without knowing where they end.
    form: Literal["NFD", "NFC"] = "NFD" if unit == "grapheme" else "NFC"
    return list(unicodedata.normalize(form, text))


def _train_sentencepiece(texts: list[str], size: int) -> tuple[tuple[str, ...], bytes]:
    """Train a unigram model of sentencepiece; return its pieces, and the model."""
    try:
        import sentencepiece
    except ModuleNotFoundError as cause:
        raise EngineError("unit: subword needs sentencepiece: pip install sentencepiece") from cause
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts),
        model_writer=model,
        vocab_size=size,
        hard_vocab_limit=False,  # a small corpus has fewer pieces than `size`
        character_coverage=1.0,  # rare Hangul syllables would become unknown otherwise
        num_threads=1,  # the same corpus gives the same pieces
        minloglevel=2,  # errors only; it logs every step of its training otherwise
    )
    processor = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    pieces = tuple(processor.id_to_piece(number) for number in range(len(processor)))
    return pieces, model.getvalue()
