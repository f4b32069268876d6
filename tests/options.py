"""Values inside and outside the ranges of all options, from their declarations."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from twister_loop.asr._base import Recognizer
from twister_loop.audio.effects._base import Effect
from twister_loop.core.ranges import Range, Span
from twister_loop.core.registry import Part
from twister_loop.core.schema import parse_data
from twister_loop.core.schema_errors import list_options
from twister_loop.data.corpora._base import Corpus
from twister_loop.data.filters._base import Filter
from twister_loop.data.mixture import MixOptions
from twister_loop.data.scanning import SpeakerClustering
from twister_loop.evaluation.gates._base import Gate
from twister_loop.pipeline.execution.shards import Cluster
from twister_loop.pipeline.plan_schema import PlanDocument
from twister_loop.pipeline.stages.labeling import LabelOptions
from twister_loop.text.normalizers._base import Normalizer
from twister_loop.tts._base import Synthesizer

KINDS = (Recognizer, Effect, Corpus, Filter, Gate, Normalizer, Synthesizer, Cluster)
BLOCKS = ("scan", "trial", "text_selection", "rescore", "pack", "new_audio", "keep")
"""Keys of a plan whose value is a block of options."""


class Option(NamedTuple):
    """One option of a plan."""

    place: str
    """Where a plan has it: `scan.at_most`, `filter duration.at_least`."""
    annotation: Any
    changes: Callable[[Any], dict[str, Any]]
    """Returns the top-level keys of a plan in which the option has a value."""
    parse: Callable[[Any], object]
    """Checks a value of the option, without the rest of a plan."""

    @property
    def owner(self) -> str:
        """Part or block that the option belongs to."""
        return self.place.rpartition(".")[0]


def list_plan_options() -> Iterator[Option]:
    """Yield every option of every key, block and part of a plan."""
    yield from list_block_options()
    for kind in KINDS:
        yield from list_part_options(kind)


def list_block_options() -> Iterator[Option]:
    """Yield the options of a plan's keys and blocks; no engine is imported."""
    for name, annotation in list_options(PlanDocument):
        if _is_plain(annotation):
            yield Option(
                name,
                annotation,
                partial(_nest, (name,)),
                partial(_parse_key, name),
            )
    blocks = {
        **{(key,): _find_dataclass(dict(list_options(PlanDocument))[key]) for key in BLOCKS},
        ("scan", "speakers"): SpeakerClustering,
        ("mix",): MixOptions,
        ("labeler",): LabelOptions,
    }
    for keys, block_class in blocks.items():
        for name, annotation in list_options(block_class):
            yield Option(
                ".".join((*keys, name)),
                annotation,
                partial(_nest, (*keys, name)),
                partial(_parse_block, block_class, name),
            )


def list_part_options(kind: type[Part]) -> Iterator[Option]:
    """Yield the options of all parts of a kind."""
    for part_name in kind.list_names():
        part_class = kind.find_class(part_name)
        spec = {"use": part_name, **_required_options(part_class)}
        for name, annotation in list_options(part_class):
            yield Option(
                f"{kind.__name__.lower()} {part_name}.{name}",
                annotation,
                partial(_put_into_plan, kind, spec, name),
                partial(_build, kind, spec, name),
            )


def _nest(keys: tuple[str, ...], value: Any) -> dict[str, Any]:
    for key in reversed(keys):
        value = {key: value}
    return dict(value)


def _parse_key(name: str, value: Any) -> object:
    required = {"pool": "pool", "asr": "toy", "development": {"dev": "dev"}}
    return parse_data(PlanDocument, {**required, name: value})


def _parse_block(block_class: type, name: str, value: Any) -> object:
    return parse_data(block_class, {name: value})


def _build(kind: type[Part], spec: dict[str, Any], name: str, value: Any) -> object:
    return kind.build({**spec, name: value})


def _required_options(part_class: type[Part]) -> dict[str, Any]:
    """Return a value for each option without a default, and for those that a part insists on."""
    required = {
        option.name: _some_value(annotation)
        for option, (_, annotation) in zip(
            fields(part_class),  # type: ignore[arg-type]
            list_options(part_class),
            strict=True,
        )
        if option.default is MISSING and option.default_factory is MISSING
    }
    insisted = {"huggingface": {"dataset": "some/data"}, "xtts": {"non_commercial": True}}
    return {**required, **insisted.get(part_class.name, {})}


def _put_into_plan(kind: type[Part], spec: dict[str, Any], name: str, value: Any) -> dict[str, Any]:
    spec = {**spec, name: value}
    if kind is Recognizer:
        # An engine that cannot be trained can only be the labeler.
        return {"labeler" if spec["use"] == "ctranslate2" else "asr": spec}
    if kind is Effect:
        return {"augment": {"effects": [spec]}}
    if kind is Corpus:
        return {"human": [spec]}
    if kind is Filter:
        return {"filters": {"pseudo": [spec]}}
    if kind is Gate:
        return {"gates": [spec]}
    if kind is Synthesizer:
        return {"voices": {"voice": spec}}
    return {kind.__name__.lower(): spec}


def outside(annotation: Any) -> Iterator[Any]:
    """Yield values that an option with this annotation must refuse."""
    members = list(_members(annotation))
    kinds = {get_origin(_plain(member)) or _plain(member) for member in members}
    if type(None) not in kinds:
        yield None
    for member in members:
        yield from _outside_bounds(member)
    numeric = kinds & {int, float}
    if numeric:
        yield from ([1], {"a": 1}, math.nan, math.inf, -math.inf, 10**400)
        if str not in kinds and Literal not in kinds:
            yield from ("3", "much")
        if bool not in kinds:
            yield True
        if int in kinds and float not in kinds:
            yield 2.5
    if bool in kinds and not numeric:
        yield from ("maybe", 7, [])
    if kinds & {str, Path} and not numeric:
        yield from (3, [[]])
    if Literal in kinds:
        yield from ("nonsense", 3.5)
    if tuple in kinds and not numeric:
        yield from (3, {"a": 1})
    if Mapping in kinds or dict in kinds:
        yield from (3, [1])
    if any(map(is_dataclass, kinds)):
        yield from (3, {"unknown_option": 1})


def inside(annotation: Any) -> Iterator[Any]:
    """Yield values at the ends of the range of an option, where it has a range."""
    for member in _members(annotation):
        plain, bounds = _plain(member), _bounds(member, Range)
        if bounds is not None and plain in (int, float):
            step = 1 if plain is int else 1e-6
            low = bounds.low if bounds.low is not None else (bounds.above or 0) + step
            yield plain(low)
            high = bounds.high if bounds.high is not None else (bounds.below or 1e6) - step
            yield plain(high)
        elif span := _bounds(member, Span):
            low = span.bounds.low if span.bounds.low is not None else 1e-3
            yield [plain_number(low, member), plain_number(low, member)]
            if span.bounds.high is not None:
                yield [plain_number(low, member), plain_number(span.bounds.high, member)]
        elif get_origin(plain) is Literal:
            yield from get_args(plain)
        elif plain is bool:
            yield from (True, False)
        elif plain is type(None):
            yield None


def plain_number(number: float, annotation: Any) -> float:
    """Return a number in the type of the elements of a pair."""
    element = get_args(_plain(annotation))[0]
    return int(number) if element is int else float(number)


def _outside_bounds(member: Any) -> Iterator[Any]:
    plain = _plain(member)
    if bounds := _bounds(member, Range):
        if bounds.low is not None:
            yield plain(bounds.low - 1)
        if bounds.above is not None:
            yield plain(bounds.above)
            yield plain(bounds.above - 1)
        if bounds.high is not None:
            yield plain(bounds.high + 1)
        if bounds.below is not None:
            yield plain(bounds.below)
    if span := _bounds(member, Span):
        low = span.bounds.low if span.bounds.low is not None else span.bounds.above or 0
        yield from ([low + 2, low + 1], [low + 1], [low - 1, low + 1], [low, math.nan], "x")
    arguments = get_args(plain)
    if get_origin(plain) is tuple and not span and arguments:
        yield from ([value] for value in _outside_bounds(arguments[0]))
    if get_origin(plain) in (Mapping, dict) or getattr(get_origin(plain), "__name__", "") in (
        "Mapping",
    ):
        yield from ({_some_key(arguments[0]): value} for value in _outside_bounds(arguments[1]))


def _some_key(annotation: Any) -> str:
    return str(get_args(annotation)[0]) if get_origin(annotation) is Literal else "it"


def _some_value(annotation: Any) -> Any:
    plain = _plain(next(iter(_members(annotation))))
    if get_origin(plain) is Literal:
        return get_args(plain)[0]
    return "data/human" if plain is Path else "toy"


def _members(annotation: Any) -> Iterator[Any]:
    inner = _plain(annotation)
    if get_origin(inner) in (Union, type(int | str)):
        for member in get_args(inner):
            yield from _members(member)
    else:
        yield annotation


def _plain(annotation: Any) -> Any:
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation


def _bounds(annotation: Any, bounds_class: type) -> Any:
    metadata = get_args(annotation)[1:] if get_origin(annotation) is Annotated else ()
    return next((bounds for bounds in metadata if isinstance(bounds, bounds_class)), None)


def _is_plain(annotation: Any) -> bool:
    """Return whether an option is a number, a truth value, a text or a choice."""
    return all(
        _plain(member) in (int, float, bool, str, type(None))
        or get_origin(_plain(member)) is Literal
        for member in _members(annotation)
    )


def _find_dataclass(annotation: Any) -> type:
    return next(member for member in _members(annotation) if is_dataclass(member))
