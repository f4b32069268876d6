"""Check of the classes that the configuration of a Coqui voice names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ...core.errors import EngineError

CONFIG_CLASSES = frozenset(
    {
        "TTS.tts.models.vits.VitsCharacters",
        "TTS.tts.utils.text.characters.BaseCharacters",
        "TTS.tts.utils.text.characters.BaseVocabulary",
        "TTS.tts.utils.text.characters.Graphemes",
        "TTS.tts.utils.text.characters.IPAPhonemes",
    }
)
"""Classes that a configuration may name: Coqui imports the module of whatever stands there."""


def check_classes(config: Any, weights: Path) -> None:
    """Refuse a configuration that names a class other than Coqui's own.

    The configuration is checked as Coqui has read it, so that no other way to read the file can
    hide a name. Coqui imports the module of the name later, when it builds the model.

    Raises:
        EngineError: it names one; the message contains the place and the name.
    """
    check_named_classes(config.to_dict(), weights)


def check_named_classes(table: Mapping[str, Any], weights: Path) -> None:
    """Refuse the table of a configuration that names a class other than Coqui's own.

    Raises:
        EngineError: it names one; the message contains the place and the name.
    """
    for place, name in _named_classes(table):
        if name not in CONFIG_CLASSES:
            raise EngineError(
                f"{weights}: {place} in the config.json beside it names {name!r}, which is none of "
                "Coqui's classes of characters and could run code, so the voice is not loaded"
            )


def _named_classes(content: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every place of a configuration that names a class, such as `characters_class`."""
    if isinstance(content, Mapping):
        for key, inner in content.items():
            if str(key).endswith("_class") and inner:
                yield f"{place}{key}", inner
            yield from _named_classes(inner, f"{place}{key}.")
    elif isinstance(content, list | tuple):
        for inner in content:
            yield from _named_classes(inner, place)
