"""Filter on the agreement with another model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from ...asr._base import Recognizer, WeightsStatus
from ...core.errors import ConfigError
from ...core.registry import list_folders_or_names
from ...core.types import Checkpoint, Utterance
from ._base import FilterContext
from ._second_opinion import SecondOpinion


@dataclass(frozen=True)
class SecondModel(SecondOpinion):
    """Drops speech that another model transcribes differently."""

    # Not a Recognizer: the options of a part must be plain values from YAML.
    asr: dict[str, Any] | str = field(kw_only=True)
    """The other model, as a plan names one: `{use: whisper, model: ...}`. It is used as it was
    published, and never fine-tuned."""

    def relative_to(self, folder: Path) -> Self:
        try:
            other_model = self._recognizer(folder)
        except ConfigError as cause:
            raise ValueError(f"asr: {cause}") from cause
        written = {} if isinstance(self.asr, str) else self.asr
        # The options of the other model are plain values, so its folder is put back among them.
        folders_or_names = list_folders_or_names(type(other_model))
        places = {
            name: str(place)
            for name in written
            if isinstance(place := getattr(other_model, name, None), Path)
            or name in folders_or_names
        }
        part = super().relative_to(folder)
        return replace(part, asr={**written, **places}) if places else part

    def find_weights(self) -> WeightsStatus:
        return self._recognizer().find_weights()

    def unsupported_reason(self) -> Callable[[Utterance], str | None] | None:
        recognizer = self._recognizer()
        # Not the weights themselves: `twister check` downloads nothing.
        checkpoint = recognizer.preview_checkpoint(recognizer.find_weights())
        return recognizer.unsupported_reason(checkpoint) if checkpoint else None

    def points_to(self) -> Checkpoint | dict[str, Any]:
        """Return the other model's checkpoint for the cache key, with code from outside.

        So other weights under the same name make a stage's output stale.
        """
        recognizer = self._recognizer()
        checkpoint = recognizer.initial_checkpoint()
        # The option names the recognizer only, and its code may be edited like that of any part.
        if own_code := recognizer.own_code():
            return {"use": recognizer.name, "checkpoint": checkpoint, "own_code": own_code}
        return checkpoint

    def check(self, asr: Recognizer) -> None:
        try:
            self._recognizer().initial_checkpoint()
        except ConfigError as cause:
            raise ConfigError(f"second_model: {cause}") from cause

    def transcribe_again(
        self, utterances: Iterable[Utterance], context: FilterContext
    ) -> Iterator[Utterance]:
        recognizer = self._recognizer()
        return recognizer.transcribe(recognizer.initial_checkpoint(), utterances)

    # Built from the options each time, since parts are frozen and hold no model.
    def _recognizer(self, folder: Path = Path()) -> Recognizer:
        spec = {"use": self.asr} if isinstance(self.asr, str) else self.asr
        return Recognizer.build(spec, folder)
