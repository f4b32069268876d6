"""The loop itself, in plain Python: read `take` first, it is the figure of the paper.

One name, three places: a variable here is a folder on disk and a task in an orchestrator.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import ParamSpec, Protocol, TypeVar

from ..asr._base import Listener, Recognizer
from ..audio.augmentation import Perturb
from ..core.artifacts import carry_over
from ..core.errors import NothingNew, Waiting
from ..core.manifest import Manifest
from ..core.types import Checkpoint, Report
from ..data.filters._base import Filter, Witnesses
from ..evaluation.outcomes import HeldOut
from .plan import Plan, Voice
from .preflight import (
    Given,
    begin,
    check_new_audio,
    check_sets,
    check_waiting,
    sets_of,
    starting_voice,
)
from .run_folder import Ledger, Round, number_of, round_of
from .stages.annotation import estimate, tell_apart
from .stages.evaluation import evaluate, judge
from .stages.filtering import sift
from .stages.label_correction import repair
from .stages.labeling import align, label, scan, speak, train, train_voice, try_labelers, try_voice
from .stages.mixture import augment, mix, pack
from .stages.text_selection import tidy

P = ParamSpec("P")
R = TypeVar("R")

log = logging.getLogger(__name__)

WORTH_A_TRIAL = 10
"""Times as many clips as a trial of faster ways to hear takes; a smaller pool is just heard."""


class Do(Protocol):
    """How a stage is carried out. Plain by default; an orchestrator passes its own."""

    def __call__(self, stage: Callable[P, R], /) -> Callable[P, R]: ...


def plainly(stage: Callable[P, R], /) -> Callable[P, R]:
    return stage


def refine(plan: Plan, run: Path, do: Do = plainly) -> Iterator[Round]:
    """Round after round: until there are as many as the plan wants, or nothing new to learn.

    Also ends before the next round while the last waits for approval.
    """
    ledger = Ledger.open(run)
    yield from (round_of(folder) for folder in ledger.finished[: plan.rounds])
    while len(ledger.finished) < plan.rounds:
        try:
            yield next_round(plan, run, do)
        except (NothingNew, Waiting) as reason:
            log.warning("%s", reason)
            return


def next_round(plan: Plan, run: Path, do: Do = plainly) -> Round:
    """Finish the round in progress, or begin and finish the next.

    Raises what `outset.begin` raises, and BusyError while another process is at it.
    """
    ledger = Ledger.open(run.absolute() if plan.cluster else run)  # workers stand elsewhere
    with ledger.locked():
        return _one(plan, ledger, do)


def retrain(plan: Plan, run: Path, do: Do = plainly) -> Round:
    """`next_round`, where enough new audio has come into the pool, or a round is in progress.

    What still changes is left for the next look. Raises NothingNew where that is all.
    """
    quiet = plan.new_audio.settled
    plan = replace(plan, pool=tuple(each.when_settled(quiet) for each in plan.pool))
    ledger = Ledger.open(run)
    with ledger.locked():
        if not ledger.in_progress:
            check_waiting(ledger)
            check_new_audio(plan, ledger)
        return _one(plan, ledger, do)


def measure_champion(plan: Plan, run: Path, do: Do = plainly) -> Report:
    """The champion on every set of the plan as it is now, in the next `evaluation-01/`."""
    ledger = Ledger.open(run)
    with ledger.locked():
        at = ledger.next_evaluation()
        sets = sets_of(plan, at)
        check_sets(plan, sets)
        best = ledger.champion or plan.asr.base()
        return _measured(plan, plan.asr, ledger, sets, best, at / "report", do)


def _one(plan: Plan, ledger: Ledger, do: Do) -> Round:
    given = begin(plan, ledger)
    log.info("round %d in %s", number_of(given.at), given.at)
    done = take(plan, ledger, given, do)
    if freed := ledger.thin(plan.keep):
        log.info("older rounds were thinned: %.2f GB freed", freed / 1e9)
    return done


def take(plan: Plan, ledger: Ledger, given: Given, do: Do) -> Round:
    """Label, learn to speak, speak, learn to hear, and be judged."""
    at, seed = given.at, given.seed
    base = plan.asr.base()
    best = ledger.champion or base
    champion = Listener(plan.asr, best)

    untouched = _measured(plan, plan.asr, ledger, given.sets, base, at / "untouched", do)
    current = _measured(plan, plan.asr, ledger, given.sets, best, at / "champion", do)
    references = {
        name: _measured(plan, other, ledger, given.sets, other.base(), at / "references" / name, do)
        for name, other in plan.references.items()
    }

    pool = _pool(plan, ledger, given, do)
    labeler = _labeler(plan, given, best, pool, do)
    pseudo = _heard(plan, ledger, given, labeler, champion, pool, do)
    texts = _texts(plan, given, pseudo, do)
    lesson = _lesson(plan, ledger, given, pseudo, texts, champion, do)
    voiced = (
        _voiced(plan, ledger, given, voice, lesson, texts, champion, labeler, do)
        for voice in plan.voices
    )
    synthetic = [speech for speech in voiced if speech]
    replay = _aligned(plan, champion, given.replay, (), do, at / "aligned_replay")
    mixture = do(mix)(plan.mix, [lesson, *synthetic], seed, replay, out=at / "mixture")
    start = best if plan.start == "champion" else base
    packed, perturb = _packed(plan, given, mixture, start, do)
    ways = (seed, perturb, given.watched)
    candidate = do(train)(plan.asr, start, packed, *ways, out=at / "candidate")
    report = _measured(plan, plan.asr, ledger, given.sets, candidate, at / "report", do)
    reports = (untouched, current, report, references)
    faster = _by_labeler(plan, given, candidate, do)
    terms = (plan.normalizer, seed, faster, plan.asr.stops_by)
    do(judge)(plan.gates, *reports, *terms, out=at / "verdict")
    return round_of(at)


def _pool(plan: Plan, ledger: Ledger, given: Given, do: Do) -> Manifest:
    """What there is to hear, cut and checked, with what the plan wants to know of it."""
    at, terms = given.at, plan.scan
    pool = do(scan)(terms, given.listing, out=at / "pool")
    if terms.columns:
        asked, earlier = (terms.columns, pool), ledger.run.glob("round-*/estimated/made.json")
        carry_over(estimate, asked, at / "estimated", earlier)
        pool = do(estimate)(*asked, over=plan.cluster, out=at / "estimated")
    if terms.speakers:
        named = Manifest.load(ledger.last_speakers) if ledger.last_speakers else None
        pool = do(tell_apart)(terms.speakers, pool, named, out=at / "speakers")
    return pool


def _heard(
    plan: Plan,
    ledger: Ledger,
    given: Given,
    labeler: Recognizer,
    champion: Listener,
    pool: Manifest,
    do: Do,
) -> Manifest:
    """The pool with a label for everything, new or carried over."""
    kept = ledger.last_lesson if plan.labeler.terms.relabel == "new" else None
    known = Manifest.load(kept) if kept else None
    terms = (labeler, champion.checkpoint, pool, known)
    return do(label)(*terms, over=plan.cluster, out=given.at / "pseudo")


def _texts(plan: Plan, given: Given, pseudo: Manifest, do: Do) -> Manifest:
    """What is to be spoken: tidied, and chosen where the plan wants only some."""
    about = (plan.text_filters, plan.choose, given.texts, given.held_out)
    drawn = (pseudo, given.seed) if plan.choose.texts else ()
    return do(tidy)(*about, *drawn, out=given.at / "texts")


def _lesson(
    plan: Plan,
    ledger: Ledger,
    given: Given,
    pseudo: Manifest,
    texts: Manifest,
    champion: Listener,
    do: Do,
) -> Manifest:
    """The labels that can be believed, repaired and aligned where the plan asks, and human ones."""
    at, over = given.at, plan.cluster
    if plan.repair:
        doubted = (plan.repair, pseudo, texts, champion)
        pseudo = do(repair)(*doubted, over=over, out=at / "repaired")
    listening = [*plan.pseudo_filters, *(each for voice in plan.voices for each in voice.filters)]
    pseudo = _aligned(plan, champion, pseudo, listening, do, at / "aligned")
    human = _aligned(plan, champion, given.human, (), do, at / "aligned_human")
    asked = _asked(plan.pseudo_filters, champion, ledger.last_labels)
    terms = (plan.pseudo_filters, pseudo, human, given.held_out, asked)
    return do(sift)(*terms, over=over, out=at / "lesson")


def _packed(
    plan: Plan, given: Given, mixture: Manifest, start: Checkpoint, do: Do
) -> tuple[Manifest, Perturb | None]:
    """The mixture joined and perturbed, and what is left to be perturbed while it is read."""
    at, seed, perturb = given.at, given.seed, plan.augment
    packed = mixture
    if plan.pack:
        packed = do(pack)(plan.pack, mixture, plan.asr, start, seed, out=at / "packed")
    if perturb and perturb.when == "written":
        return do(augment)(perturb, packed, seed, out=at / "augmented"), None
    return packed, perturb


def _labeler(plan: Plan, given: Given, best: Checkpoint, pool: Manifest, do: Do) -> Recognizer:
    """Who hears for labels: the fastest that hears what the recognizer hears in a full window."""
    candidates = plan.labeler.recognizer.quicker(best)
    careful, terms = plan.asr.usual() or plan.asr, plan.labeler.terms
    if plan.labeler.recognizer == plan.asr and len(pool) < WORTH_A_TRIAL * terms.clips:
        return plan.asr
    if list(candidates) == [careful] or not len(pool):
        return careful
    parity = do(try_labelers)(
        candidates,
        careful,
        best,
        pool,
        plan.pseudo_filters,
        terms,
        given.seed,
        out=given.at / "labeler",
    )
    log.info("%s", parity)
    return careful if parity.chosen is None else candidates[parity.chosen]


def _by_labeler(plan: Plan, given: Given, candidate: Checkpoint, do: Do) -> Report | None:
    """What the labeler makes of the candidate's weights, where a gate asks."""
    if not any(gate.asks_labeler for gate in plan.gates):
        return None
    sets = {name: each for name, each in given.sets.items() if each.kind == "development"}
    terms = (plan.labeler.recognizer, candidate, sets, plan.normalizer, False)
    return do(evaluate)(*terms, out=given.at / "by_labeler")


def _voiced(
    plan: Plan,
    ledger: Ledger,
    given: Given,
    voice: Voice,
    lesson: Manifest,
    texts: Manifest,
    champion: Listener,
    labeler: Recognizer,
    do: Do,
) -> Manifest | None:
    """What one voice adds to the mixture; None if it did not pass its trial."""
    at, speaker = given.at / "voices" / voice.name, voice.synthesizer
    seed, over = given.seed if speaker.draws else 0, plan.cluster
    if voice.filters:
        terms = (voice.filters, lesson, None, (), _asked(voice.filters, champion))
        lesson = do(sift)(*terms, over=over, out=at / "lesson")
    start = starting_voice(ledger, voice.name) if speaker.continues else None
    learned = do(train_voice)(speaker, start, lesson, texts, champion, seed, out=at / "voice")
    trial = do(try_voice)(
        speaker, learned, voice.name, texts, champion, plan.trial, given.seed, out=at / "trial"
    )
    log.info("%s", trial)
    if not trial.passed:
        return None
    spoken = do(speak)(speaker, learned, texts, voice.takes, over=over, out=at / "spoken")
    verified = do(label)(labeler, champion.checkpoint, spoken, over=over, out=at / "verified")
    verified = _aligned(plan, champion, verified, plan.synthetic_filters, do, at / "aligned")
    asked = _asked(plan.synthetic_filters, champion)
    return do(sift)(
        plan.synthetic_filters, verified, None, (), asked, over=over, out=at / "synthetic"
    )


def _asked(
    filters: Sequence[Filter], champion: Listener, before: Path | None = None
) -> Witnesses | None:
    """Whom these filters ask; None where none of them does."""
    if not any(each.asks for each in filters):
        return None
    return Witnesses(champion, Manifest.load(before) if before else None)


def _aligned(
    plan: Plan,
    champion: Listener,
    speech: Manifest,
    filters: Sequence[Filter],
    do: Do,
    out: Path,
) -> Manifest:
    """The same with the times of its words, where one of these filters or packing asks."""
    asked = any(each.asks_words for each in filters) or (plan.pack and plan.pack.asks_words)
    if not asked or not len(speech):
        return speech
    terms = (champion.recognizer, champion.checkpoint, speech)
    return do(align)(*terms, over=plan.cluster, out=out)


def _measured(
    plan: Plan,
    recognizer: Recognizer,
    ledger: Ledger,
    sets: Mapping[str, HeldOut],
    checkpoint: Checkpoint,
    out: Path,
    do: Do,
) -> Report:
    """A report; read over from where the same was measured before, if it was."""
    arguments = (recognizer, checkpoint, sets, plan.normalizer, plan.usual_window)
    carry_over(evaluate, arguments, out, ledger.run.glob("round-*/**/report.json"))
    return do(evaluate)(*arguments, out=out)
