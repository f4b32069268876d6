"""What a recognizer that begins from nothing writes with: characters, jamo, or sentence pieces.

The law of the room: 0 is the blank of CTC, and what the weights were trained with is kept beside
them and compared when they are read.
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
from ...core.errors import EngineError

Unit = Literal["character", "grapheme", "subword"]
BLANK = 0
TOKENS, PIECES = "tokens.json", "tokens.model"


@dataclass(frozen=True)
class Tokens:
    """A vocabulary, and how texts are cut by it."""

    unit: Unit
    symbols: tuple[str, ...]
    """By number less one."""
    pieces: bytes = b""
    """The model of sentencepiece, where the unit is a subword."""

    @classmethod
    def learn(cls, unit: Unit, texts: Iterable[str], size: int) -> Self:
        """The vocabulary of some texts; `size` is asked of subwords only."""
        if unit == "subword":
            return cls(unit, *_pieces(list(texts), size))
        return cls(unit, tuple(sorted({sign for text in texts for sign in _cut(unit, text)})))

    @classmethod
    def load(cls, folder: Path, expected: str) -> Self:
        """Raises EngineError where it is not the one that the weights were trained with."""
        try:
            note: dict[str, Any] = read_json(folder / TOKENS)
            model = folder / PIECES
            pieces = model.read_bytes() if note["unit"] == "subword" else b""
            tokens = cls(note["unit"], tuple(note["symbols"]), pieces)
        except (OSError, ValueError, KeyError) as cause:
            raise EngineError(f"{folder}: no vocabulary that can be read ({cause!r})") from cause
        if tokens.digest != expected:
            raise EngineError(
                f"{folder / TOKENS}: this vocabulary ({tokens.digest}, {len(tokens)} tokens) is "
                f"not the one that the weights beside it were trained with ({expected}): what they "
                "hear would come out as other letters. Bring back the file, or train anew"
            )
        return tokens

    def save(self, folder: Path) -> None:
        write_json({"unit": self.unit, "symbols": list(self.symbols)}, folder / TOKENS)
        if self.pieces:
            (folder / PIECES).write_bytes(self.pieces)

    def __len__(self) -> int:
        """The blank included."""
        return len(self.symbols) + 1

    @cached_property
    def digest(self) -> str:
        known = json.dumps([self.unit, self.symbols], ensure_ascii=False).encode() + self.pieces
        return hashlib.sha256(known).hexdigest()[:16]

    def encode(self, text: str) -> list[int]:
        """Numbers of the tokens; signs that are not in the vocabulary are left out."""
        numbers = (self._numbers.get(sign) for sign in self._symbols_of(text))
        return [number for number in numbers if number]

    def strange(self, text: str) -> int:
        """Signs of a text that are not in the vocabulary."""
        return sum(sign not in self._numbers for sign in self._symbols_of(text))

    def decode(self, numbers: Sequence[int]) -> str:
        said = "".join(self.symbols[number - 1] for number in numbers if number != BLANK)
        if self.unit == "subword":
            said = said.replace("▁", " ")
        return " ".join(unicodedata.normalize("NFC", said).split())

    def words(self, text: str) -> list[tuple[str, list[int]]]:
        """The words of a text, each with its tokens, and the space before it where it is one."""
        found = []
        for place, word in enumerate(text.split()):
            spaced = word if self.unit == "subword" or place == 0 else f" {word}"
            found.append((word, self.encode(spaced)))
        return found

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {symbol: number for number, symbol in enumerate(self.symbols, 1)}

    def _symbols_of(self, text: str) -> list[str]:
        return self._cutter.encode(text, out_type=str) if self.pieces else _cut(self.unit, text)

    @cached_property
    def _cutter(self) -> Any:
        import sentencepiece  # an extra that only this unit needs

        return sentencepiece.SentencePieceProcessor(model_proto=self.pieces)


def _cut(unit: Unit, text: str) -> list[str]:
    """Jamo are those of decomposed syllables, which tell a leading consonant from a trailing."""
    form: Literal["NFD", "NFC"] = "NFD" if unit == "grapheme" else "NFC"
    return list(unicodedata.normalize(form, text))


def _pieces(texts: list[str], size: int) -> tuple[tuple[str, ...], bytes]:
    """A unigram model of sentencepiece, and what it calls its pieces."""
    try:
        import sentencepiece
    except ModuleNotFoundError as cause:
        raise EngineError("unit: subword needs sentencepiece: pip install sentencepiece") from cause
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts),
        model_writer=model,
        vocab_size=size,
        hard_vocab_limit=False,  # a small corpus has fewer
        character_coverage=1.0,
        num_threads=1,
        minloglevel=2,
    )
    cutter = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    return tuple(cutter.id_to_piece(number) for number in range(len(cutter))), model.getvalue()
