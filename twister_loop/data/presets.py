"""Recipes of others, by name, each with its source: what they published, as parts of a plan.

A preset stands for its parts. A part that the plan names beside it takes the place of the preset's
part of that name, so a preset can be had with one threshold changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..core import schema
from ..core.errors import ConfigError
from ..core.registry import Part
from .mixture import MixOptions

Spec = dict[str, Any]
"""`{use: NAME, option: value}`, as in the YAML."""


@dataclass(frozen=True)
class Preset:
    """Parts that belong together."""

    source: str
    """Who published the figures."""
    parts: tuple[Spec, ...]


FILTERS = {
    "default": Preset(
        "What drops a pseudo-label if a plan says nothing else: OpenAI Whisper's own thresholds on "
        "its decoder, Granary's on words, Emilia's on the rate of characters.",
        (
            {"use": "duration", "at_least": 0.4, "at_most": 30.0},
            {"use": "confidence", "at_least": -1.0},
            {"use": "compression", "at_most": 2.4},
            {"use": "no_speech", "at_most": 0.6},
            {"use": "length_limit"},
            {"use": "repetition", "unique_at_least": 0.4},
            {"use": "longest_word", "at_most": 25},
            {"use": "char_rate"},
        ),
    ),
    "round_trip": Preset(
        "What drops synthetic speech if a plan says nothing else: gross errors only, for small "
        "ones may be what the champion has to learn.",
        (
            {"use": "duration", "at_least": 0.4, "at_most": 30.0},
            {"use": "agreement", "at_most": 0.35},
        ),
    ),
    "speakable": Preset(
        "What drops a text of the corpus if a plan says nothing else: what nobody says in 30 s, "
        "and what is mostly in letters of another language.",
        (
            {"use": "text_length", "at_least": 1, "at_most": 400},
            {"use": "script", "at_most": 0.5},
        ),
    ),
    "gigaspeech2": Preset(
        "GigaSpeech 2 (arXiv 2406.11546): 2 to 30 s, and only characters of the language. Its "
        "language identification of texts (fastText) is not among our filters.",
        (
            {"use": "duration", "at_least": 2.0, "at_most": 30.0},
            {"use": "script", "at_most": 0.0},
        ),
    ),
    "emilia": Preset(
        "Emilia (arXiv 2407.05361): 3 to 30 s, spoken language certain to 0.8, characters a second "
        "no more than 1.5 IQR beyond the quartiles, DNSMOS P.835 of 3.0.",
        (
            {"use": "duration", "at_least": 3.0, "at_most": 30.0},
            {"use": "language", "at_least": 0.8},
            {"use": "char_rate", "learned": True},
            {"use": "dnsmos", "at_least": 3.0},
        ),
    ),
    "granary": Preset(
        "Granary (arXiv 2505.13404): 0.1 to 40 s, spoken language certain to 0.7, more than 0.4 of "
        "the words distinct, none of more than 25 letters, no phrase that Whisper makes up. "
        "(Whisper hears 30 s.)",
        (
            {"use": "duration", "at_least": 0.1, "at_most": 40.0},
            {"use": "language", "at_least": 0.7},
            {"use": "repetition", "unique_at_least": 0.4},
            {"use": "longest_word", "at_most": 25},
            {"use": "hallucination"},
        ),
    ),
    "distil_whisper": Preset(
        "Distil-Whisper (arXiv 2311.00430): a word error rate of 10 % at most against the text. It "
        "had human transcripts; a pseudo-label has none, so a second decode must agree with it, "
        "which does as well (arXiv 2407.01257).",
        (
            {"use": "agreement", "at_most": 0.1, "unit": "words"},
            {"use": "second_decode", "at_most": 0.1},
        ),
    ),
}


MIXES: dict[str, tuple[str, MixOptions]] = {
    "twister": (
        "Twister (arXiv 2506.11130): 10,000 of 11,749 hours, 85 %, are synthetic.",
        MixOptions(shares={"synthetic": 0.85}),
    ),
    "balanced": (
        "At most half synthetic: the best share in a broad domain (arXiv 2305.16333).",
        MixOptions(at_most={"synthetic": 0.5}),
    ),
}
"""Mixtures by name, each with its source."""


def resolve_mixture(spec: str | Mapping[str, Any], human: bool, synthetic: bool) -> MixOptions:
    """A mixture by its name, or `{preset: NAME, ...}` with other options beside it.

    Raises ValueError for what is no mixture, and where its weights leave nothing of the pool, and
    of the human and synthetic speech if there is any.
    """
    options = {"preset": spec} if isinstance(spec, str) else dict(spec)
    name = options.pop("preset", None)
    if name is not None and name not in MIXES:
        raise ValueError(f"no mixture is called {name!r}; {schema.suggest_name(str(name), MIXES)}")
    base = schema.to_json_data(MIXES[name][1]) if name else {}
    mix = schema.parse_data(MixOptions, {**base, **options})
    origins = ["pseudo", *["human"] * human, *["synthetic"] * synthetic]
    if not mix.keeps_any(origins):
        raise ValueError(f"weights that sum to zero leave nothing of {', '.join(origins)} speech")
    return mix


def expand_presets(
    specs: str | Sequence[Spec | str], presets: Mapping[str, Preset], kind: type[Part]
) -> list[Spec | str]:
    """The parts that a list of parts and presets stands for.

    Raises ConfigError for a name that is neither.
    """
    found: list[tuple[Spec | str, bool]] = []
    for spec in [specs] if isinstance(specs, str) else specs:
        if isinstance(spec, str) and spec in presets:
            found += [(part, True) for part in presets[spec].parts]
            continue
        name = spec if isinstance(spec, str) else spec.get("use")
        known = {*kind.list_names(), *presets}
        if isinstance(name, str) and name not in known:
            what = f"{kind.__name__.lower()} or preset"
            raise ConfigError(f"no {what} is called {name!r}; {schema.suggest_name(name, known)}")
        same = [n for n, (part, preset) in enumerate(found) if preset and _name(part) == name]
        for n in same:
            found[n] = (spec, False)
        if not same:
            found.append((spec, False))
    return [spec for spec, _ in found]


def _name(part: Spec | str) -> Any:
    return part if isinstance(part, str) else part.get("use")
