"""The last verbs of the loop: a checkpoint is measured, and a candidate judged."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from . import measure, schema
from .artifact import SPEED, read_json, signature, stage, write_json
from .errors import ConfigError
from .evidence import Evidence, Outcome
from .manifest import Manifest
from .parts import Gate, Normalizer, Recognizer
from .progress import progress
from .records import (
    Checkpoint,
    Counted,
    Language,
    Report,
    Score,
    SetKind,
    Utterance,
    Verdict,
)


@dataclass(frozen=True)
class HeldOut:
    """A set of labeled speech that is never trained on."""

    kind: SetKind
    speech: Manifest


@stage(version=2)
def evaluate(
    recognizer: Recognizer,
    checkpoint: Checkpoint,
    sets: Mapping[str, HeldOut],
    normalizer: Normalizer,
    usual_window: bool | int = True,
    *,
    out: Path,
) -> Report:
    """Count the errors on speech that was never trained on; what was heard is kept beside.

    With `usual_window`, so many utterances of every set, or all, are also heard as everybody does.
    """

    def scores(hearer: Recognizer, suffix: str, most: bool | int) -> Iterator[Score]:
        for name, held_out in sets.items():
            at = out / held_out.kind / f"{name}{suffix}"
            some = most is not True and most < len(held_out.speech)
            speech = held_out.speech.sample(most, seed=0) if some else list(held_out.speech)
            with _timed(out, f"{name}{suffix}", whole=not at.exists()):
                shown = progress(speech, f"hearing {name}{suffix}", len(speech))
                heard = Manifest.resume(partial(hearer.transcribe, checkpoint), shown, at)
            known = {each.lang for each in speech}
            forced = known.pop() if len(known) == 1 else None  # else some were detected
            yield _score(name, held_out.kind, hearer.decoding(), heard, forced, normalizer)

    usual = recognizer.usual() if usual_window else None
    return Report(
        scores=tuple(scores(recognizer, "", True)),
        usual=tuple(scores(usual, "-usual", usual_window)) if usual else (),
        normalizer=signature(normalizer),
    ).save(out)


@stage(version=2)
def judge(
    gates: Sequence[Gate],
    untouched: Report,
    champion: Report,
    candidate: Report,
    references: Mapping[str, Report],
    normalizer: Normalizer,
    seed: int,
    labeler: Report | None = None,
    stops_by: str | None = None,
    *,
    out: Path,
) -> Verdict:
    """Ask every gate; all objections are kept, not only the first. Test sets are not shown.

    Nor is the development set that training `stops_by`, where there is another.

    Raises ConfigError where a report was counted with another normalizer.
    """
    others = (*references.values(), *([labeler] if labeler else []))
    for report in (untouched, champion, candidate, *others):
        for score in report.scores:
            same_normalizer(score, normalizer)
    unseen = not_shown({each.name: each.kind for each in candidate.scores}, stops_by)

    def shown(report: Report) -> dict[str, Outcome]:
        found = outcomes(report, normalizer)
        return {name: each for name, each in found.items() if name != unseen}

    evidence = Evidence(
        untouched=shown(untouched),
        champion=shown(champion),
        candidate=shown(candidate),
        references={name: shown(each) for name, each in references.items()},
        labeler=shown(labeler) if labeler else {},
        seed=seed,
    )
    said = (gate.objection(evidence) for gate in gates)
    return Verdict(tuple(objection for objection in said if objection)).save(out)


def outcomes(
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
            pairs = [_compared(each, normalizer) for each in heard]
            drawn, groups = measure.groups_of(heard)
            found[score.name] = Outcome(
                score,
                words=[measure.words(*pair) for pair in pairs],
                characters=[measure.characters(*pair) for pair in pairs],
                mixed=[measure.mixed(*pair) for pair in pairs],
                groups=groups,
                drawn=drawn,
                seconds=seconds.get(score.name),
                hypotheses=[hypothesis for _, hypothesis in pairs],
            )
    return found


def watched_of(asr: Recognizer, sets: Mapping[str, HeldOut]) -> Manifest | None:
    """The speech of the development set that training ends by, if it does."""
    return sets[asr.stops_by].speech if asr.stops_by else None


def not_shown(sets: Mapping[str, SetKind], stops_by: str | None) -> str | None:
    """The development set that training ends by: it judges nothing where another can."""
    others = [n for n, kind in sets.items() if kind == "development" and n != stops_by]
    return stops_by if others else None


def unknown_sets(
    gates: Iterable[Gate], sets: Mapping[str, tuple[SetKind, object]], stops_by: str | None
) -> Iterator[str]:
    """What gates want to look at, or training wants to end by, and may not."""
    kinds = {name: kind for name, (kind, _) in sets.items()}
    development = [name for name, kind in kinds.items() if kind == "development"]
    if stops_by and stops_by not in development:
        why = f"is a {kinds[stops_by]} set" if stops_by in kinds else "does not exist"
        near = schema.nearest(stops_by, development)
        yield f"asr.stop.set: {stops_by!r} {why}, and a development set is asked for; {near}"
    unseen = not_shown(kinds, stops_by)
    seen = [name for name, kind in kinds.items() if kind != "test" and name != unseen]
    for gate in gates:
        for name in getattr(gate, "sets", ()):
            if name not in seen:
                why = "is a test set, which gates never see" if name in sets else "does not exist"
                why = "is what training stops by" if name == unseen else why
                near = schema.nearest(name, seen)
                yield f"gates: {gate.name}: the set {name!r} {why}; {near}"


def same_normalizer(score: Score, normalizer: Normalizer) -> None:
    """Raises ConfigError where a score was counted with another normalizer, or another of it."""
    mine = normalizer.digest()
    if (score.normalizer, score.normalizer_digest) != (normalizer.name, mine):
        raise ConfigError(
            f"{score.name} was counted with the normalizer {score.normalizer} "
            f"({score.normalizer_digest}), not with {normalizer.name} ({mine}): such error rates "
            "do not compare. Evaluate both with the same options and package versions"
        )


@contextmanager
def _timed(out: Path, name: str, whole: bool) -> Iterator[None]:
    """Note the seconds, unless a part had been done before."""
    began = time.monotonic()
    yield
    if whole:
        note = out / SPEED
        before = read_json(note) if note.is_file() else {}
        write_json({**before, name: round(time.monotonic() - began, 2)}, note)


def _compared(utterance: Utterance, normalizer: Normalizer) -> tuple[str, str]:
    """Reference and hypothesis, ready to be compared."""
    return (
        normalizer.normalize(utterance.text or "", utterance.lang),
        normalizer.normalize(utterance.pred_text or "", utterance.lang),
    )


def _score(
    name: str,
    kind: SetKind,
    decoding: str,
    heard: Manifest,
    forced: Language | None,
    normalizer: Normalizer,
) -> Score:
    """Count over a whole set."""
    spelled = normalizer.as_spelled()
    utterances = list(heard)
    pairs = [_compared(each, normalizer) for each in utterances]
    return Score(
        name=name,
        kind=kind,
        decoding=decoding,
        lang=forced,
        normalizer=normalizer.name,
        normalizer_digest=normalizer.digest(),
        utterances=len(utterances),
        duration=round(sum(each.duration for each in utterances), 3),
        words=measure.total([measure.words(*pair) for pair in pairs]),
        characters=measure.total([measure.characters(*pair) for pair in pairs]),
        mixed=measure.total([measure.mixed(*pair) for pair in pairs]),
        raw_words=measure.total([measure.words(*_compared(each, spelled)) for each in utterances]),
        repeats=sum((measure.repeats(hypothesis) for _, hypothesis in pairs), Counted()),
        confusion=sum(
            (
                measure.confusion(*pair, each.lang)
                for pair, each in zip(pairs, utterances, strict=True)
            ),
            Counted(),
        ),
        empty=sum(1 for reference, hypothesis in pairs if reference and not hypothesis),
        hit_limit=sum(each.hit_limit for each in utterances),
        fallback=sum(each.fallback for each in utterances),
    )
