"""Arms of a comparison: variations of one plan whose models get equally many updates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from ...asr._base import Recognizer
from ...core import schema
from ...core.errors import ConfigError
from ..plan import Plan, VoicePlan
from ..run_folder import PruneOptions
from .growing_pool import with_growing_pool

UNTOUCHED = "untouched"
SELF_TRAINING = "self-training"
RESCORED_LABELS = "rescored labels, no voice"
ALL_LABELS = "labels of all clips"
KEPT_REFERENCES = "references of the kept clips"
VOICE_ONLY = "voice only"
FULL_LOOP = "full loop"
SUPERVISED = "supervised"
NEEDS_REFERENCES = (KEPT_REFERENCES, SUPERVISED)
"""Arms that only a plan with `pool_references` has."""


@dataclass(frozen=True)
class CompareOptions:
    """Options that all arms share."""

    updates: int = 60
    """Updates of the weights between the untouched model and the one that is measured."""
    seeds: int = 1
    """Number of times that every arm is trained, each time with another seed."""
    rounds: int = 3
    """Rounds of the arms with several rounds, and parts in which the pool of one of them arrives; 1
    leaves these arms out."""
    ablation: bool = False
    """Compare the full loop with the loop without one of its parts at a time, one round each."""
    arms: tuple[str, ...] = ()
    """Names of the arms to run; empty runs all."""


def build_arms(plan: Plan, options: CompareOptions) -> dict[str, Plan]:
    """Return the plan of every arm by name, without gates and approval.

    The measured model of every arm has had equally many updates. Later rounds of an arm that starts
    from its champion continue the same weights, so they share the updates; where every round starts
    from the untouched model, each has them all.

    Raises:
        ConfigError: The plan has no test set, the updates cannot be shared by the rounds, or there
            is no arm of a name.
    """
    # Found here and not after hours of labeling.
    test_sets = {name: entry for name, entry in plan.sets.items() if entry[0] == "test"}
    if not test_sets:
        raise ConfigError("test: a comparison needs a test set, to report on")
    common = replace(
        plan,
        rounds=1,
        gates=(),  # a rejected candidate must be reported too
        approval=False,  # or an arm would end after its first round
        sets=test_sets,
        # The seed of an arm draws the part of a set, and all arms must be measured on the same.
        full_window=bool(plan.full_window),
        # A pruned round has no weights and audio left that other arms could copy.
        keep=PruneOptions(last=options.rounds, trainings=True),
    )
    full_loop = with_recognizer(common, plan.asr.with_updates(options.updates))
    if options.ablation:
        return _select_arms(dict(_ablation_arms(plan, full_loop, options)), plan, options)
    arms = dict(_single_round_arms(plan, full_loop))
    if options.rounds > 1:
        arms |= _several_round_arms(plan, full_loop, options)
    return _select_arms(arms, plan, options)


def _single_round_arms(plan: Plan, full_loop: Plan) -> Iterator[tuple[str, Plan]]:
    """Yield the arms of one round, from the fewest parts of the loop to the ceiling."""
    without_voices = _with_voices(full_loop, ())
    # Plain self-training knows no texts: neither voices nor a language model.
    self_training = replace(without_voices, rescore=None)
    yield SELF_TRAINING, self_training
    if plan.rescore:
        yield RESCORED_LABELS, without_voices
    if plan.pseudo_filters:
        yield ALL_LABELS, replace(self_training, pseudo_filters=())
    without_labels = plan.mix.without("synthetic").without("pseudo")
    transcribed = replace(self_training, mix=replace(without_labels, human=1.0))
    if plan.pool_references:
        # Its speech follows from the labels that self-training keeps, see `kept_references`.
        yield KEPT_REFERENCES, transcribed
    # Without a voice the full loop is self-training.
    if plan.voices:
        yield VOICE_ONLY, replace(full_loop, mix=plan.mix.without("pseudo"))
        yield FULL_LOOP, full_loop
    if plan.pool_references:
        # The ceiling: true transcripts of the pool instead of pseudo-labels.
        yield SUPERVISED, replace(transcribed, human=(*plan.human, plan.pool_references))


def _several_round_arms(
    plan: Plan, full_loop: Plan, options: CompareOptions
) -> Iterator[tuple[str, Plan]]:
    """Yield the arms of several rounds."""
    rounds, updates = options.rounds, options.updates
    names = {start: f"{rounds} rounds, from {start}" for start in ("champion", "untouched")}
    growing = f"growing pool, {rounds} parts"
    # Rounds that continue the weights of the champion share the updates.
    sharing = [names["champion"], *([growing] if plan.start == "champion" else [])]
    wanted = [name for name in sharing if not options.arms or name in options.arms]
    if wanted and updates % rounds:
        below = updates // rounds * rounds
        nearest = f"{below} or {below + rounds}" if below else str(rounds)
        raise ConfigError(
            f"{updates} updates cannot be shared by the {rounds} rounds of {wanted[0]!r}, whose "
            f"model would get fewer than those of other arms; use {nearest} updates, or another "
            "number of rounds"
        )
    several = replace(full_loop, rounds=rounds)
    per_round = updates // rounds if wanted else updates
    sharing_rounds = with_recognizer(several, plan.asr.with_updates(per_round))
    if names["champion"] in wanted:
        yield names["champion"], replace(sharing_rounds, start="champion")
    yield names["untouched"], replace(several, start="untouched")
    if plan.start == "untouched":
        yield growing, with_growing_pool(several, rounds)
        # All rounds of such an arm together have as many updates as this one round.
        all_updates = plan.asr.with_updates(rounds * updates)
        yield f"{FULL_LOOP}, {rounds} times the updates", with_recognizer(full_loop, all_updates)
    elif growing in wanted:
        yield growing, with_growing_pool(sharing_rounds, rounds)


def _select_arms(arms: Mapping[str, Plan], plan: Plan, options: CompareOptions) -> dict[str, Plan]:
    """Return the arms that the options name, in the usual order; all if they name none.

    Raises:
        ConfigError: There is no such arm, or one needs another.
    """
    for name in options.arms:
        if name in arms:
            continue
        if name in NEEDS_REFERENCES and not plan.pool_references:
            raise ConfigError(
                f"arms: {name!r} needs human transcripts of the pool, and the plan names none "
                "under `pool_references`"
            )
        raise ConfigError(f"arms: there is no arm {name!r}; {schema.suggest_name(name, arms)}")
    if KEPT_REFERENCES in options.arms and SELF_TRAINING not in options.arms:
        raise ConfigError(
            f"arms: {KEPT_REFERENCES!r} needs {SELF_TRAINING!r}, whose filters say which clips are "
            "kept; name both"
        )
    return {name: arm for name, arm in arms.items() if not options.arms or name in options.arms}


def with_recognizer(plan: Plan, asr: Recognizer) -> Plan:
    """Return the plan with another recognizer, which also labels if the plan's own does."""
    # Other labelers, such as CTranslate2, are not trained, so updates mean nothing to them.
    labels_itself = plan.labeler.recognizer == plan.asr
    recognizer = asr if labels_itself else plan.labeler.recognizer
    return replace(plan, asr=asr, labeler=replace(plan.labeler, recognizer=recognizer))


def _with_voices(plan: Plan, voices: tuple[VoicePlan, ...]) -> Plan:
    """Return the plan with other voices, and without synthetic speech if there is none."""
    mix = plan.mix if voices else plan.mix.without("synthetic")
    # They are the arm's by now. Else a round that was interrupted would want those back that are
    # chosen for a plan that names none.
    return replace(plan, voices=voices, default_voices=None, mix=mix)


def _ablation_arms(
    plan: Plan, full_loop: Plan, options: CompareOptions
) -> Iterator[tuple[str, Plan]]:
    """Yield the full loop, and the loop without each of the parts that the plan has."""
    # Retention sets are reported too: replay is there for them.
    sets = {name: entry for name, entry in plan.sets.items() if entry[0] != "development"}
    whole = replace(full_loop, sets=sets)
    yield FULL_LOOP, whole
    if plan.pseudo_filters or plan.synthetic_filters:
        yield "without filters", replace(whole, pseudo_filters=(), synthetic_filters=())
    for left_out in plan.voices:
        voices = tuple(voice for voice in plan.voices if voice is not left_out)
        yield f"without voice {left_out.name}", _with_voices(whole, voices)
    if plan.trainings > 1:
        # One training with the updates of all: equal costs show whether the mean is worth them.
        updates = options.updates * plan.trainings
        one_training = with_recognizer(whole, plan.asr.with_updates(updates))
        yield "without averaging", replace(one_training, trainings=1)
    if plan.interpolate < 1:
        yield "without interpolation", replace(whole, interpolate=1.0)
    if plan.rescore:
        yield "without rescoring", replace(whole, rescore=None)
    if plan.augment:
        yield "without augmentation", replace(whole, augment=None)
    if plan.pack:
        yield "without packing", replace(whole, pack=None)
    if plan.replay:
        yield "without replay", replace(whole, replay=(), mix=whole.mix.without("replay"))
