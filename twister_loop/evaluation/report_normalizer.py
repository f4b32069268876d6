"""Normalizer of a report, as it was when the errors were counted.

A report is read again and again, for intervals and for the utterances behind them. A normalizer
from outside of the package may be missing by then, or edited. So what it made of the texts and
transcripts is written beside them, and is read back in its place.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..core.differences import OWN_CODE
from ..core.errors import ConfigError
from ..core.manifest import Manifest
from ..core.types import Language, Report, Utterance
from ..text.normalizers._base import Normalizer

COMPARED = "compared"
"""Folder beside the transcripts of a set: the same utterances, their texts normalized."""


@dataclass(frozen=True)
class RecordedNormalizer(Normalizer):
    """What a normalizer whose code need not be here made of the texts of one report."""

    outputs: Mapping[tuple[str, Language | None], str] = field(default_factory=dict)
    """Normalized texts, by text and language."""

    def normalize(self, text: str, lang: Language | None) -> str:
        return self.outputs[text, lang]


def write_compared(transcribed: Manifest, normalizer: Normalizer, folder: Path) -> None:
    """Write what a normalizer from outside of the package makes of a set, beside its transcripts.

    As a manifest, so that lines which somebody wants removed are found in it like everywhere else.
    """
    # Those of this package are there whenever a report is read.
    if normalizer.own_code() is None:
        return

    def normalized() -> Iterator[Utterance]:
        for utterance in transcribed:
            yield replace(
                utterance,
                text=normalizer.normalize(utterance.text or "", utterance.lang),
                pred_text=normalizer.normalize(utterance.pred_text or "", utterance.lang),
            )

    Manifest.write(normalized(), folder / COMPARED)


def read_normalizer(*reports: Report) -> Normalizer:
    """Return the normalizer of reports of one round; one from outside knows only their texts."""
    if OWN_CODE not in reports[0].normalizer:
        return Normalizer.build(reports[0].normalizer)
    # One table for all of them: a diff aligns the transcripts of several models.
    outputs = dict[tuple[str, Language | None], str]()
    for report in reports:
        for compared in report.folder.glob(f"*/*/{COMPARED}"):
            lines = zip(Manifest(compared.parent), Manifest(compared), strict=True)
            for utterance, normalized in lines:
                outputs[utterance.text or "", utterance.lang] = normalized.text or ""
                outputs[utterance.pred_text or "", utterance.lang] = normalized.pred_text or ""
    return RecordedNormalizer(outputs)


def load_code(report: Report) -> Normalizer:
    """Return the normalizer of a report with its code, for texts that the report does not have.

    Raises:
        ConfigError: Its code is not here, or was edited since.
    """
    # The record tells options and code in one place, and a plan would name the options only.
    spec: dict[str, Any] = {**report.normalizer}
    own_code = spec.pop(OWN_CODE, None)
    normalizer = Normalizer.build(spec)
    if normalizer.own_code() != own_code:
        raise ConfigError(f"the code of the normalizer {spec['use']!r} was edited since")
    return normalizer
