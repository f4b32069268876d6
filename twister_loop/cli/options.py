"""The command `twister options`: every option of a plan, from its declaration."""

from __future__ import annotations

import argparse
import ast
import inspect
import textwrap
from collections.abc import Iterator
from dataclasses import MISSING, Field, fields, is_dataclass
from itertools import pairwise
from typing import Any

from ..asr._base import Recognizer
from ..audio.effects._base import Effect
from ..core import schema
from ..core.errors import ConfigError
from ..core.registry import Part
from ..core.schema_errors import describe_type, find_nearest_name, list_options, show_value
from ..data.corpora._base import Corpus
from ..data.filters._base import Filter
from ..data.mixture import MixOptions
from ..data.packing import PackOptions
from ..data.scanning import ScanOptions
from ..evaluation.gates._base import Gate
from ..pipeline.execution.shards import Cluster
from ..pipeline.plan_schema import NewAudioOptions, PlanDocument
from ..pipeline.run_folder import PruneOptions
from ..pipeline.stages.labeling import LabelOptions
from ..pipeline.stages.rescoring import RescoringOptions
from ..pipeline.stages.text_selection import TextSelection
from ..pipeline.stages.voices import VoiceTrialOptions
from ..text.normalizers._base import Normalizer
from ..tts._base import Synthesizer
from .json_output import print_json

KINDS: dict[str, type[Part]] = {
    "asr, labeler, references": Recognizer,
    "voices": Synthesizer,
    "pool, texts, human, replay and held-out sets": Corpus,
    "filters": Filter,
    "gates": Gate,
    "normalizer": Normalizer,
    "augment.effects": Effect,
    "cluster": Cluster,
}
"""Base classes of parts by the keys of a plan that name them."""
ROOMS = {kind.package.rpartition(".")[2]: kind for kind in KINDS.values()}
"""The same by the folders that parts of one's own lie in: `filters`, `gates`, ..."""
BLOCKS: dict[str, type] = {
    "scan": ScanOptions,
    "labeler": LabelOptions,
    "rescore": RescoringOptions,
    "text_selection": TextSelection,
    "trial": VoiceTrialOptions,
    "mix": MixOptions,
    "pack": PackOptions,
    "new_audio": NewAudioOptions,
    "keep": PruneOptions,
}
"""Blocks of options by the key of a plan."""


def show_options(options: argparse.Namespace) -> int:
    """Show every option of a plan with its range, its default and what it does.

    With NAME, only those of one part or key: `twister options whisper`. With --json they are JSON
    Schemas, and without NAME also one of a whole plan, by which an editor can check it.
    """
    if options.name is None:
        if options.json:
            print_json(list_schemas())
        else:
            print(write_reference(), end="")
        return 0
    sections = list(_find_sections(options.name))
    if not sections:
        names = [*BLOCKS, *(name for kind in KINDS.values() for name in kind.list_names())]
        nearest = find_nearest_name(options.name, names)
        hint = f"did you mean {nearest!r}?" if nearest else "`twister options` lists all of them"
        raise ConfigError(f"no part or key {show_value(options.name)}; {hint}")
    if options.json:
        print_json(list_schemas(options.name))
    else:
        print("\n".join(sections), end="")
    return 0


def write_reference() -> str:
    """Return the reference of all options as Markdown."""
    parts = [
        "# Options\n",
        "Written by `twister options` from the declarations that plans are checked by.",
        "`twister options NAME` shows one part or key.\n",
        "## Keys with options of their own\n",
        *(_describe_class(f"`{key}:`", block) for key, block in BLOCKS.items()),
    ]
    for keys, kind in KINDS.items():
        parts.append(f"## Parts of {keys}\n")
        for name in kind.list_names():
            parts.append(_describe_class(f"`{name}`", kind.find_class(name)))
    return "\n".join(parts).rstrip() + "\n"


def list_schemas(name: str | None = None) -> dict[str, Any]:
    """Return JSON Schemas of the options, for programs.

    Args:
        name: A part or a key of a plan; None for all of them and for the plan.

    Returns:
        `plan`, if no name is given; `keys`, by name; and `parts`, by kind and name.
    """
    keys = {key: _schema_of(block) for key, block in BLOCKS.items() if name in (None, key)}
    parts = {
        kind.__name__.lower(): {
            part: _schema_of(kind.find_class(part))
            for part in kind.list_names()
            if name in (None, part)
        }
        for kind in KINDS.values()
    }
    schemas = {"keys": keys, "parts": {kind: named for kind, named in parts.items() if named}}
    return schemas if name else {"plan": _schema_of(PlanDocument), **schemas}


def _schema_of(options_class: type) -> dict[str, Any]:
    # Pydantic does not read the strings below fields, which are what an editor shows.
    described = schema.json_schema(options_class)
    documentation = _read_documentation(options_class)
    for name, option in described.get("properties", {}).items():
        if name in documentation:
            option["description"] = documentation[name]
    return described


def _find_sections(name: str) -> Iterator[str]:
    if name in BLOCKS:
        yield _describe_class(f"`{name}:`", BLOCKS[name])
    for kind in KINDS.values():
        if name in kind.list_names():
            yield _describe_class(f"`{name}` ({kind.__name__.lower()})", kind.find_class(name))


def _describe_class(title: str, options_class: type) -> str:
    summary = inspect.cleandoc(options_class.__doc__ or "").partition("\n\n")[0]
    lines = [f"### {title}\n", f"{' '.join(summary.split())}\n"]
    documentation = _read_documentation(options_class)
    by_name = {option.name: option for option in fields(options_class)}
    for name, annotation in list_options(options_class):
        # An option without a string of its own is described by its range alone.
        text = documentation.get(name, "")
        lines.append(
            f"- **{name}**: {describe_type(annotation)}; {_default(by_name[name])}. {text}"
        )
        for inner_class in _inner_classes(annotation):
            inner = _read_documentation(inner_class)
            inner_fields = {option.name: option for option in fields(inner_class)}
            for inner_name, inner_annotation in list_options(inner_class):
                lines.append(
                    f"  - **{name}.{inner_name}**: {describe_type(inner_annotation)}; "
                    f"{_default(inner_fields[inner_name])}. {inner.get(inner_name, '')}"
                )
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _default(option: Field[Any]) -> str:
    if option.default is not MISSING:
        return f"default {show_value(option.default)}"
    if option.default_factory is not MISSING:
        return "default empty"
    return "required"


def _inner_classes(annotation: Any) -> list[type]:
    """Return the dataclasses of options among the alternatives of an annotation."""
    # Of `EarlyStoppingOptions | None`, the first.
    alternatives = getattr(annotation, "__args__", (annotation,))
    return [member for member in alternatives if is_dataclass(member) and isinstance(member, type)]


def _read_documentation(options_class: type) -> dict[str, str]:
    """Return the strings below the fields of a dataclass and its bases, by the fields' names."""
    documentation: dict[str, str] = {}
    # From the most general class on, so that a subclass can say something more precise.
    for owner in reversed(options_class.__mro__):
        if not is_dataclass(owner):
            continue
        # From the source, because Python keeps no string that stands below a field.
        [definition] = ast.parse(textwrap.dedent(inspect.getsource(owner))).body
        body = getattr(definition, "body", [])
        for statement, following in pairwise(body):
            if (
                isinstance(statement, ast.AnnAssign)
                and isinstance(statement.target, ast.Name)
                and isinstance(following, ast.Expr)
                and isinstance(following.value, ast.Constant)
            ):
                documentation[statement.target.id] = " ".join(str(following.value.value).split())
    return documentation
