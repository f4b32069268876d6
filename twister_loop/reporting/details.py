"""What is to be seen of a round besides its figures: plan, machine, curves, and what was said.

Like `summary`, it is read from the folders alone.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from ..core.artifacts import find_differences, read_json
from ..core.environment import Environment
from ..core.manifest import Manifest
from ..core.types import Language, Seconds, Utterance
from ..evaluation.metrics import AlignmentChunk, alignment_chunks
from ..pipeline.run_folder import RunFolder, round_number
from ..text.normalizers.basic import Basic
from .record_cache import cached_record, memoize_on_folders

SCHEMA_VERSION = 3
"""Of the details of a round, as they are kept; see `recall`."""
SAMPLES = 6
"""Utterances of every kind that can be listened to."""
OF_A_REASON = 3
"""Of what each filter dropped."""
POINTS = 300
"""Of a curve; more steps are averaged in groups."""
GIVEN = ("pool", "texts", "human", "replay")


@dataclass(frozen=True)
class GateConfig:
    """A gate of the plan with its options."""

    gate: str
    options: dict[str, Any]


@dataclass(frozen=True)
class FieldDiff:
    """What is otherwise than in the round before."""

    field: str
    before: str
    now: str


@dataclass(frozen=True)
class TrainingCurve:
    """The loss of one training, averaged over groups of steps where there are many."""

    name: str
    """`candidate`, or `voices/NAME`."""
    step: tuple[int, ...]
    """The last of every group."""
    loss: tuple[float, ...]


@dataclass(frozen=True)
class EarlyStoppingCurve:
    """What a candidate made of the development set that says when to stop, as it learned."""

    set_name: str
    step: tuple[int, ...]
    error_rate: tuple[float, ...]
    """Share of the units that were wrong."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """An utterance to look at and to listen to."""

    kind: str
    """`pseudo`, `rejected`, or `synthetic`."""
    voice: str | None = None
    id: str
    text: str
    alignment: tuple[AlignmentChunk, ...] = ()
    """Of synthetic speech and repaired labels: the text and what was heard, side by side."""
    lang: Language | None = None
    duration: Seconds = 0.0
    confidence: float | None = None
    objection: str | None = None


@dataclass(frozen=True)
class Details:
    """One round, behind its figures."""

    number: int
    plan: str
    """The YAML."""
    gates: tuple[GateConfig, ...]
    changes: tuple[FieldDiff, ...]
    """Of plan, data and machine against the round before; none in the first."""
    environment: Environment | None
    inputs: dict[str, int]
    """How many recordings and texts there were to begin with."""
    curves: tuple[TrainingCurve, ...]
    samples: tuple[Sample, ...]
    early_stopping: EarlyStoppingCurve | None = None
    """None where nothing says when to stop."""


def details(run: Path) -> tuple[Details, ...]:
    """Of every round, in order. Raises ConfigError where there is no run."""
    return tuple(round_details(each) for each in RunFolder.read(run).round_folders)


def round_details(at: Path) -> Details:
    """Of one round."""
    return cached_record(_details, Details, "details", SCHEMA_VERSION, at)


def _details(at: Path) -> Details:
    plan, yaml = at / "plan.json", at / "plan.yaml"
    gates = read_json(plan)["plan"].get("gates", ()) if plan.is_file() else ()
    return Details(
        number=round_number(at),
        plan=yaml.read_text(encoding="utf-8") if yaml.is_file() else "",
        gates=tuple(
            GateConfig(each["use"], {k: v for k, v in each.items() if k != "use"}) for each in gates
        ),
        changes=tuple(diff_rounds(at.with_name(f"round-{round_number(at) - 1:02d}"), at)),
        environment=_environment(at),
        inputs={
            name: memoize_on_folders(_length, at / "inputs" / name)
            for name in GIVEN
            if (at / "inputs" / name / "manifest.jsonl").is_file()
        },
        curves=tuple(_curves(at)),
        early_stopping=_looks(at),
        samples=tuple(_sample(kind, voice, each) for kind, voice, each in listening_samples(at)),
    )


def listening_samples(at: Path) -> Iterator[tuple[str, str | None, Utterance]]:
    """Some utterances from all over a round: kind, voice, utterance; the same every time."""
    places: list[tuple[str, str | None, Path]]
    places = [
        ("pseudo", None, at / "filtered_labels"),
        ("rejected", None, at / "filtered_labels" / "rejected"),
    ]
    for each in sorted(at.glob("voices/*/synthetic")):
        places.append(("synthetic", each.parent.name, each))
        places.append(("rejected", each.parent.name, each / "rejected"))
    for kind, voice, folder in places:
        if not (folder / "manifest.jsonl").is_file():
            continue
        some = Manifest(folder).draw(40 * SAMPLES, seed=round_number(at))
        fitting = [each for each in some if kind != "pseudo" or each.origin == "pseudo"]
        for alike in _by_reason(fitting):
            distinct = {each.text or each.id: each for each in alike}
            for one in islice(distinct.values(), OF_A_REASON if kind == "rejected" else SAMPLES):
                yield kind, voice, one


def _by_reason(speech: Iterable[Utterance]) -> list[list[Utterance]]:
    """By the filter that dropped it; what was kept is together."""
    found = defaultdict[str, list[Utterance]](list)
    for each in speech:
        found[each.rejected_by or ""].append(each)
    return [found[reason] for reason in sorted(found)]


def _sample(kind: str, voice: str | None, one: Utterance) -> Sample:
    normalize = Basic().normalize
    pair = (normalize(text or "", one.lang) for text in (one.text, one.pred_text))
    differs = kind == "synthetic" or one.text_before_rescoring
    why = f"{one.rejected_by}: {one.objection or ''}" if one.rejected_by else None
    return Sample(
        kind=kind,
        voice=voice,
        id=one.id,
        text=one.text or one.pred_text or "",
        alignment=tuple(alignment_chunks(*pair)) if differs else (),
        lang=one.lang,
        duration=one.duration,
        confidence=one.confidence,
        objection=why,
    )


def diff_rounds(before: Path, at: Path) -> Iterator[FieldDiff]:
    """What is otherwise in one round than in another: plan, data, machine."""
    if not (before / "plan.json").is_file() or not (at / "plan.json").is_file():
        return
    for place, old, new in find_differences(_facts(before), _facts(at)):
        yield FieldDiff(place, _said(old), _said(new))


def _facts(at: Path) -> dict[str, Any]:
    """What a round was begun with, as nested plain data."""
    machine = _environment(at)
    return {
        "plan": _by_name(read_json(at / "plan.json")["plan"]),
        "given": {
            name: memoize_on_folders(_length, at / "inputs" / name)
            for name in GIVEN
            if (at / "inputs" / name / "manifest.jsonl").is_file()
        },
        "machine": vars(machine) if machine else {},
    }


def _by_name(value: Any) -> Any:
    """Lists of parts as mappings, so that one part more does not look like another list."""
    if isinstance(value, dict):
        return {key: _by_name(each) for key, each in value.items()}
    if isinstance(value, list) and value and all(isinstance(each, dict) for each in value):
        names = [each.get("name") or each.get("use", "") for each in value]
        if len(set(names)) == len(names):
            return {name: _by_name(each) for name, each in zip(names, value, strict=True)}
    return value


def _said(value: Any) -> str:
    if value is None:
        return "none"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _environment(at: Path) -> Environment | None:
    return Environment.load(at) if (at / "environment.json").is_file() else None


def _length(folder: Path) -> int:
    return len(Manifest(folder))


def _curves(at: Path) -> Iterator[TrainingCurve]:
    """Of every training that notes its loss; what is still going on is read as far as it is."""
    homes = [("candidate", at)] + [
        (f"voices/{each.name}", each) for each in sorted(at.glob("voices/*"))
    ]
    for name, home in homes:
        stage = "candidate" if home == at else "voice"
        for folder in (home / stage, home / f".{stage}"):
            if (folder / "training.jsonl").is_file():
                yield TrainingCurve(name, *_losses(folder / "training.jsonl"))
                break


def _losses(log: Path) -> tuple[tuple[int, ...], tuple[float, ...]]:
    lines = [json.loads(each) for each in log.read_bytes().splitlines() if each.endswith(b"}")]
    size = -(-len(lines) // POINTS) or 1
    groups = [lines[at : at + size] for at in range(0, len(lines), size)]
    losses = (sum(each["loss"] for each in group) / len(group) for group in groups)
    return tuple(group[-1]["step"] for group in groups), tuple(round(each, 4) for each in losses)


def _looks(at: Path) -> EarlyStoppingCurve | None:
    log = at / "candidate" / "stopping.jsonl"
    if not log.is_file():
        return None
    lines = [json.loads(each) for each in log.read_bytes().splitlines()]
    rates = tuple(round(each["errors"] / max(each["of"], 1), 4) for each in lines)
    terms = read_json(at / "plan.json")["plan"]["asr"]["stop"]
    return EarlyStoppingCurve(terms["set"], tuple(each["step"] for each in lines), rates)
