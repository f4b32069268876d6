"""Utterance-level results of a report, and rules for which sets may decide what."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from ..core import schema
from ..core.artifacts import SPEED, read_json
from ..core.errors import ConfigError
from ..core.manifest import Manifest
from ..core.types import Report, Score, SetKind, Utterance
from ..text.normalizers._base import Normalizer
from . import metrics
from .evidence import Decoding, Outcome
from .gates._base import Gate

FULL_WINDOW_SUFFIX = "-full-window"
"""Ends the folder name of a set that was transcribed in standard decoding."""


LONG_SUFFIX = "-long"
"""Ends the name of the set with the long recordings of another set; see `Recognizer`."""


@dataclass(frozen=True)
class HeldOutSet:
    """Labeled speech that is never trained on."""

    kind: SetKind
    speech: Manifest


def load_outcomes(
    report: Report,
    normalizer: Normalizer,
    kinds: tuple[SetKind, ...] = ("development", "retention"),
    decoding: Decoding = "clip",
    part_of: Report | None = None,
) -> dict[str, Outcome]:
    """Count the errors of every utterance in the transcripts of a report.

    Args:
        report: Report that was loaded from its folder.
        normalizer: Normalizer of texts and transcripts.
        kinds: Kinds of sets to count; test sets only on request, since gates must not see them.
        decoding: Decoding whose transcripts are counted.
        part_of: Another report; only utterances are counted that it has in standard decoding.

    Returns:
        By set name, in the order of the report; empty if it has no scores of this decoding.
    """
    speed_file = report.folder / SPEED
    # Reports of interrupted evaluations have no times.
    seconds = read_json(speed_file) if speed_file.is_file() else {}
    outcomes = {}
    standard = decoding == "standard"
    suffix = FULL_WINDOW_SUFFIX if standard else ""
    for score in report.full_window if standard else report.scores:
        # Counted again from the transcripts: a report holds sums, and tests need every utterance.
        if score.kind not in kinds:
            continue
        utterances = list(Manifest.load(report.folder / score.kind / f"{score.name}{suffix}"))
        if part_of:
            part = Manifest.load(part_of.folder / score.kind / f"{score.name}{FULL_WINDOW_SUFFIX}")
            ids = {utterance.id for utterance in part}
            utterances = [utterance for utterance in utterances if utterance.id in ids]
        pairs = [normalize_pair(utterance, normalizer) for utterance in utterances]
        unit, groups = metrics.choose_resampling_groups(utterances)
        outcomes[score.name] = Outcome(
            score,
            words=[metrics.count_word_errors(*pair) for pair in pairs],
            characters=[metrics.count_character_errors(*pair) for pair in pairs],
            mixed=[metrics.count_mixed_errors(*pair) for pair in pairs],
            groups=groups,
            resampling_unit=unit,
            seconds=seconds.get(f"{score.name}{suffix}"),
            hypotheses=[hypothesis for _, hypothesis in pairs],
        )
    return outcomes


def get_early_stopping_speech(
    early_stopping_set: str | None, sets: Mapping[str, HeldOutSet]
) -> Manifest | None:
    """Return the speech of the set that early stopping is evaluated on; None without one."""
    return sets[early_stopping_set].speech if early_stopping_set else None


def find_set_hidden_from_gates(
    sets: Mapping[str, SetKind], early_stopping_set: str | None
) -> str | None:
    """Return the early-stopping set if gates must not see it, else None.

    Its error rate is optimistic, because it chose the weights. Gates see it only if it is the only
    development set.
    """
    # The long recordings of the same set have not chosen the weights, but are few: gates that see
    # nothing else would decide on them alone.
    same_source = (early_stopping_set, f"{early_stopping_set}{LONG_SUFFIX}")
    others = [
        name for name, kind in sets.items() if kind == "development" and name not in same_source
    ]
    return early_stopping_set if others else None


def find_invalid_sets(
    gates: Iterable[Gate],
    sets: Mapping[str, tuple[SetKind, object]],
    early_stopping_set: str | None,
) -> Iterator[str]:
    """Yield an error message for every set named by early stopping or a gate that it may not use.

    Args:
        gates: Gates of the plan; those with an option `sets` are checked.
        sets: By name, the kind of each set and anything else.
        early_stopping_set: Set that training stops by, if any.
    """
    # Found while the plan is read, hours before a gate or early stopping would fail on it.
    kinds = {name: kind for name, (kind, _) in sets.items()}
    development = [name for name, kind in kinds.items() if kind == "development"]
    if early_stopping_set and early_stopping_set not in development:
        problem = (
            f"is a {kinds[early_stopping_set]} set"
            if early_stopping_set in kinds
            else "does not exist"
        )
        hint = schema.suggest_name(early_stopping_set, development)
        yield (
            f"asr.stop.set: {early_stopping_set!r} {problem}, but early stopping needs a "
            f"development set; {hint}"
        )
    hidden = find_set_hidden_from_gates(kinds, early_stopping_set)
    visible = [name for name, kind in kinds.items() if kind != "test" and name != hidden]
    for gate in gates:
        # Gates without the option `sets` look at all sets that they may see.
        for name in getattr(gate, "sets", ()):
            # Whether a set has long recordings shows only when it is listed.
            if name in visible or name.removesuffix(LONG_SUFFIX) in visible:
                continue
            problem = "is a test set, which gates never see" if name in sets else "does not exist"
            if name == hidden:
                problem = "is the early-stopping set, which is hidden from gates"
            hint = schema.suggest_name(name, visible)
            yield f"gates: {gate.name}: the set {name!r} {problem}; {hint}"


def find_small_parts(
    sets: Mapping[str, HeldOutSet], named: Collection[str], smallest: int
) -> dict[str, str]:
    """Return the parts of split sets that gates count together, by name; else one decides alone.

    A set with clips and with longer recordings is split, since the two are decoded differently. One
    long recording of a set would leave every candidate undecided that changes a word of it.

    Args:
        sets: Held-out sets, with the parts of those that were split.
        named: Names of sets that the plan has, or that its gates name. These stay as they are.
        smallest: Utterances of a part that is a set of its own.
    """
    joined = {}
    for name in sorted(sets.keys() - set(named)):
        short_name = name.removesuffix(LONG_SUFFIX)
        parts = [sets[part].speech for part in (short_name, name) if part in sets]
        if len(parts) > 1 and min(map(len, parts)) < smallest:
            joined[name] = short_name
    return joined


def check_same_normalizer(score: Score, normalizer: Normalizer) -> None:
    """Raise ConfigError if a score was counted with another normalizer, or version of it."""
    # The digest and not only the name: num2words or OpenCC may spell differently in a new version.
    digest = normalizer.digest()
    if (score.normalizer, score.normalizer_digest) != (normalizer.name, digest):
        raise ConfigError(
            f"{score.name} was counted with the normalizer {score.normalizer} "
            f"({score.normalizer_digest}), not with {normalizer.name} ({digest}): such error rates "
            "do not compare. Evaluate both with the same options and package versions"
        )


def normalize_pair(utterance: Utterance, normalizer: Normalizer) -> tuple[str, str]:
    """Return the normalized reference and hypothesis of an utterance."""
    return (
        normalizer.normalize(utterance.text or "", utterance.lang),
        normalizer.normalize(utterance.pred_text or "", utterance.lang),
    )
