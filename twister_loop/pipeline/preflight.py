"""What happens before the first stage of a round: looking, checking, and refusing in time.

A round is prepared under a hidden name and appears with its plan, its listing of the pool,
its texts and its sets; what arrives later belongs to the next round.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..audio import fingerprint
from ..core.artifacts import cache_key, find_differences, digest_path, read_json, write_json
from ..core.environment import environment
from ..core.errors import ConfigError, LeakError, NothingNew, SpaceError, StaleError, Waiting
from ..core.file_hashes import FileHashCache
from ..core.manifest import Manifest
from ..core.progress import progress
from ..core.types import Checkpoint, Tally, Utterance
from ..evaluation.outcomes import HeldOutSet, get_early_stopping_speech, find_set_hidden_from_gates
from .plan import Plan
from .run_folder import RunFolder, is_approved, round_number
from .stages import annotation as estimating
from .stages.listing import gather, list_corpora

log = logging.getLogger(__name__)

SPOKEN_TEXT = 4.0
"""Seconds that a text of the corpus takes on average; for the estimate of space only."""
BYTES_A_SECOND = 32_000
"""Of 16-bit speech at 16 kHz."""


@dataclass(frozen=True)
class RoundInputs:
    """What a round begins with."""

    folder: Path
    seed: int
    pool: Manifest
    texts: Manifest
    human: Manifest
    replay: Manifest
    sets: Mapping[str, HeldOutSet]
    early_stopping_speech: Manifest | None = None
    """The set that training ends by."""

    @property
    def held_out(self) -> list[Manifest]:
        return [each.speech for each in self.sets.values()]


def prepare_round(plan: Plan, ledger: RunFolder) -> RoundInputs:
    """Go on with the round in progress, or prepare the next.

    Raises:
        StaleError: the plan is not the one that the round in progress was begun with.
        LeakError: held-out speech or texts are in what would be trained on.
        NothingNew: the last round was refused, and nothing has changed since.
        Waiting: the last candidate waits for a person's word.
        SpaceError: the disk has not the room that the round needs.
    """
    if at := ledger.in_progress:
        _same_plan(plan, at)
        return _given(plan, at)
    check_waiting(ledger)
    at = ledger.next_folder()
    scratch = at.with_name(f".{at.name}")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    (scratch / "plan.yaml").write_text(plan.source, encoding="utf-8")
    _check_filters(plan)
    given = _given(plan, scratch)
    write_json(
        {
            "plan": cache_key(plan),
            "voices": _starts(plan, ledger),
            "seed": given.seed,
            "approval": plan.approval,
            "folder": str(plan.folder.absolute()),
        },
        scratch / "plan.json",
    )
    environment().save(scratch)
    try:
        _check_sizes(plan, given)
        _check_languages(plan, given)
        _check_voices(plan, ledger, given)
        check_sets(plan, given.sets)
        check_leaks(given)
        _check_news(ledger, given)
        _check_space(plan, ledger, given)
        _log_warnings(plan, ledger, given)
    except Exception:
        shutil.rmtree(scratch)
        raise
    scratch.rename(at)
    return _given(plan, at)


def _given(plan: Plan, at: Path) -> RoundInputs:
    """List everything, or read back the lists."""
    sets = list_held_out_sets(plan, at)
    number = int(at.name.lstrip(".").removeprefix("round-"))
    return RoundInputs(
        folder=at,
        seed=int(hashlib.sha256(f"{plan.seed} {number}".encode()).hexdigest()[:8], 16),
        pool=gather(plan.pool, plan.language, out=at / "inputs" / "pool"),
        texts=gather(plan.texts, plan.language, out=at / "inputs" / "texts"),
        human=gather(plan.human, plan.language, out=at / "inputs" / "human"),
        # Of other languages, as retention sets are.
        replay=gather(plan.replay, None, out=at / "inputs" / "replay"),
        sets=sets,
        early_stopping_speech=get_early_stopping_speech(plan.asr.early_stopping_set, sets),
    )


def list_held_out_sets(plan: Plan, at: Path) -> dict[str, HeldOutSet]:
    """List the held-out sets, or read back the lists."""
    # Retention sets are about everything else, so the language of the plan says nothing of them.
    language = {"development": plan.language, "test": plan.language, "retention": None}
    return {
        name: HeldOutSet(kind, gather((corpus,), language[kind], out=at / "inputs" / kind / name))
        for name, (kind, corpus) in plan.sets.items()
    }


def check_waiting(ledger: RunFolder) -> None:
    """Raises Waiting while the last candidate waits for a person's word."""
    if at := ledger.awaiting_approval:
        raise Waiting(
            f"round {round_number(at)} was accepted by the gates and waits for approval: "
            f"`twister approve {ledger.run}` or `twister refuse {ledger.run} --note WHY`"
        )


def check_new_audio(plan: Plan, ledger: RunFolder) -> Tally:
    """How much of the pool no round has listed yet, by content.

    Raises NothingNew where that is less than the plan asks for.
    """
    new = Tally()
    known = {each.id for at in ledger.round_folders for each in Manifest(at / "inputs" / "pool")}
    with FileHashCache(ledger.run) as hashes:
        for each in progress(
            list_corpora(plan.pool, plan.language, hashes), "looking for new audio"
        ):
            if each.id not in known and not each.rejected_by and not each.error:
                new = new.plus(each.duration)
    if not new.utterances or new.duration < 60 * plan.new_audio.minutes:
        raise NothingNew(
            f"{ledger.run}: {new.utterances} new recordings, {new.duration / 60:.1f} min, since "
            f"{_last(ledger)}; a round begins at {plan.new_audio.minutes:g} min "
            "(`new_audio` in the plan), or at once with `twister round`"
        )
    log.info("%d new recordings, %.1f min", new.utterances, new.duration / 60)
    return new


def _last(ledger: RunFolder) -> str:
    if not ledger.finished_rounds:
        return "the run began"
    last = ledger.finished_rounds[-1]
    return f"round {round_number(last)}, which was {'accepted' if is_approved(last) else 'refused'}"


def _same_plan(plan: Plan, at: Path) -> None:
    before, now = read_json(at / "plan.json")["plan"], cache_key(plan)
    if changed := [f"{place}: {old!r} -> {new!r}" for place, old, new in find_differences(before, now)]:
        raise StaleError(
            f"{at} was begun with another plan ({'; '.join(changed)}). Run it with the plan in "
            f"{at / 'plan.yaml'}, or set the round aside with `twister round PLAN RUN --restart`"
        )


def _check_filters(plan: Plan) -> None:
    of_voices = (each for voice in plan.voices for each in voice.filters)
    for filter_ in (*plan.text_filters, *plan.pseudo_filters, *plan.synthetic_filters, *of_voices):
        filter_.check(plan.asr)
    estimating.check(plan.scan.columns)


def _check_sizes(plan: Plan, given: RoundInputs) -> None:
    if not len(given.pool):
        raise ConfigError("pool: no audio found; name a folder with audio that libsndfile reads")
    if unlabeled := sum(1 for each in given.replay if not each.text):
        raise ConfigError(f"replay: {unlabeled} of {len(given.replay)} utterances have no text")
    if plan.replay and not len(given.replay):
        raise ConfigError("replay: no speech found")
    if plan.voices and not len(given.texts):
        raise ConfigError("texts: no text found; a voice needs something to say")


def _check_languages(plan: Plan, given: RoundInputs) -> None:
    """Raises ConfigError where languages are to be switched and there is only one."""
    if plan.pack is None or not plan.pack.switched:
        return
    places = (given.pool, given.texts, given.human, given.replay)
    langs = {each.lang for manifest in places for each in manifest}
    if len(langs) == 1 and None not in langs:
        raise ConfigError(
            f"pack.switched: pool, texts, human and replay are all in {langs.pop()!r}; "
            "switching needs speech of a second language, so add some and say its `lang`"
        )


def _check_voices(plan: Plan, ledger: RunFolder, given: RoundInputs) -> None:
    for voice in plan.voices:
        start = (
            starting_voice(ledger, voice.name)
            if voice.synthesizer.continues_from_last_round
            else None
        )
        try:
            voice.synthesizer.check(start, given.texts, (given.pool, given.human))
        except ConfigError as wrong:
            raise ConfigError(f"voices.{voice.name}: {wrong}") from wrong


def check_sets(plan: Plan, sets: Mapping[str, HeldOutSet]) -> None:
    """Raises ConfigError where there is too little to count."""
    for name, each in sets.items():
        unlabeled = sum(1 for utterance in each.speech if not utterance.text)
        if not len(each.speech):
            raise ConfigError(f"{each.kind}.{name}: no speech found")
        if unlabeled:
            raise ConfigError(
                f"{each.kind}.{name}: {unlabeled} of {len(each.speech)} utterances have no "
                "reference; a held-out set needs what was really said"
            )
        if len(each.speech) < plan.minimum_utterances:
            raise ConfigError(
                f"{each.kind}.{name}: {len(each.speech)} utterances are fewer than "
                f"minimum_utterances: {plan.minimum_utterances}; add some, or lower that"
            )
        if not any(_words(plan, utterance) for utterance in each.speech):
            raise ConfigError(
                f"{each.kind}.{name}: the normalizer {plan.normalizer.name} leaves nothing of any "
                "reference; there would be nothing to count"
            )


def _words(plan: Plan, utterance: Utterance) -> int:
    """Reference words as they will be counted."""
    return len(plan.normalizer.normalize(utterance.text or "", utterance.lang).split())


def _log_warnings(plan: Plan, ledger: RunFolder, given: RoundInputs) -> None:
    """Say what training may not fit in, and what the gates will not be able to decide."""
    stop = plan.asr.early_stopping_set
    unseen = find_set_hidden_from_gates({name: each.kind for name, each in given.sets.items()}, stop)
    if stop and not unseen:
        log.warning(
            "%s: chooses the weights and is all that gates see of development speech, so they "
            "find it better than it is; name another set in `asr.stop.set`",
            stop,
        )
    for warning in plan.asr.preflight_warnings(ledger.champion or plan.asr.initial_checkpoint()):
        log.warning("%s: %s", plan.asr.name, warning)
    sets = {
        name: (each.kind, sum(_words(plan, utterance) for utterance in each.speech))
        for name, each in given.sets.items()
        if each.kind != "test" and name != unseen
    }
    for gate in plan.gates:
        for warning in gate.preflight_warnings(sets):
            log.warning("%s: %s", gate.name, warning)


def check_leaks(given: RoundInputs) -> None:
    """No held-out recording or text in what is trained on, no recording in two sets.

    Raises LeakError.
    """
    trained_on = {"pool": given.pool, "human": given.human, "replay": given.replay}
    owner = {each.id: place for place, speech in trained_on.items() for each in speech}
    for name, held_out in given.sets.items():
        leaked = [each for each in held_out.speech if each.id in owner]
        if leaked:
            places = sorted({owner[each.id] for each in leaked})
            raise LeakError(
                f"{held_out.kind}.{name}: {len(leaked)} of its utterances are also in "
                f"{', '.join(places)}, such as {leaked[0].audio_filepath}; take them out of one"
            )
        owner |= {each.id: f"{held_out.kind}.{name}" for each in held_out.speech}
    references = {each.text for held_out in given.held_out for each in held_out}
    for place, speech in (("human", given.human), ("replay", given.replay)):
        said = [each for each in speech if each.text in references and _sentence(each.text)]
        if said:
            raise LeakError(
                f"{place}: {len(said)} texts are also references of held-out sets, such as "
                f"{said[0].text!r}; take them out of one"
            )
    for place, speech in trained_on.items():
        of_all = [each for held_out in given.held_out for each in held_out]
        listened = progress(speech, f"looking for held-out recordings in {place}", len(speech))
        if doubles := list(fingerprint.find_duplicates(listened, of_all)):
            leak, held = doubles[0]
            raise LeakError(
                f"{place}: {len(doubles)} recordings are also held out, at another rate or level "
                f"or in another codec, such as {leak.audio_filepath} and {held.audio_filepath}; "
                "take them out of one"
            )


def _sentence(text: str | None) -> bool:
    """Whether a text is long enough that two people do not say it by chance."""
    return len((text or "").split()) >= 5 or len(text or "") >= 24


def _check_news(ledger: RunFolder, given: RoundInputs) -> None:
    if not ledger.finished_rounds or is_approved(ledger.finished_rounds[-1]):
        return
    refused = ledger.finished_rounds[-1]
    if _what_a_round_is_made_of(refused) == _what_a_round_is_made_of(given.folder):
        raise NothingNew(
            f"round {round_number(refused)} was refused, and pool, plan and voices are the same "
            "since: there is nothing new to learn from. Add audio or texts, or change the plan"
        )


def _what_a_round_is_made_of(at: Path) -> Any:
    files = sorted((at / "inputs").rglob("manifest.jsonl"))
    lists = {path.relative_to(at).as_posix(): digest_path(path) for path in files}
    note = read_json(at / "plan.json")
    return [note["plan"], note["voices"], lists]


def _starts(plan: Plan, ledger: RunFolder) -> dict[str, Any]:
    """The voices of earlier rounds that the next would start from."""
    return {
        voice.name: cache_key(starting_voice(ledger, voice.name))
        for voice in plan.voices
        if voice.synthesizer.continues_from_last_round
    }


def starting_voice(ledger: RunFolder, name: str) -> Checkpoint | None:
    """What a voice that continues goes on from."""
    return ledger.voice(name)


def _written(plan: Plan) -> int:
    """Copies of all speech that perturbing leaves on disk."""
    return plan.augment.copies if plan.augment and plan.augment.when == "written" else 0


def _check_space(plan: Plan, ledger: RunFolder, given: RoundInputs) -> None:
    base = ledger.champion or plan.asr.initial_checkpoint()
    takes = sum(voice.samples_per_text for voice in plan.voices)
    spoken = takes * len(given.texts) * SPOKEN_TEXT
    copies = (plan.pack is not None) + _written(plan)
    speech = spoken + copies * (spoken + given.pool.duration + given.human.duration)
    needed = plan.asr.disk_bytes_needed(base) + round(speech * BYTES_A_SECOND)
    free = shutil.disk_usage(ledger.run).free
    log.info("a round needs about %.1f GB of disk, %.1f GB are free", needed / 1e9, free / 1e9)
    if needed > free:
        raise SpaceError(
            f"{ledger.run}: a round needs about {needed / 1e9:.1f} GB of disk and only "
            f"{free / 1e9:.1f} GB are free; make room, or let `keep` thin older rounds"
        )
