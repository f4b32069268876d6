"""Drop speech that another model hears otherwise."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ...asr._base import Recognizer
from ...core.errors import ConfigError
from ...core.types import Checkpoint, Utterance
from ._base import FilterContext
from ._second_opinion import SecondOpinion


@dataclass(frozen=True)
class SecondModel(SecondOpinion):
    asr: dict[str, Any] | str = field(kw_only=True)
    """The other model, untouched, as a plan names one: `{use: whisper, model: ...}`."""

    def __post_init__(self) -> None:
        try:
            self._recognizer()
        except ConfigError as wrong:
            raise ValueError(f"asr: {wrong}") from wrong

    def points_to(self) -> Checkpoint:
        """The other model's weights, so that other weights under the same name are noticed."""
        return self._recognizer().base()

    def check(self, asr: Recognizer) -> None:
        try:
            self._recognizer().base()
        except ConfigError as wrong:
            raise ConfigError(f"second_model: {wrong}") from wrong

    def transcribe_again(
        self, speech: Iterable[Utterance], witnesses: FilterContext
    ) -> Iterator[Utterance]:
        recognizer = self._recognizer()
        return recognizer.transcribe(recognizer.base(), speech)

    def _recognizer(self) -> Recognizer:
        return Recognizer.build({"use": self.asr} if isinstance(self.asr, str) else self.asr)
