"""The loop itself, in plain Python: read `take` first, it is the figure of the paper.

One name, three places: a variable here is a folder on disk and a task in an orchestrator.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import ParamSpec, Protocol, TypeVar

from ..asr._base import BoundRecognizer, Recognizer
from ..audio.augmentation import Augmentation
from ..core.artifacts import reuse_result
from ..core.errors import NothingNew, Waiting
from ..core.manifest import Manifest
from ..core.types import Checkpoint, Report
from ..data.filters._base import Filter, FilterContext
from ..evaluation.outcomes import HeldOutSet
from .plan import Plan, VoicePlan
from .preflight import (
    RoundInputs,
    check_new_audio,
    check_sets,
    check_waiting,
    list_held_out_sets,
    prepare_round,
    starting_voice,
)
from .run_folder import Round, RunFolder, load_round, round_number
from .stages.annotation import cluster_speakers, estimate_columns
from .stages.evaluation import evaluate, judge
from .stages.filtering import filter_utterances
from .stages.label_correction import repair
from .stages.labeling import (
    align,
    fine_tune,
    scan,
    synthesize,
    train_voice,
    transcribe,
    try_decoders,
    try_voice,
)
from .stages.mixture import augment, mix, pack
from .stages.text_selection import select_texts

P = ParamSpec("P")
R = TypeVar("R")

log = logging.getLogger(__name__)

WORTH_A_TRIAL = 10
"""Times as many clips as a trial of faster ways to hear takes; a smaller pool is just heard."""


class StageRunner(Protocol):
    """How a stage is carried out. Plain by default; an orchestrator passes its own."""

    def __call__(self, stage: Callable[P, R], /) -> Callable[P, R]: ...


def run_in_process(stage: Callable[P, R], /) -> Callable[P, R]:
    return stage


def refine(plan: Plan, run: Path, do: StageRunner = run_in_process) -> Iterator[Round]:
    """Round after round: until there are as many as the plan wants, or nothing new to learn.

    Also ends before the next round while the last waits for approval.
    """
    ledger = RunFolder.open(run)
    yield from (load_round(folder) for folder in ledger.finished_rounds[: plan.rounds])
    while len(ledger.finished_rounds) < plan.rounds:
        try:
            yield next_round(plan, run, do)
        except (NothingNew, Waiting) as reason:
            log.warning("%s", reason)
            return


def next_round(plan: Plan, run: Path, do: StageRunner = run_in_process) -> Round:
    """Finish the round in progress, or begin and finish the next.

    Raises what `outset.begin` raises, and BusyError while another process is at it.
    """
    ledger = RunFolder.open(run.absolute() if plan.cluster else run)  # workers stand elsewhere
    with ledger.locked():
        return _one(plan, ledger, do)


def retrain(plan: Plan, run: Path, do: StageRunner = run_in_process) -> Round:
    """`next_round`, where enough new audio has come into the pool, or a round is in progress.

    What still changes is left for the next look. Raises NothingNew where that is all.
    """
    quiet = plan.new_audio.settled
    plan = replace(plan, pool=tuple(each.when_settled(quiet) for each in plan.pool))
    ledger = RunFolder.open(run)
    with ledger.locked():
        if not ledger.in_progress:
            check_waiting(ledger)
            check_new_audio(plan, ledger)
        return _one(plan, ledger, do)


def measure_champion(plan: Plan, run: Path, do: StageRunner = run_in_process) -> Report:
    """The champion on every set of the plan as it is now, in the next `evaluation-01/`."""
    ledger = RunFolder.open(run)
    with ledger.locked():
        at = ledger.next_evaluation()
        sets = list_held_out_sets(plan, at)
        check_sets(plan, sets)
        best = ledger.champion or plan.asr.base()
        return _measured(plan, plan.asr, ledger, sets, best, at / "report", do)


def _one(plan: Plan, ledger: RunFolder, do: StageRunner) -> Round:
    given = prepare_round(plan, ledger)
    log.info("round %d in %s", round_number(given.folder), given.folder)
    done = run_round(plan, ledger, given, do)
    if freed := ledger.prune(plan.keep):
        log.info("older rounds were thinned: %.2f GB freed", freed / 1e9)
    return done


def run_round(plan: Plan, ledger: RunFolder, given: RoundInputs, do: StageRunner) -> Round:
    """Label, learn to speak, speak, learn to hear, and be judged."""
    at, seed = given.folder, given.seed
    base = plan.asr.base()
    best = ledger.champion or base
    champion = BoundRecognizer(plan.asr, best)

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
    ways = (seed, perturb, given.early_stopping_speech)
    candidate = do(fine_tune)(plan.asr, start, packed, *ways, out=at / "candidate")
    report = _measured(plan, plan.asr, ledger, given.sets, candidate, at / "report", do)
    reports = (untouched, current, report, references)
    faster = _by_labeler(plan, given, candidate, do)
    terms = (plan.normalizer, seed, faster, plan.asr.early_stopping_set)
    do(judge)(plan.gates, *reports, *terms, out=at / "verdict")
    return load_round(at)


def _pool(plan: Plan, ledger: RunFolder, given: RoundInputs, do: StageRunner) -> Manifest:
    """What there is to hear, cut and checked, with what the plan wants to know of it."""
    at, terms = given.folder, plan.scan
    pool = do(scan)(terms, given.pool, out=at / "pool")
    if terms.columns:
        asked, earlier = (terms.columns, pool), ledger.run.glob("round-*/annotated/made.json")
        reuse_result(estimate_columns, asked, at / "annotated", earlier)
        pool = do(estimate_columns)(*asked, cluster=plan.cluster, out=at / "annotated")
    if terms.speakers:
        named = Manifest.load(ledger.last_speakers) if ledger.last_speakers else None
        pool = do(cluster_speakers)(terms.speakers, pool, named, out=at / "speakers")
    return pool


def _heard(
    plan: Plan,
    ledger: RunFolder,
    given: RoundInputs,
    labeler: Recognizer,
    champion: BoundRecognizer,
    pool: Manifest,
    do: StageRunner,
) -> Manifest:
    """The pool with a label for everything, new or carried over."""
    kept = ledger.last_filtered_labels if plan.labeler.options.relabel == "new" else None
    known = Manifest.load(kept) if kept else None
    terms = (labeler, champion.checkpoint, pool, known)
    return do(transcribe)(*terms, cluster=plan.cluster, out=given.folder / "pseudo_labels")


def _texts(plan: Plan, given: RoundInputs, pseudo: Manifest, do: StageRunner) -> Manifest:
    """What is to be spoken: tidied, and chosen where the plan wants only some."""
    about = (plan.text_filters, plan.text_selection, given.texts, given.held_out)
    drawn = (pseudo, given.seed) if plan.text_selection.texts else ()
    return do(select_texts)(*about, *drawn, out=given.folder / "texts")


def _lesson(
    plan: Plan,
    ledger: RunFolder,
    given: RoundInputs,
    pseudo: Manifest,
    texts: Manifest,
    champion: BoundRecognizer,
    do: StageRunner,
) -> Manifest:
    """The labels that can be believed, repaired and aligned where the plan asks, and human ones."""
    at, over = given.folder, plan.cluster
    if plan.repair:
        doubted = (plan.repair, pseudo, texts, champion)
        pseudo = do(repair)(*doubted, cluster=over, out=at / "rescored")
    listening = [*plan.pseudo_filters, *(each for voice in plan.voices for each in voice.filters)]
    pseudo = _aligned(plan, champion, pseudo, listening, do, at / "aligned")
    human = _aligned(plan, champion, given.human, (), do, at / "aligned_human")
    asked = _asked(plan.pseudo_filters, champion, ledger.last_labels)
    terms = (plan.pseudo_filters, pseudo, human, given.held_out, asked)
    return do(filter_utterances)(*terms, cluster=over, out=at / "filtered_labels")


def _packed(
    plan: Plan, given: RoundInputs, mixture: Manifest, start: Checkpoint, do: StageRunner
) -> tuple[Manifest, Augmentation | None]:
    """The mixture joined and perturbed, and what is left to be perturbed while it is read."""
    at, seed, perturb = given.folder, given.seed, plan.augment
    packed = mixture
    if plan.pack:
        packed = do(pack)(plan.pack, mixture, plan.asr, start, seed, out=at / "packed")
    if perturb and perturb.when == "written":
        return do(augment)(perturb, packed, seed, out=at / "augmented"), None
    return packed, perturb


def _labeler(
    plan: Plan, given: RoundInputs, best: Checkpoint, pool: Manifest, do: StageRunner
) -> Recognizer:
    """Who hears for labels: the fastest that hears what the recognizer hears in a full window."""
    candidates = plan.labeler.recognizer.faster_variants(best)
    careful, terms = plan.asr.full_window() or plan.asr, plan.labeler.options
    if plan.labeler.recognizer == plan.asr and len(pool) < WORTH_A_TRIAL * terms.clips:
        return plan.asr
    if list(candidates) == [careful] or not len(pool):
        return careful
    parity = do(try_decoders)(
        candidates,
        careful,
        best,
        pool,
        plan.pseudo_filters,
        terms,
        given.seed,
        out=given.folder / "labeler",
    )
    log.info("%s", parity)
    return careful if parity.chosen is None else candidates[parity.chosen]


def _by_labeler(
    plan: Plan, given: RoundInputs, candidate: Checkpoint, do: StageRunner
) -> Report | None:
    """What the labeler makes of the candidate's weights, where a gate asks."""
    if not any(gate.needs_labeler_report for gate in plan.gates):
        return None
    sets = {name: each for name, each in given.sets.items() if each.kind == "development"}
    terms = (plan.labeler.recognizer, candidate, sets, plan.normalizer, False)
    return do(evaluate)(*terms, out=given.folder / "candidate_by_labeler")


def _voiced(
    plan: Plan,
    ledger: RunFolder,
    given: RoundInputs,
    voice: VoicePlan,
    lesson: Manifest,
    texts: Manifest,
    champion: BoundRecognizer,
    labeler: Recognizer,
    do: StageRunner,
) -> Manifest | None:
    """What one voice adds to the mixture; None if it did not pass its trial."""
    at, speaker = given.folder / "voices" / voice.name, voice.synthesizer
    seed, over = given.seed if speaker.uses_randomness else 0, plan.cluster
    if voice.filters:
        terms = (voice.filters, lesson, None, (), _asked(voice.filters, champion))
        lesson = do(filter_utterances)(*terms, cluster=over, out=at / "filtered_labels")
    start = starting_voice(ledger, voice.name) if speaker.continues_from_last_round else None
    learned = do(train_voice)(speaker, start, lesson, texts, champion, seed, out=at / "voice")
    trial = do(try_voice)(
        speaker, learned, voice.name, texts, champion, plan.trial, given.seed, out=at / "trial"
    )
    log.info("%s", trial)
    if not trial.passed:
        return None
    spoken = do(synthesize)(
        speaker, learned, texts, voice.samples_per_text, cluster=over, out=at / "spoken"
    )
    verified = do(transcribe)(labeler, champion.checkpoint, spoken, cluster=over, out=at / "verified")
    verified = _aligned(plan, champion, verified, plan.synthetic_filters, do, at / "aligned")
    asked = _asked(plan.synthetic_filters, champion)
    return do(filter_utterances)(
        plan.synthetic_filters, verified, None, (), asked, cluster=over, out=at / "synthetic"
    )


def _asked(
    filters: Sequence[Filter], champion: BoundRecognizer, before: Path | None = None
) -> FilterContext | None:
    """Whom these filters ask; None where none of them does."""
    if not any(each.needs_context for each in filters):
        return None
    return FilterContext(champion, Manifest.load(before) if before else None)


def _aligned(
    plan: Plan,
    champion: BoundRecognizer,
    speech: Manifest,
    filters: Sequence[Filter],
    do: StageRunner,
    out: Path,
) -> Manifest:
    """The same with the times of its words, where one of these filters or packing asks."""
    asked = any(each.needs_word_times for each in filters) or (
        plan.pack and plan.pack.needs_word_times
    )
    if not asked or not len(speech):
        return speech
    terms = (champion.recognizer, champion.checkpoint, speech)
    return do(align)(*terms, cluster=plan.cluster, out=out)


def _measured(
    plan: Plan,
    recognizer: Recognizer,
    ledger: RunFolder,
    sets: Mapping[str, HeldOutSet],
    checkpoint: Checkpoint,
    out: Path,
    do: StageRunner,
) -> Report:
    """A report; read over from where the same was measured before, if it was."""
    arguments = (recognizer, checkpoint, sets, plan.normalizer, plan.full_window)
    reuse_result(evaluate, arguments, out, ledger.run.glob("round-*/**/report.json"))
    return do(evaluate)(*arguments, out=out)
