"""Check that the references of held-out sets belong to their recordings.

Only transcripts can tell, so the check follows the evaluation of the untouched model.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ..core.errors import ConfigError
from ..core.manifest import Manifest
from ..core.types import Measure, Report, Share, Utterance
from ..evaluation.measures import ABBREVIATIONS
from ..evaluation.metrics import count_errors, sum_counts
from ..evaluation.misplaced_references import (
    MisplacedReference,
    ShiftedBlock,
    find_misplaced,
    find_shifted_block,
)
from ..evaluation.outcomes import normalize_pair
from .plan import Plan

log = logging.getLogger(__name__)

MIN_UTTERANCES = 20
"""Fewest utterances whose error rate can show that a set is broken."""
MIN_BLOCK = 3
"""Fewest references, moved by the same number of lines, that are a block and no single mistakes."""
MAX_MISPLACED_SHARE: Share = 0.1
"""Share of misplaced references above which a set is refused, in whatever order they are."""
EXAMPLES = 3
"""Utterances that a message names."""
BEGIN_AGAIN = "and begin the round again with `twister round PLAN RUN --restart`"


def check_references(plan: Plan, untouched: Report) -> None:
    """Check the references of all sets against the transcripts of the untouched model.

    Single references that seem to be exchanged are logged. Transcripts of a model that was never
    trained tell nothing, so they are not checked.

    Raises:
        ConfigError: References are shifted or shuffled, or the error rate of a set is so high that
            something else about the set must be wrong.
    """
    if not plan.asr.pretrained:
        return
    sets = [TranscribedSet.load(plan, untouched, score.name) for score in untouched.scores]
    # All orders first: moved references also raise the error rate, and say more about the mistake.
    for transcribed in sets:
        check_order(transcribed)
    for transcribed in sets:
        check_error_rate(plan, transcribed)


@dataclass(frozen=True)
class TranscribedSet:
    """Utterances of a held-out set that have a reference, transcribed by the untouched model."""

    place: str
    """Kind and name of the set."""
    measure: Measure
    utterances: Sequence[Utterance]
    references: Sequence[str]
    """Normalized."""
    hypotheses: Sequence[str]
    """Normalized."""

    @classmethod
    def load(cls, plan: Plan, report: Report, name: str) -> TranscribedSet:
        score = report.score(name)
        lines = list(Manifest.load(report.folder / score.kind / name))
        pairs = [(line, normalize_pair(line, plan.normalizer)) for line in lines]
        # Clips without speech have no reference; every word there is an insertion, which says
        # nothing about the others.
        with_text = [(line, pair) for line, pair in pairs if pair[0]]
        return cls(
            f"{score.kind}.{name}",
            score.measure,
            [line for line, _ in with_text],
            [reference for _, (reference, _) in with_text],
            [hypothesis for _, (_, hypothesis) in with_text],
        )

    def describe(self, misplaced: MisplacedReference) -> str:
        """Return a file with its reference, and the one that fits better."""
        own, other = (self.utterances[line] for line in (misplaced.line, misplaced.fitting_line))
        return (
            f"{own.audio_filepath.name} has the reference {own.text!r}, and {other.text!r} "
            f"(of {other.audio_filepath.name}) fits its transcript {own.pred_text!r}"
        )


def check_order(transcribed: TranscribedSet) -> None:
    """Raise ConfigError for a block of misplaced references; log single ones."""
    references, hypotheses = transcribed.references, transcribed.hypotheses
    misplaced = find_misplaced(references, hypotheses)
    # Both, since a short block is too little evidence for the one, and digits for the other.
    block = find_shifted_block(references, hypotheses) or _find_block(misplaced)
    count, place = len(references), transcribed.place
    examples = "; ".join(map(transcribed.describe, misplaced[:EXAMPLES]))
    if block is not None:
        first = transcribed.utterances[block.start].audio_filepath.name
        lines = "one line" if abs(block.shift) == 1 else f"{abs(block.shift)} lines"
        direction = "up" if block.shift < 0 else "down"
        raise ConfigError(
            f"{place}: references do not belong to their recordings: from {first} on those of "
            f"{block.end - block.start} of {count} utterances seem to have slipped {direction} by "
            f"{lines}{f' ({examples})' if examples else ''}; correct them {BEGIN_AGAIN}"
        )
    if len(misplaced) >= MIN_BLOCK and len(misplaced) > MAX_MISPLACED_SHARE * count:
        raise ConfigError(
            f"{place}: the references of {len(misplaced)} of {count} utterances do not belong to "
            f"their recordings: {examples}; correct them {BEGIN_AGAIN}"
        )
    if misplaced:
        log.warning(
            "%s: %d of %d references seem to belong to other recordings, and count as errors of "
            "every model: %s; correct them before the next round",
            place, len(misplaced), count, examples,
        )  # fmt: skip


def _find_block(misplaced: Sequence[MisplacedReference]) -> ShiftedBlock | None:
    """Return the largest group of references that are moved by the same number of lines."""
    moves = {reference.line: reference.fitting_line for reference in misplaced}
    # Two that are exchanged for each other are one mistake, even if they are neighbors.
    shifts = Counter(other - line for line, other in moves.items() if moves.get(other) != line)
    if not shifts:
        return None
    shift, size = shifts.most_common(1)[0]
    lines = [line for line, other in moves.items() if other - line == shift]
    return ShiftedBlock(min(lines), max(lines) + 1, shift) if size >= MIN_BLOCK else None


def check_error_rate(plan: Plan, transcribed: TranscribedSet) -> None:
    """Raise ConfigError if a set's error rate is one of references that belong to other audio."""
    references, hypotheses = transcribed.references, transcribed.hypotheses
    pairs = list(zip(references, hypotheses, strict=True))
    rate = sum_counts([count_errors(*pair, transcribed.measure) for pair in pairs]).rate
    # Not of a few utterances, which may all be hard, or hold a transcript that repeats itself.
    if rate < plan.highest_untouched_error or len(pairs) < MIN_UTTERANCES:
        return
    # Of the characters, because a wrong normalizer spoils words and leaves most characters right.
    characters = sum_counts([count_errors(*pair, "characters") for pair in pairs]).rate
    example = transcribed.utterances[0]
    raise ConfigError(
        f"{transcribed.place}: the untouched model has a {ABBREVIATIONS[transcribed.measure]} of "
        f"{100 * rate:.1f} % on this set ({100 * characters:.1f} % of the characters), as with "
        f"references of other recordings: {example.audio_filepath.name} is transcribed as "
        f"{example.pred_text!r} and has the reference {example.text!r}. Check the references, the "
        f"set's language ({example.lang or 'detected'}) and the normalizer "
        f"({plan.normalizer.name}), {BEGIN_AGAIN}; if the model is really that weak there, raise "
        f"highest_untouched_error: {plan.highest_untouched_error:g} in the plan"
    )
