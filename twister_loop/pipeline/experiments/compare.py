"""Is the loop worth its cost? The same plan with and without its parts, on equal terms.

Every arm is a variation of one plan and an ordinary run below one folder, with equally many
updates and the same seeds; what two arms make from the same things is made once and copied. No
gate is asked, so that what an arm comes to is seen, good or bad. All figures are of the test
sets: a comparison reports, and nothing is chosen by it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import wraps
from pathlib import Path
from typing import ParamSpec, TypeVar

from ...asr._base import Recognizer
from ...core.artifacts import (
    PROVENANCE,
    JsonRecord,
    cache_key,
    find_differences,
    read_json,
    reuse_result,
)
from ...core.errors import ConfigError, StaleError
from ...core.manifest import Manifest
from ...core.types import ErrorCount, Report, Share
from ...evaluation import metrics
from ...evaluation.evidence import Outcome
from ...evaluation.outcomes import load_outcomes
from ...evaluation.pooling import SET_KINDS
from ...evaluation.trials import VoiceTrial
from ..loop import refine
from ..plan import Plan
from ..run_folder import PruneOptions, RunFolder
from ..stages.listing import gather
from ..steps import StageRunner

P = ParamSpec("P")
R = TypeVar("R")

log = logging.getLogger(__name__)

FULL = "full loop"


@dataclass(frozen=True)
class CompareOptions:
    """What all arms have in common."""

    updates: int = 60
    """Of the weights, over all rounds of an arm together."""
    seeds: int = 1
    rounds: int = 3
    """Of the arms with more than one; 1 leaves them out."""
    ablation: bool = False
    """Whether the arms are the loop without one of its parts at a time, all of one round."""


@dataclass(frozen=True)
class RateDifference:
    """Of two word error rates, on the same utterances."""

    rate: float
    """Negative where the first is better."""
    low: float
    high: float
    """The 95 % interval; utterances are drawn with all their seeds."""

    @property
    def is_significant(self) -> bool:
        """Whether there is one at all."""
        return not self.low <= 0 <= self.high


@dataclass(frozen=True)
class ArmScore:
    """One arm on one test set, all seeds together."""

    arm: str
    set_name: str
    words: ErrorCount
    """Summed over the seeds."""
    rate_by_seed: tuple[Share, ...]
    change: RateDifference | None
    """Against the untouched model; None for that."""
    full_loop_difference: RateDifference | None
    """Of the full loop against this arm; None for the loop itself, or without one."""
    gap_closed: Share | None
    """Share of the way from the untouched model to the supervised ceiling; None without one, and
    where it is not seen to be any better."""


@dataclass(frozen=True)
class ArmRound:
    """One round of an arm with several."""

    arm: str
    number: int
    words: dict[str, ErrorCount]
    """By test set."""
    label_errors: ErrorCount | None
    """Errors of the pseudo-labels, in words, where references of the pool are known."""
    trial_rates: dict[str, Share]
    """Character error rate of each voice's trial."""
    kept_share: Share
    """Of the pool, in the lesson."""


@dataclass(frozen=True)
class Comparison(JsonRecord):
    """All arms."""

    options: CompareOptions
    rows: tuple[ArmScore, ...]
    rounds: tuple[ArmRound, ...]


def build_arms(plan: Plan, terms: CompareOptions) -> dict[str, Plan]:
    """The plan of every arm, all with equally many updates and without gates.

    Raises ConfigError where there is no test set, or less than one update a round.
    """
    if terms.updates < terms.rounds:
        raise ConfigError(f"{terms.updates} updates are too few for {terms.rounds} rounds")
    tests = {name: each for name, each in plan.sets.items() if each[0] == "test"}
    if not tests:
        raise ConfigError("test: a comparison needs a test set, to report on")
    shared = PruneOptions(last=terms.rounds)  # a thinned round is of no use to other arms
    whole = replace(plan, rounds=1, gates=(), sets=tests, full_window=False, keep=shared)
    once = _learning(whole, plan.asr.with_updates(terms.updates))
    if terms.ablation:
        return dict(_ablation(plan, once))
    found = {
        "self-training": replace(once, voices=()),
        "voice only": replace(once, mix=replace(plan.mix, pseudo=0.0)),
        FULL: once,
    }
    if not plan.voices:
        found = {"self-training": once}
    if plan.pool_references:
        labeled = replace(once, voices=(), human=(*plan.human, plan.pool_references))
        found["supervised"] = replace(labeled, mix=replace(plan.mix, pseudo=0.0, human=1.0))
    if terms.rounds > 1:
        part = plan.asr.with_updates(terms.updates // terms.rounds)
        several = replace(_learning(whole, part), rounds=terms.rounds)
        found[f"{terms.rounds} rounds, from champion"] = replace(several, start="champion")
        found[f"{terms.rounds} rounds, from untouched"] = replace(several, start="untouched")
    return found


def _learning(plan: Plan, asr: Recognizer) -> Plan:
    """The plan with a recognizer that learns otherwise, which also labels if the plan's does."""
    labels = asr if plan.labeler.recognizer == plan.asr else plan.labeler.recognizer
    return replace(plan, asr=asr, labeler=replace(plan.labeler, recognizer=labels))


def _ablation(plan: Plan, once: Plan) -> Iterator[tuple[str, Plan]]:
    """The loop, and it without each of the parts that the plan has; also on what is to be kept."""
    sets = {name: each for name, each in plan.sets.items() if each[0] != "development"}
    whole = replace(once, sets=sets)
    yield FULL, whole
    if plan.pseudo_filters or plan.synthetic_filters:
        yield "without filters", replace(whole, pseudo_filters=(), synthetic_filters=())
    for voice in plan.voices:
        others = tuple(each for each in plan.voices if each is not voice)
        yield f"without voice {voice.name}", replace(whole, voices=others)
    if plan.rescore:
        yield "without rescoring", replace(whole, rescore=None)
    if plan.augment:
        yield "without augmentation", replace(whole, augment=None)
    if plan.pack:
        yield "without packing", replace(whole, pack=None)
    if plan.replay:
        yield "without replay", replace(whole, replay=())


def compare(
    plan: Plan, folder: Path, terms: CompareOptions, others: Mapping[str, Plan] | None = None
) -> Comparison:
    """Run all arms that are not done yet, and tell what they came to.

    `others` are arms instead of those of `arms`, full loop first. Raises ConfigError where there
    is nothing to compare, and StaleError where the folder holds arms of another plan or on other
    terms.
    """
    plans = dict(others or build_arms(plan, terms))
    folder.mkdir(parents=True, exist_ok=True)
    for seed in range(terms.seeds):
        for name, each in plans.items():
            run = _run(folder, name, seed)
            log.info("%s, seed %d of %d", name, seed + 1, terms.seeds)
            seeded = replace(_as_much_heard(each, plan, folder, terms), seed=plan.seed + seed)
            _same_terms(seeded, run)
            for _ in refine(seeded, run, share_stages(folder)):
                pass
    return Comparison(
        options=terms,
        rows=tuple(_rows(plan, plans, folder, terms)),
        rounds=tuple(step for name, each in plans.items() for step in _steps(each, folder, name)),
    ).save(folder)


def _as_much_heard(arm: Plan, plan: Plan, folder: Path, terms: CompareOptions) -> Plan:
    """Without packing an update takes as many utterances as one of the full loop does."""
    if arm.pack or not plan.pack:
        return arm
    full = _last(_run(folder, FULL, 0))
    clips, windows = (len(Manifest.load(full / each)) for each in ("mixture", "packed"))
    return _learning(arm, plan.asr.with_updates(terms.updates, clips / windows))


def _same_terms(plan: Plan, run: Path) -> None:
    """Finished rounds are history for a run, but here they would pass for something else."""
    for note in sorted(run.glob("round-*/plan.json")):
        before, now = read_json(note)["plan"], cache_key(plan)
        if changed := [place for place, _, _ in find_differences(before, now)]:
            raise StaleError(
                f"{note.parent} was made with another plan or on other terms "
                f"({', '.join(changed)}); name another folder"
            )


def share_stages(folder: Path) -> StageRunner:
    """Carry a stage out, unless one of the runs below `folder` has made the same before."""

    def do(stage: Callable[P, R], /) -> Callable[P, R]:
        @wraps(stage)
        def shared(*args: P.args, **kwargs: P.kwargs) -> R:
            out = kwargs["out"]
            assert isinstance(out, Path)
            place = out.relative_to(next(each for each in out.parents if _is_round(each)))
            made = sorted(folder.glob(f"*/round-*/{place.as_posix()}/{PROVENANCE}"))
            reuse_result(stage, out, made, *args, **kwargs)  # type: ignore[arg-type]
            return stage(*args, **kwargs)

        return shared

    return do


def _is_round(folder: Path) -> bool:
    return folder.name.startswith("round-")


def _run(folder: Path, arm: str, seed: int) -> Path:
    return folder / f"{arm.replace(',', '').replace(' ', '-')}-{seed + 1}"


def _rows(
    plan: Plan, plans: dict[str, Plan], folder: Path, terms: CompareOptions
) -> Iterator[ArmScore]:
    for name in next(iter(plans.values())).sets:
        found = {
            arm: [
                _outcome(plan, _last(_run(folder, arm, seed)) / "report", name)
                for seed in range(terms.seeds)
            ]
            for arm in plans
        }
        first = RunFolder.read(_run(folder, next(iter(plans)), 0)).finished_rounds[0]
        untouched = [_outcome(plan, first / "untouched", name)] * terms.seeds
        ceiling = found.get("supervised")
        if ceiling and not _difference(plan, ceiling, untouched).is_significant:
            ceiling = None
        for arm, each in {"untouched": untouched, **found}.items():
            loop = found.get(FULL, each)
            yield ArmScore(
                arm=arm,
                set_name=name,
                words=metrics.sum_counts(_counts(each)),
                rate_by_seed=tuple(metrics.sum_counts(one.words).rate for one in each),
                change=_difference(plan, each, untouched) if each is not untouched else None,
                full_loop_difference=_difference(plan, loop, each) if each is not loop else None,
                gap_closed=_gap(each, untouched, ceiling),
            )


def _difference(plan: Plan, one: Sequence[Outcome], other: Sequence[Outcome]) -> RateDifference:
    groups = [group for each in one for group in each.groups]
    drawn = metrics.paired_bootstrap(_counts(one), _counts(other), plan.seed, groups=groups)
    return RateDifference(_rate(one) - _rate(other), *metrics.percentile_interval_95(drawn))


def _gap(
    arm: Sequence[Outcome], untouched: Sequence[Outcome], ceiling: Sequence[Outcome] | None
) -> Share | None:
    if ceiling is None or arm is untouched or _rate(ceiling) >= _rate(untouched):
        return None
    return (_rate(arm) - _rate(untouched)) / (_rate(ceiling) - _rate(untouched))


def _steps(plan: Plan, folder: Path, arm: str) -> Iterator[ArmRound]:
    """Every round of the first seed, where there are several."""
    if plan.rounds == 1:
        return
    said = None
    if plan.pool_references:
        said = gather((plan.pool_references,), plan.language, out=folder / "pool_references")
    for number, at in enumerate(RunFolder.read(_run(folder, arm, 0)).finished_rounds, 1):
        report = Report.load(at / "report")
        pool, lesson = len(Manifest.load(at / "pool")), len(Manifest.load(at / "filtered_labels"))
        yield ArmRound(
            arm=arm,
            number=number,
            words={score.name: score.words for score in report.scores if score.kind == "test"},
            label_errors=_label_errors(plan, at, said) if said else None,
            trial_rates={
                each.parent.name: VoiceTrial.load(each).characters.rate
                for each in sorted(at.glob("voices/*/trial"))
            },
            kept_share=lesson / pool if pool else 0.0,
        )


def _label_errors(plan: Plan, at: Path, said: Manifest) -> ErrorCount:
    normalize = plan.normalizer.normalize
    references = {each.id: each.text for each in said if each.text}
    heard = (each for each in Manifest.load(at / "pseudo_labels") if each.id in references)
    return metrics.sum_counts(
        [
            metrics.count_word_errors(
                normalize(references[each.id], each.lang),
                normalize(each.pred_text or "", each.lang),
            )
            for each in heard
            if not each.error
        ]
    )


def _outcome(plan: Plan, folder: Path, name: str) -> Outcome:
    return load_outcomes(Report.load(folder), plan.normalizer, SET_KINDS)[name]


def _last(run: Path) -> Path:
    return RunFolder.read(run).finished_rounds[-1]


def _rate(seeds: Sequence[Outcome]) -> Share:
    return metrics.sum_counts(_counts(seeds)).rate


def _counts(seeds: Sequence[Outcome]) -> list[ErrorCount]:
    return [count for each in seeds for count in each.words]
