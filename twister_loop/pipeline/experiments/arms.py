"""Arms of a comparison: variations of one plan with equally many updates."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from ...asr._base import Recognizer
from ...core.errors import ConfigError
from ..plan import Plan
from ..run_folder import PruneOptions

FULL_LOOP = "full loop"
SUPERVISED = "supervised"


@dataclass(frozen=True)
class CompareOptions:
    """Options that all arms share."""

    updates: int = 60
    """Optimizer steps of an arm, over all its rounds together."""
    seeds: int = 1
    """Number of times that every arm is trained, each time with another seed."""
    rounds: int = 3
    """Rounds of the arms with several rounds; 1 leaves these arms out."""
    ablation: bool = False
    """Compare the full loop with the loop without one of its parts at a time, one round each."""


def build_arms(plan: Plan, options: CompareOptions) -> dict[str, Plan]:
    """Return the plan of every arm by name, all with equally many updates and without gates.

    Raises:
        ConfigError: The plan has no test set, or a round would have less than one update.
    """
    # Found here and not after hours of labeling.
    if options.updates < options.rounds:
        raise ConfigError(f"{options.updates} updates are too few for {options.rounds} rounds")
    test_sets = {name: entry for name, entry in plan.sets.items() if entry[0] == "test"}
    if not test_sets:
        raise ConfigError("test: a comparison needs a test set, to report on")
    common = replace(
        plan,
        rounds=1,
        gates=(),  # a rejected candidate must be reported too
        sets=test_sets,
        full_window=False,  # figures are compared with each other only
        # A pruned round has no weights and audio left that other arms could copy.
        keep=PruneOptions(last=options.rounds),
    )
    full_loop = with_recognizer(common, plan.asr.with_updates(options.updates))
    if options.ablation:
        return dict(_ablation_arms(plan, full_loop))
    self_training = replace(full_loop, voices=())
    # Without a voice the full loop is self-training.
    plans = {"self-training": self_training}
    if plan.voices:
        plans["voice only"] = replace(full_loop, mix=replace(plan.mix, pseudo=0.0))
        plans[FULL_LOOP] = full_loop
    if plan.pool_references:
        # The ceiling: true transcripts of the pool instead of pseudo-labels.
        plans[SUPERVISED] = replace(
            self_training,
            human=(*plan.human, plan.pool_references),
            mix=replace(plan.mix, pseudo=0.0, human=1.0),
        )
    if options.rounds > 1:
        # The updates of one round are divided among all, so that no arm trains longer.
        recognizer = plan.asr.with_updates(options.updates // options.rounds)
        several = replace(with_recognizer(common, recognizer), rounds=options.rounds)
        for start in ("champion", "untouched"):
            plans[f"{options.rounds} rounds, from {start}"] = replace(several, start=start)
    return plans


def with_recognizer(plan: Plan, asr: Recognizer) -> Plan:
    """Return the plan with another recognizer, which also labels if the plan's own does."""
    # Other labelers, such as CTranslate2, are not trained, so updates mean nothing to them.
    labels_itself = plan.labeler.recognizer == plan.asr
    recognizer = asr if labels_itself else plan.labeler.recognizer
    return replace(plan, asr=asr, labeler=replace(plan.labeler, recognizer=recognizer))


def _ablation_arms(plan: Plan, full_loop: Plan) -> Iterator[tuple[str, Plan]]:
    """Yield the full loop, and the loop without each of the parts that the plan has."""
    # Retention sets are reported too: replay is there for them.
    sets = {name: entry for name, entry in plan.sets.items() if entry[0] != "development"}
    whole = replace(full_loop, sets=sets)
    yield FULL_LOOP, whole
    if plan.pseudo_filters or plan.synthetic_filters:
        yield "without filters", replace(whole, pseudo_filters=(), synthetic_filters=())
    for left_out in plan.voices:
        voices = tuple(voice for voice in plan.voices if voice is not left_out)
        yield f"without voice {left_out.name}", replace(whole, voices=voices)
    if plan.rescore:
        yield "without rescoring", replace(whole, rescore=None)
    if plan.augment:
        yield "without augmentation", replace(whole, augment=None)
    if plan.pack:
        yield "without packing", replace(whole, pack=None)
    if plan.replay:
        yield "without replay", replace(whole, replay=())
