"""The last verbs of the loop: a checkpoint is measured, and a candidate judged."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from ...asr._base import Recognizer
from ...core.artifacts import SPEED, cache_key, read_json, stage, write_json
from ...core.manifest import Manifest
from ...core.progress import progress
from ...core.types import Checkpoint, Language, Proportion, Report, Score, SetKind, Verdict
from ...evaluation import metrics
from ...evaluation.evidence import Evidence, Outcome
from ...evaluation.gates._base import Gate
from ...evaluation.outcomes import (
    HeldOutSet,
    normalize_pair,
    find_set_hidden_from_gates,
    load_outcomes,
    check_same_normalizer,
)
from ...text.normalizers._base import Normalizer


@stage(version=2)
def evaluate(
    recognizer: Recognizer,
    checkpoint: Checkpoint,
    sets: Mapping[str, HeldOutSet],
    normalizer: Normalizer,
    full_window: bool | int = True,
    *,
    out: Path,
) -> Report:
    """Count the errors on speech that was never trained on; what was heard is kept beside.

    With `full_window`, so many utterances of every set, or all, are also heard as everybody does.
    """

    def scores(hearer: Recognizer, suffix: str, most: bool | int) -> Iterator[Score]:
        for name, held_out in sets.items():
            at = out / held_out.kind / f"{name}{suffix}"
            some = most is not True and most < len(held_out.speech)
            speech = held_out.speech.draw(most, seed=0) if some else list(held_out.speech)
            with _timed(out, f"{name}{suffix}", whole=not at.exists()):
                shown = progress(speech, f"hearing {name}{suffix}", len(speech))
                heard = Manifest.resume(partial(hearer.transcribe, checkpoint), shown, at)
            known = {each.lang for each in speech}
            forced = known.pop() if len(known) == 1 else None  # else some were detected
            yield _score(
                name, held_out.kind, hearer.decoding_description(), heard, forced, normalizer
            )

    usual = recognizer.full_window() if full_window else None
    return Report(
        scores=tuple(scores(recognizer, "", True)),
        full_window=tuple(scores(usual, "-full-window", full_window)) if usual else (),
        normalizer=cache_key(normalizer),
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
            check_same_normalizer(score, normalizer)
    unseen = find_set_hidden_from_gates({each.name: each.kind for each in candidate.scores}, stops_by)

    def shown(report: Report) -> dict[str, Outcome]:
        found = load_outcomes(report, normalizer)
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


@contextmanager
def _timed(out: Path, name: str, whole: bool) -> Iterator[None]:
    """Note the seconds, unless a part had been done before."""
    began = time.monotonic()
    yield
    if whole:
        note = out / SPEED
        before = read_json(note) if note.is_file() else {}
        write_json({**before, name: round(time.monotonic() - began, 2)}, note)


def _score(
    name: str,
    kind: SetKind,
    decoding: str,
    heard: Manifest,
    forced: Language | None,
    normalizer: Normalizer,
) -> Score:
    """Count over a whole set."""
    spelled = normalizer.keeping_numbers()
    utterances = list(heard)
    pairs = [normalize_pair(each, normalizer) for each in utterances]
    return Score(
        name=name,
        kind=kind,
        decoding=decoding,
        lang=forced,
        normalizer=normalizer.name,
        normalizer_digest=normalizer.digest(),
        utterances=len(utterances),
        duration=round(sum(each.duration for each in utterances), 3),
        words=metrics.sum_counts([metrics.count_word_errors(*pair) for pair in pairs]),
        characters=metrics.sum_counts([metrics.count_character_errors(*pair) for pair in pairs]),
        mixed=metrics.sum_counts([metrics.count_mixed_errors(*pair) for pair in pairs]),
        raw_words=metrics.sum_counts(
            [metrics.count_word_errors(*normalize_pair(each, spelled)) for each in utterances]
        ),
        repeated_ngrams=sum((metrics.count_repeated_ngrams(hypothesis) for _, hypothesis in pairs), Proportion()),
        foreign_script=sum(
            (
                metrics.count_foreign_script(*pair, each.lang)
                for pair, each in zip(pairs, utterances, strict=True)
            ),
            Proportion(),
        ),
        empty=sum(1 for reference, hypothesis in pairs if reference and not hypothesis),
        hit_limit=sum(each.hit_limit for each in utterances),
        fallback=sum(each.fallback for each in utterances),
    )
