"""Sizes of held-out sets, as far as they decide what the gates can see."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from ..core.errors import ConfigError
from ..core.types import Measure, Report, Score, SetKind, Share, Utterance
from ..evaluation import metrics
from ..evaluation.evidence import Decoding, SetSize
from ..evaluation.gates._base import Gate
from ..evaluation.measures import choose_measure
from ..evaluation.scoreboard import MEASURES
from .plan import Plan
from .run_folder import RunFolder
from .stage_table import UNTOUCHED


def list_gate_warnings(gates: Iterable[Gate], sizes: Mapping[str, SetSize]) -> Iterator[str]:
    """Yield every warning about too small sets once, after the names of the gates that give it.

    Args:
        gates: The gates of a plan.
        sizes: Size of each set that they see, by name.
    """
    gates_by_warning: dict[str, list[str]] = {}
    for gate in gates:
        for warning in gate.preflight_warnings(sizes):
            gates_by_warning.setdefault(warning, []).append(gate.name)
    for warning, names in gates_by_warning.items():
        # A plan may name one gate twice, with different options.
        yield f"{' and '.join(dict.fromkeys(names))}: {warning}"


def measure_set_size(
    plan: Plan,
    kind: SetKind,
    name: str,
    utterances: Sequence[Utterance],
    untouched: Report | None = None,
) -> SetSize:
    """Count the reference tokens of a set by every measure, in both decodings.

    Args:
        plan: The plan.
        kind: Kind of the set.
        name: Name of the set.
        utterances: Utterances of the set.
        untouched: Report of the untouched model, if an earlier round of the run has one.
    """
    texts = [plan.normalizer.normalize(line.text or "", line.lang) for line in utterances]
    tokens: dict[Measure, int] = {
        measure: sum(metrics.count_tokens(text, measure) for text in texts) for measure in MEASURES
    }
    share = min(1.0, count_in_windows(plan, len(utterances)) / max(1, len(utterances)))
    _, groups = metrics.choose_resampling_groups(utterances)
    named = all(utterance.speaker for utterance in utterances)
    return SetSize(
        kind=kind,
        measure=plan.normalizer.measure or choose_measure(utterances),
        tokens={
            "clip": tokens,
            # In proportion: which utterances are drawn for windows changes little.
            "standard": {measure: round(share * count) for measure, count in tokens.items()},
        },
        utterances=len(utterances),
        seconds=sum(utterance.duration for utterance in utterances),
        units=len(set(groups)),
        speakers=len({utterance.speaker for utterance in utterances}) if named else 0,
        error_rates=_find_error_rates(name, untouched) if untouched else {},
    )


def count_in_windows(plan: Plan, utterances: int) -> int:
    """Return how many utterances of a set are also transcribed in 30 s windows.

    A recognizer without another decoding is read in its own one, on the whole set.
    """
    if not plan.asr.full_window():
        return utterances
    if isinstance(plan.full_window, bool):
        return utterances if plan.full_window else 0
    return min(utterances, plan.full_window)


def find_untouched_report(run: Path | None) -> Report | None:
    """Return the newest report of a run's untouched model; None if it has none that can be read."""
    if run is None or not run.is_dir():
        return None
    for folder in reversed(RunFolder(run).round_folders):
        try:
            return Report.load(UNTOUCHED.path(folder))
        except ConfigError:  # not measured yet, or edited: the figures are only a help
            continue
    return None


def _find_error_rates(name: str, untouched: Report) -> dict[Decoding, dict[Measure, Share]]:
    decodings: dict[Decoding, Sequence[Score]] = {
        "clip": untouched.scores,
        "standard": untouched.full_window,
    }
    return {
        decoding: {measure: score.count(measure).rate for measure in MEASURES}
        for decoding, scores in decodings.items()
        for score in scores
        if score.name == name
    }
