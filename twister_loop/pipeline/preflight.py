"""What happens before the first stage of a round: list the inputs, check them, refuse in time.

A round is prepared under a hidden name and appears with its plan and the lists of its inputs. Audio
that arrives later belongs to the next round.
"""

from __future__ import annotations

import hashlib
import logging
import shlex
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..core import schema
from ..core.artifacts import cache_key, find_differences, write_json
from ..core.differences import describe_code_change
from ..core.environment import describe_environment
from ..core.errors import AwaitingApproval, ConfigError, SpaceError, StaleError
from ..core.forgotten import check_nothing_half_removed
from ..core.manifest import Manifest
from ..core.types import Utterance
from ..evaluation.outcomes import (
    LONG_SUFFIX,
    HeldOutSet,
    find_set_hidden_from_gates,
    find_small_parts,
    get_early_stopping_speech,
)
from .annotation.sources import (
    check_champion_is_honest,
    collect_annotated,
    find_moved_recordings,
)
from .data_amounts import default_language
from .default_voices import NOTE_KEY, check_same_voices
from .disk import estimate_disk
from .held_out_check import check_held_out_sets
from .input_check import check_not_empty
from .language_check import find_unnamed_language
from .leak_check import check_leaks
from .look_count import count_looks
from .novelty import champion_number, check_something_new
from .other_models import check_other_models
from .plan import Plan
from .run_check import NOTE, list_strays, read_note
from .run_folder import RunFolder, round_number
from .set_changes import check_set_changes
from .set_sizes import find_untouched_report, list_gate_warnings, measure_set_size
from .stage_table import INPUTS
from .stages import annotation
from .stages.listing import (
    LONG_RECORDINGS,
    gather,
    gather_held_out,
    take_long_recordings,
)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RoundInputs:
    """The lists that a round begins with."""

    folder: Path
    """Folder of the round."""
    seed: int
    """The round's own seed, from the plan's seed and the number of the round."""
    pool: Manifest
    texts: Manifest
    human: Manifest
    replay: Manifest
    sets: Mapping[str, HeldOutSet]
    looks: Mapping[str, int]
    """Candidates that each development and retention set has judged, with that of this round."""
    small_parts: Mapping[str, str]
    """Parts of held-out sets that gates count in another set, with its name."""
    early_stopping_speech: Manifest | None = None
    """The development set on which training is stopped."""

    @property
    def held_out(self) -> list[Manifest]:
        """The speech of all held-out sets."""
        return [held_out.speech for held_out in self.sets.values()]


def prepare_round(plan: Plan, run_folder: RunFolder) -> RoundInputs:
    """Return the inputs of the round in progress, or prepare the next round.

    Raises:
        StaleError: The round in progress was begun with another plan.
        LeakError: Held-out speech is in the training data, or the champion has learned from it.
        NothingNew: An earlier round was begun from the same champion, plan and lists.
        AwaitingApproval: The last candidate awaits a person's approval.
        SpaceError: The disk has not enough room for the round.
        ConfigError: Some other input cannot be used.
    """
    check_nothing_half_removed(run_folder.path)
    run_folder.check_rounds()
    for stray in list_strays(run_folder.path):
        log.warning("%s is no round of this run and is ignored; move it out of the run", stray)
    champion = champion_number(run_folder)
    check_same_voices(plan.default_voices, run_folder.round_folders)
    if folder := run_folder.in_progress:
        _check_same_plan(plan, run_folder.path, folder)
        return _list_inputs(plan, folder)
    check_awaiting_approval(run_folder)
    # Before anything is written, since it refuses parts that no other process could find.
    plan_record = cache_key(plan)
    # Prepared under a hidden name: a kill, or a refusal below, leaves no half-prepared round.
    folder = run_folder.next_folder()
    scratch = folder.with_name(f".{folder.name}")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    (scratch / "plan.yaml").write_text(plan.source, encoding="utf-8")
    _check_filters(plan)
    _check_engine(plan, run_folder)
    if annotated := collect_annotated(plan):
        check_champion_is_honest(plan, run_folder, annotated.held_out)
        # Stored with the round, whose lists are read again later, when more may be annotated.
        annotated.save(scratch / INPUTS)
    inputs = _list_inputs(plan, scratch)
    write_json(
        {
            "plan": plan_record,
            "round": round_number(folder),
            "champion": champion,
            "seed": inputs.seed,
            "approval": plan.approval,
            NOTE_KEY: plan.default_voices is not None,
            "folder": str(plan.folder.absolute()),
        },
        scratch / NOTE,
    )
    describe_environment().save(scratch)
    try:
        # In the order of their cost: what takes a moment first, what reads all audio late.
        check_not_empty(plan, inputs.pool, inputs.texts, inputs.human, inputs.replay)
        check_set_changes(inputs.sets, run_folder.finished_rounds, plan.normalizer, scratch)
        _check_languages(plan, inputs)
        _check_voices(plan, run_folder, inputs)
        check_other_models(plan, inputs.pool)
        check_held_out_sets(plan, inputs.sets)
        protection = check_leaks(
            training={"pool": inputs.pool, "human": inputs.human, "replay": inputs.replay},
            sets=inputs.sets,
        )
        protection.save(scratch / INPUTS)
        # Only known by now: sets that were annotated were checked above.
        moved = find_moved_recordings(inputs.sets, run_folder)
        check_champion_is_honest(plan, run_folder, moved)
        check_something_new(run_folder, scratch, plan.pseudo_filters)
        _check_space(plan, run_folder, inputs)
        _log_warnings(plan, run_folder, inputs)
    except Exception:
        shutil.rmtree(scratch)
        raise
    # The lists name their folder, so they are read again from where the round lies now.
    scratch.rename(folder)
    return _list_inputs(plan, folder)


def _list_inputs(plan: Plan, folder: Path) -> RoundInputs:
    """List all inputs below `folder`, or read the lists that are there."""
    sets = list_held_out_sets(plan, folder)
    number = int(folder.name.lstrip(".").removeprefix("round-"))
    # A gate that names a part is to decide on that part.
    named_sets = {*plan.sets, *(name for gate in plan.gates for name in getattr(gate, "sets", ()))}
    return RoundInputs(
        folder=folder,
        seed=int(hashlib.sha256(f"{plan.seed} {number}".encode()).hexdigest()[:8], 16),
        pool=gather(plan.pool, plan.language, "pool", out=folder / INPUTS / "pool"),
        texts=gather(plan.texts, plan.language, "texts", out=folder / INPUTS / "texts"),
        human=gather(plan.human, plan.language, "human", out=folder / INPUTS / "human"),
        replay=gather(
            plan.replay,
            default_language(plan, "replay"),
            "replay",
            out=folder / INPUTS / "replay",
        ),
        sets=sets,
        looks=count_looks(folder, sets),
        small_parts=find_small_parts(sets, named_sets, plan.minimum_utterances),
        early_stopping_speech=get_early_stopping_speech(plan.asr.early_stopping_set, sets),
    )


def list_held_out_sets(plan: Plan, folder: Path) -> dict[str, HeldOutSet]:
    """List the held-out sets below `folder`, or read the lists that are there.

    A set with clips and with recordings that are too long to be one becomes two sets, NAME and
    NAME-long, with a score each: they are decoded in different ways.

    Raises:
        ConfigError: The plan has another set with the name of a set of long recordings.
    """
    longest = plan.asr.longest_clip
    sets: dict[str, HeldOutSet] = {}
    for name, (kind, corpus) in plan.sets.items():
        out, language = folder / INPUTS / kind / name, default_language(plan, f"{kind}.{name}")
        if longest is None:
            sets[name] = HeldOutSet(kind, gather((corpus,), language, out=out))
            continue
        listing = gather_held_out(corpus, language, longest, out=out)
        sets[name] = HeldOutSet(kind, listing)
        if (out / LONG_RECORDINGS).is_dir():
            if (long_name := f"{name}{LONG_SUFFIX}") in plan.sets:
                raise ConfigError(
                    f"{kind}.{name}: its recordings over {longest:.0f} s become the set "
                    f"{long_name}, and the plan has another set of that name; rename one of them"
                )
            long = take_long_recordings(listing, out=out.with_name(long_name))
            sets[long_name] = HeldOutSet(kind, long)
    return sets


def check_awaiting_approval(run_folder: RunFolder) -> None:
    """Check that no candidate awaits a person's approval.

    Raises:
        AwaitingApproval: The last candidate does.
    """
    if folder := run_folder.awaiting_approval:
        raise AwaitingApproval(
            f"round {round_number(folder)} was accepted by the gates and awaits approval: run "
            f"`twister approve {run_folder.path}` or "
            f"`twister refuse {run_folder.path} --note REASON`"
        )


def _check_same_plan(plan: Plan, run: Path, folder: Path) -> None:
    before, now = read_note(folder)["plan"], cache_key(plan)
    differences = list(find_differences(before, now))
    edits = [edit for difference in differences if (edit := describe_code_change(*difference))]
    changes = [
        describe_code_change(key, old, new)
        or f"{key}: {schema.show_value(old)} -> {schema.show_value(new)}"
        for key, old, new in differences
    ]
    if changes:
        plan_then, plan_now, run_path = (
            shlex.quote(str(path)) for path in (folder / "plan.yaml", plan.path, run)
        )
        raise StaleError(
            f"{folder} was begun with another plan:\n"
            + "\n".join(f"  {change}" for change in changes)
            + f"\nTo finish it as it was begun{', with the code as it was' if edits else ''}:\n"
            f"  twister round {plan_then} {run_path}\n"
            "To set it aside and begin it again with this plan:\n"
            f"  twister round {plan_now} {run_path} --restart"
        )


def _check_filters(plan: Plan) -> None:
    voice_filters = (filter_ for voice in plan.voices for filter_ in voice.filters)
    for filter_ in (*plan.text_filters, *plan.synthetic_filters, *voice_filters):
        filter_.check(plan.asr)
    for filter_ in plan.pseudo_filters:
        filter_.check(plan.teacher or plan.asr)
    annotation.check_columns(plan.scan.columns_to_estimate)


def _check_engine(plan: Plan, run_folder: RunFolder) -> None:
    """Check that the plan's recognizer can read the champion, as if two plans had one folder."""
    # Before the lists are made: reading a large pool takes minutes, and loading would fail later.
    champion = run_folder.champion
    if champion and champion.engine != plan.asr.name:
        run = shlex.quote(str(run_folder.path))
        raise ConfigError(
            f"asr: the plan trains {plan.asr.name}, and the champion of {run} is of the engine "
            f"{champion.engine}; name another run folder for this plan, or go back to the "
            f"untouched model with `twister rollback {run} 0`"
        )


def _check_languages(plan: Plan, inputs: RoundInputs) -> None:
    """Check that there are two languages if packing is to switch between languages."""
    if plan.pack is None or not plan.pack.switched:
        return
    manifests = (inputs.pool, inputs.texts, inputs.human, inputs.replay)
    languages = {utterance.lang for manifest in manifests for utterance in manifest}
    if len(languages) == 1 and None not in languages:
        raise ConfigError(
            f"pack.switched: pool, texts, human and replay are all in {languages.pop()!r}; "
            "switching needs speech of a second language, so add some and set its `lang`"
        )


def _check_voices(plan: Plan, run_folder: RunFolder, inputs: RoundInputs) -> None:
    for voice in plan.voices:
        continues = voice.synthesizer.continues_from_last_round
        start = run_folder.voice(voice.name) if continues else None
        try:
            voice.synthesizer.check(start, inputs.texts, (inputs.pool, inputs.human))
        except ConfigError as error:
            raise ConfigError(f"voices.{voice.name}: {error}") from error


def _log_warnings(plan: Plan, run_folder: RunFolder, inputs: RoundInputs) -> None:
    """Warn about memory and about sets too small for the gates."""
    stopping_set = plan.asr.early_stopping_set
    kinds = {name: held_out.kind for name, held_out in inputs.sets.items()}
    hidden = find_set_hidden_from_gates(kinds, stopping_set)
    if stopping_set and not hidden:
        log.warning(
            "%s: training is stopped on this set and it is the only development set that the gates "
            "see, so the candidate will look better than it is; name another set in `asr.stop.set`",
            stopping_set,
        )
    if plan.default_voices:
        log.log(
            logging.WARNING if plan.default_voices.left_out else logging.INFO,
            "voices: %s",
            plan.default_voices.describe(),
        )
    for voice in plan.voices:
        if reason := voice.synthesizer.experimental:
            log.warning(
                "voice %s: %s is experimental: %s", voice.name, voice.synthesizer.name, reason
            )
    for warning in plan.asr.preflight_warnings(
        run_folder.champion or plan.asr.initial_checkpoint()
    ):
        log.warning("%s: %s", plan.asr.name, warning)
    untouched = find_untouched_report(run_folder.path)
    speech: dict[str, list[Utterance]] = {}
    for name, held_out in inputs.sets.items():
        whole = inputs.small_parts.get(name, name)
        # Gates never see a test set, so its size cannot be too small for them.
        if held_out.kind != "test" and whole != hidden:
            speech.setdefault(whole, []).extend(held_out.speech)
    sizes = {
        name: measure_set_size(plan, kinds[name], name, utterances, untouched)
        for name, utterances in speech.items()
    }
    named = {name: sets.speech for name, sets in inputs.sets.items() if name in plan.sets}
    for warning in find_unnamed_language(plan, named):
        log.warning("%s", warning)
    for part, whole in sorted(inputs.small_parts.items()):
        log.info("%s: too few recordings to decide alone; gates count them with %s", part, whole)
    for warning in list_gate_warnings(plan.gates, sizes):
        log.warning("%s", warning)


def _check_space(plan: Plan, run_folder: RunFolder, inputs: RoundInputs) -> None:
    base = run_folder.champion or plan.asr.initial_checkpoint()
    recorded = inputs.pool.duration + inputs.human.duration
    needed = estimate_disk(plan, base, len(inputs.texts), recorded)
    free = shutil.disk_usage(run_folder.path).free
    log.info("a round needs about %.1f GB of disk, %.1f GB are free", needed / 1e9, free / 1e9)
    if needed > free:
        raise SpaceError(
            f"{run_folder.path}: a round needs about {needed / 1e9:.1f} GB of disk and only "
            f"{free / 1e9:.1f} GB are free; make room, or let `keep` prune older rounds"
        )
