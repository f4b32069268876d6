"""Presets: published recipes of filters and mixtures by name, each with its source.

A preset stands for its parts. A part that the plan names beside the preset replaces the preset's
part of that name, so a plan can use a preset with one threshold changed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..core import schema
from ..core.errors import ConfigError
from ..core.registry import Part, UnknownPart
from .mixture import MixOptions

Spec = dict[str, Any]
"""Specification of a part as in the YAML: `{use: NAME, option: value}`."""


@dataclass(frozen=True)
class Preset:
    """Parts that belong together."""

    source: str
    """Publication with the thresholds, and what differs from it."""
    parts: tuple[Spec, ...]
    """The parts in the order in which they are applied."""


class MixPreset(NamedTuple):
    """A mixture with its source."""

    source: str
    """Publication with the shares."""
    options: MixOptions


FILTERS = {
    "default": Preset(
        "Default for pseudo-labels: OpenAI Whisper's own thresholds on its decoder, Granary's on "
        "words (35 letters in every language), Emilia's on the rate of letters with a stricter "
        "lower limit, two against labels in another language, and one against labels that recur.",
        (
            {"use": "duration", "at_least": 0.4, "at_most": 30.0},
            {"use": "confidence", "at_least": -1.0},
            {"use": "compression", "at_most": 2.4},
            {"use": "no_speech", "at_most": 0.6},
            # No threshold: any label that was cut off is wrong.
            {"use": "length_limit"},
            {"use": "repetition", "unique_at_least": 0.4},
            {"use": "longest_word", "at_most": 35},
            # Nearly all letters, since people who switch languages mix scripts within a sentence.
            {"use": "script", "at_most": 0.9},
            # Last, as they learn their limits from the corpus; order only decides which reason is
            # counted.
            {"use": "recurrence"},
            {"use": "char_rate"},
            {"use": "perplexity"},
        ),
    ),
    "round_trip": Preset(
        "Default for synthetic speech: drops gross errors only, since the champion may have to "
        "learn the words that it gets slightly wrong.",
        (
            {"use": "duration", "at_least": 0.4, "at_most": 30.0},
            # As in the filter itself; named here, so that the recipe does not change with it.
            {"use": "agreement", "at_most": 0.35},
        ),
    ),
    "speakable": Preset(
        "Default for texts: drops those that take longer than 30 s to speak, and those mostly "
        "in letters of another language.",
        (
            {"use": "text_length", "at_least": 1, "at_most": 400},
            # Half, since names and loan words in another script are part of many texts.
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
        "(Whisper's window is 30 s.)",
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


MIXES = {
    "twister": MixPreset(
        "Twister (arXiv 2506.11130): 10,000 of 11,749 hours, 85 %, are synthetic.",
        MixOptions(shares={"synthetic": 0.85}),
    ),
    "balanced": MixPreset(
        "At most half synthetic: the best share in a broad domain (arXiv 2305.16333).",
        MixOptions(at_most={"synthetic": 0.5}),
    ),
}
"""Presets of `mix:` by name."""


def resolve_mixture(
    spec: str | Mapping[str, Any],
    *,
    human: bool,
    synthetic: bool,
    replay: bool = False,
    corpora: Collection[str] = (),
) -> MixOptions:
    """Return the options of a mixture as a plan names it.

    Args:
        spec: The name of a preset, or options, or `{preset: NAME, ...}` with options that replace
            those of the preset.
        human: The plan has human speech to train on.
        synthetic: The plan has synthetic speech to train on.
        replay: The plan has replayed speech.
        corpora: Names of the plan's corpora.

    Raises:
        ValueError: An option or preset is unknown or out of range, the weights leave nothing of
            the speech that the plan has, or shares and caps contradict each other.

    >>> resolve_mixture("balanced", human=False, synthetic=True).at_most
    {'synthetic': 0.5}
    """
    options = {"preset": spec} if isinstance(spec, str) else dict(spec)
    name = options.pop("preset", None)
    if name is not None and name not in MIXES:
        raise ValueError(f"unknown mixture {name!r}; {schema.suggest_name(str(name), MIXES)}")
    # As plain data, so that the merged options are checked like those of a plan.
    preset_options = schema.to_json_data(MIXES[name].options) if name else {}
    mix = schema.parse_data(MixOptions, {**preset_options, **options})
    origins = ["pseudo", *["human"] * human, *["synthetic"] * synthetic]
    # Replayed speech does not count: alone it teaches nothing new.
    if not mix.keeps_any(origins):
        raise ValueError(f"weights that sum to zero leave nothing of {', '.join(origins)} speech")
    origins += ["replay"] * replay + ["speechless"] * bool(mix.speechless)
    if contradiction := next(mix.contradictions(origins, corpora), None):
        raise ValueError(contradiction)
    return mix


def expand_presets(
    specs: str | Sequence[Spec | str], presets: Mapping[str, Preset], part_class: type[Part]
) -> list[Spec | str]:
    """Return the specifications of all parts that a list of parts and presets stands for.

    Args:
        specs: The name of a preset or part, or a list of parts and presets as a plan has it.
        presets: The presets by name.
        part_class: The class of the parts, such as `Filter`.

    Returns:
        The parts in order. A part beside a preset takes the place of the preset's part of that
        name; a part that is listed twice stays twice.

    Raises:
        ConfigError: A name is neither a part nor a preset.
    """
    # With every specification, whether a preset brought it and it may still be replaced.
    parts: list[tuple[Spec | str, bool]] = []
    for spec in [specs] if isinstance(specs, str) else specs:
        if isinstance(spec, str) and spec in presets:
            # None of this package has such a name, but one of somebody's own may.
            if spec in part_class.list_names():
                raise ConfigError(f"{spec!r} is a preset; call the part of your own otherwise")
            parts += [(part, True) for part in presets[spec].parts]
            continue
        name = _part_name(spec)
        # Both, so that the suggestion may be either.
        names = {*part_class.list_names(), *presets}
        if isinstance(name, str) and name not in names:
            kind = f"{part_class.__name__.lower()} or preset"
            raise UnknownPart(kind, name, schema.suggest_name(name, names))
        replaced = [
            place
            for place, (part, from_preset) in enumerate(parts)
            if from_preset and _part_name(part) == name
        ]
        for place in replaced:
            parts[place] = (spec, False)
        if not replaced:
            parts.append((spec, False))
    return [part for part, _ in parts]


def _part_name(spec: Spec | str) -> Any:
    return spec if isinstance(spec, str) else spec.get("use")
