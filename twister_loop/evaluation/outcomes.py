"""What was counted of every utterance, and which sets may be looked at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from ..core import schema
from ..core.artifacts import SPEED, read_json
from ..core.errors import ConfigError
from ..core.manifest import Manifest
from ..core.types import Report, Score, SetKind, Utterance
from ..text.normalizers._base import Normalizer
from . import metrics
from .evidence import Outcome
from .gates._base import Gate


@dataclass(frozen=True)
class HeldOutSet:
    """A set of labeled speech that is never trained on."""

    kind: SetKind
    speech: Manifest


def load_outcomes(
    report: Report,
    normalizer: Normalizer,
    kinds: tuple[SetKind, ...] = ("development", "retention"),
) -> dict[str, Outcome]:
    """Counts for every utterance of a report's sets of these kinds."""
    speed = report.folder / SPEED
    seconds = read_json(speed) if speed.is_file() else {}
    found = {}
    for score in report.scores:
        if score.kind in kinds:
            heard = list(Manifest.load(report.folder / score.kind / score.name))
            pairs = [normalize_pair(each, normalizer) for each in heard]
            drawn, groups = metrics.choose_resampling_groups(heard)
            found[score.name] = Outcome(
                score,
                words=[metrics.count_word_errors(*pair) for pair in pairs],
                characters=[metrics.count_character_errors(*pair) for pair in pairs],
                mixed=[metrics.count_mixed_errors(*pair) for pair in pairs],
                groups=groups,
                resampling_unit=drawn,
                seconds=seconds.get(score.name),
                hypotheses=[hypothesis for _, hypothesis in pairs],
            )
    return found


def get_early_stopping_speech(stops_by: str | None, sets: Mapping[str, HeldOutSet]) -> Manifest | None:
    """The speech of the development set that training ends by, if it does."""
    return sets[stops_by].speech if stops_by else None


def find_set_hidden_from_gates(sets: Mapping[str, SetKind], stops_by: str | None) -> str | None:
    """The development set that training ends by: it judges nothing where another can."""
    others = [n for n, kind in sets.items() if kind == "development" and n != stops_by]
    return stops_by if others else None


def find_invalid_sets(
    gates: Iterable[Gate], sets: Mapping[str, tuple[SetKind, object]], stops_by: str | None
) -> Iterator[str]:
    """What gates want to look at, or training wants to end by, and may not."""
    kinds = {name: kind for name, (kind, _) in sets.items()}
    development = [name for name, kind in kinds.items() if kind == "development"]
    if stops_by and stops_by not in development:
        why = f"is a {kinds[stops_by]} set" if stops_by in kinds else "does not exist"
        near = schema.suggest_name(stops_by, development)
        yield f"asr.stop.set: {stops_by!r} {why}, and a development set is asked for; {near}"
    unseen = find_set_hidden_from_gates(kinds, stops_by)
    seen = [name for name, kind in kinds.items() if kind != "test" and name != unseen]
    for gate in gates:
        for name in getattr(gate, "sets", ()):
            if name not in seen:
                why = "is a test set, which gates never see" if name in sets else "does not exist"
                why = "is what training stops by" if name == unseen else why
                near = schema.suggest_name(name, seen)
                yield f"gates: {gate.name}: the set {name!r} {why}; {near}"


def check_same_normalizer(score: Score, normalizer: Normalizer) -> None:
    """Raises ConfigError where a score was counted with another normalizer, or another of it."""
    mine = normalizer.digest()
    if (score.normalizer, score.normalizer_digest) != (normalizer.name, mine):
        raise ConfigError(
            f"{score.name} was counted with the normalizer {score.normalizer} "
            f"({score.normalizer_digest}), not with {normalizer.name} ({mine}): such error rates "
            "do not compare. Evaluate both with the same options and package versions"
        )


def normalize_pair(utterance: Utterance, normalizer: Normalizer) -> tuple[str, str]:
    """Reference and hypothesis, ready to be compared."""
    return (
        normalizer.normalize(utterance.text or "", utterance.lang),
        normalizer.normalize(utterance.pred_text or "", utterance.lang),
    )
