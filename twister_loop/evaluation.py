"""The last verbs of the loop: a checkpoint is measured, and a candidate judged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from . import measure
from .artifact import stage
from .manifest import Manifest
from .parts import Evidence, Gate, Normalizer, Outcome, Recognizer
from .progress import progress
from .records import Checkpoint, Report, Score, SetKind, Utterance, Verdict


@dataclass(frozen=True)
class HeldOut:
    """A set of labeled speech that is never trained on."""

    kind: SetKind
    speech: Manifest


@stage(version=1)
def evaluate(
    recognizer: Recognizer,
    checkpoint: Checkpoint,
    sets: Mapping[str, HeldOut],
    normalizer: Normalizer,
    *,
    out: Path,
) -> Report:
    """Count the errors on speech that was never trained on; what was heard is kept beside."""

    def scores(hearer: Recognizer, suffix: str) -> Iterator[Score]:
        for name, held_out in sets.items():
            at = out / held_out.kind / f"{name}{suffix}"
            speech = progress(held_out.speech, f"hearing {name}{suffix}", len(held_out.speech))
            heard = Manifest.resume(partial(hearer.transcribe, checkpoint), speech, at)
            yield _score(name, held_out, hearer.decoding(), heard, normalizer)

    usual = recognizer.usual()
    return Report(
        scores=tuple(scores(recognizer, "")),
        usual=tuple(scores(usual, "-usual")) if usual else (),
    ).save(out)


@stage(version=1)
def judge(
    gates: Sequence[Gate],
    untouched: Report,
    champion: Report,
    candidate: Report,
    normalizer: Normalizer,
    seed: int,
    *,
    out: Path,
) -> Verdict:
    """Ask every gate; all objections are kept, not only the first. Test sets are not shown."""
    evidence = Evidence(
        untouched=outcomes(untouched, normalizer),
        champion=outcomes(champion, normalizer),
        candidate=outcomes(candidate, normalizer),
        seed=seed,
    )
    said = ((gate.name, gate.objection(evidence)) for gate in gates)
    return Verdict(tuple(f"{name}: {why}" for name, why in said if why)).save(out)


def outcomes(
    report: Report,
    normalizer: Normalizer,
    kinds: tuple[SetKind, ...] = ("development", "retention"),
) -> dict[str, Outcome]:
    """Counts for every utterance of a report's sets of these kinds."""
    found = {}
    for score in report.scores:
        if score.kind in kinds:
            heard = Manifest.load(report.folder / score.kind / score.name)
            pairs = [_compared(each, normalizer) for each in heard]
            found[score.name] = Outcome(
                score,
                [measure.words(*pair) for pair in pairs],
                [measure.characters(*pair) for pair in pairs],
            )
    return found


def _compared(utterance: Utterance, normalizer: Normalizer) -> tuple[str, str]:
    """Reference and hypothesis, ready to be compared."""
    return (
        normalizer.normalize(utterance.text or "", utterance.lang),
        normalizer.normalize(utterance.pred_text or "", utterance.lang),
    )


def _score(
    name: str, held_out: HeldOut, decoding: str, heard: Manifest, normalizer: Normalizer
) -> Score:
    """Count over a whole set; the language counts as forced where all references name one."""
    forced = {each.lang for each in held_out.speech}
    spelled = normalizer.as_spelled()
    utterances = list(heard)
    pairs = [_compared(each, normalizer) for each in utterances]
    return Score(
        name=name,
        kind=held_out.kind,
        decoding=decoding,
        lang=forced.pop() if len(forced) == 1 else None,
        normalizer=normalizer.name,
        utterances=len(utterances),
        duration=round(held_out.speech.duration, 3),
        words=measure.total([measure.words(*pair) for pair in pairs]),
        characters=measure.total([measure.characters(*pair) for pair in pairs]),
        raw_words=measure.total([measure.words(*_compared(each, spelled)) for each in utterances]),
        empty=sum(1 for reference, hypothesis in pairs if reference and not hypothesis),
        hit_limit=sum(each.hit_limit for each in utterances),
        fallback=sum(each.fallback for each in utterances),
    )
