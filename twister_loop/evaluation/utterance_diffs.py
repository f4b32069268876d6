"""Utterances behind the error rates of a round: those with most errors, and those that changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from ..core.manifest import Manifest
from ..core.types import Report, Utterance
from ..text.normalizers._base import Normalizer
from .evidence import Outcome
from .metrics import AlignmentChunk, alignment_chunks
from .outcomes import normalize_pair
from .report_normalizer import read_normalizer

# Ten utterances fit on a screen, and five of each kind show what training changed.
WORST_COUNT = 10
"""Utterances with most errors that are shown of a set."""
CHANGED_COUNT = 5
"""Utterances that are shown of those that improved most, and of those that got worse."""


@dataclass(frozen=True)
class UtteranceDiff:
    """Transcripts of one utterance by the untouched model and by the candidate."""

    id: str
    untouched: int
    """Errors of the untouched model, by the measure of the set."""
    candidate: int
    """Errors of the candidate."""
    text: str
    pred_text: str
    """Transcript of the candidate."""
    chunks: tuple[AlignmentChunk, ...]
    """Alignment of the text with the candidate's transcript, both normalized."""
    untouched_chunks: tuple[AlignmentChunk, ...]
    """Alignment of the text with the untouched model's transcript."""


@dataclass(frozen=True)
class _TranscriptPair:
    """One utterance with the transcripts and errors of two models."""

    untouched: Utterance
    candidate: Utterance
    untouched_errors: int
    candidate_errors: int

    @property
    def change(self) -> int:
        """Errors that the candidate makes more than the untouched model."""
        return self.candidate_errors - self.untouched_errors


@dataclass(frozen=True)
class SetDiffs:
    """Utterances of one set that a page shows."""

    worst: tuple[UtteranceDiff, ...]
    """The `WORST_COUNT` utterances with most errors of the candidate."""
    improved: tuple[UtteranceDiff, ...]
    """The `CHANGED_COUNT` utterances that improved most over the untouched model."""
    worsened: tuple[UtteranceDiff, ...]
    """The `CHANGED_COUNT` utterances that got worse most."""


def compare_utterances(
    set_name: str, outcomes: Mapping[str, Mapping[str, Outcome]], reports: Mapping[str, Report]
) -> SetDiffs:
    """Find the utterances of a set with most errors, and those that training changed most.

    Args:
        set_name: Name of the set.
        outcomes: Outcomes by model and set, of `untouched` and `candidate` at least.
        reports: Reports of the same models.
    """
    pairs = _pair_transcripts(set_name, outcomes, reports)
    worst = sorted(pairs, key=_worst_first_key)[:WORST_COUNT]
    # One order serves both ends: most improved first, most worsened last.
    by_change = sorted(pairs, key=_change_key)
    align = partial(_align, read_normalizer(reports["candidate"], reports["untouched"]))
    return SetDiffs(
        # A good model may make errors in fewer utterances.
        worst=tuple(align(pair) for pair in worst if pair.candidate_errors),
        improved=tuple(align(pair) for pair in by_change[:CHANGED_COUNT] if pair.change < 0),
        worsened=tuple(align(pair) for pair in by_change[::-1][:CHANGED_COUNT] if pair.change > 0),
    )


def open_transcripts(report: Report, outcome: Outcome) -> Manifest:
    """Open the transcripts of a set in our own decoding."""
    return Manifest(report.folder / outcome.score.kind / outcome.score.name)


# Ties are broken by id, so that equal rounds show equal utterances.
def _worst_first_key(pair: _TranscriptPair) -> tuple[int, str]:
    return -pair.candidate_errors, pair.candidate.id


def _change_key(pair: _TranscriptPair) -> tuple[int, str]:
    return pair.change, pair.candidate.id


def _pair_transcripts(
    name: str, outcomes: Mapping[str, Mapping[str, Outcome]], reports: Mapping[str, Report]
) -> list[_TranscriptPair]:
    """Return the utterances of a set with the transcripts of untouched model and candidate."""
    models = ("untouched", "candidate")
    # Both manifests list the utterances of the set in the same order.
    transcripts = (open_transcripts(reports[model], outcomes[model][name]) for model in models)
    errors = ([count.errors for count in outcomes[model][name].counts()] for model in models)
    return [_TranscriptPair(*columns) for columns in zip(*transcripts, *errors, strict=True)]


def _align(normalizer: Normalizer, pair: _TranscriptPair) -> UtteranceDiff:
    """Align the text of an utterance with both transcripts."""

    # Normalized, so that only what counts as an error is shown as a difference.
    def align(utterance: Utterance) -> tuple[AlignmentChunk, ...]:
        return tuple(alignment_chunks(*normalize_pair(utterance, normalizer)))

    return UtteranceDiff(
        id=pair.candidate.id,
        untouched=pair.untouched_errors,
        candidate=pair.candidate_errors,
        text=pair.candidate.text or "",
        pred_text=pair.candidate.pred_text or "",
        chunks=align(pair.candidate),
        untouched_chunks=align(pair.untouched),
    )
