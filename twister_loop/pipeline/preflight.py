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
from ..core.artifacts import differences, digest_of, read_json, signature, write_json
from ..core.environment import environment
from ..core.errors import ConfigError, LeakError, NothingNew, SpaceError, StaleError, Waiting
from ..core.file_hashes import Hashes
from ..core.manifest import Manifest
from ..core.progress import progress
from ..core.types import Checkpoint, Tally, Utterance
from ..evaluation.outcomes import HeldOut, not_shown, watched_of
from .plan import Plan
from .run_folder import Ledger, number_of, stands
from .stages import annotation as estimating
from .stages.labeling import gather, listed

log = logging.getLogger(__name__)

SPOKEN_TEXT = 4.0
"""Seconds that a text of the corpus takes on average; for the estimate of space only."""
BYTES_A_SECOND = 32_000
"""Of 16-bit speech at 16 kHz."""


@dataclass(frozen=True)
class Given:
    """What a round begins with."""

    at: Path
    seed: int
    listing: Manifest
    texts: Manifest
    human: Manifest
    replay: Manifest
    sets: Mapping[str, HeldOut]
    watched: Manifest | None = None
    """The set that training ends by."""

    @property
    def held_out(self) -> list[Manifest]:
        return [each.speech for each in self.sets.values()]


def begin(plan: Plan, ledger: Ledger) -> Given:
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
            "plan": signature(plan),
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
        _foresee(plan, ledger, given)
    except Exception:
        shutil.rmtree(scratch)
        raise
    scratch.rename(at)
    return _given(plan, at)


def _given(plan: Plan, at: Path) -> Given:
    """List everything, or read back the lists."""
    sets = sets_of(plan, at)
    number = int(at.name.lstrip(".").removeprefix("round-"))
    return Given(
        at=at,
        seed=int(hashlib.sha256(f"{plan.seed} {number}".encode()).hexdigest()[:8], 16),
        listing=gather(plan.pool, plan.language, out=at / "given" / "pool"),
        texts=gather(plan.texts, plan.language, out=at / "given" / "texts"),
        human=gather(plan.human, plan.language, out=at / "given" / "human"),
        # Of other languages, as retention sets are.
        replay=gather(plan.replay, None, out=at / "given" / "replay"),
        sets=sets,
        watched=watched_of(plan.asr.stops_by, sets),
    )


def sets_of(plan: Plan, at: Path) -> dict[str, HeldOut]:
    """List the held-out sets, or read back the lists."""
    # Retention sets are about everything else, so the language of the plan says nothing of them.
    language = {"development": plan.language, "test": plan.language, "retention": None}
    return {
        name: HeldOut(kind, gather((corpus,), language[kind], out=at / "given" / kind / name))
        for name, (kind, corpus) in plan.sets.items()
    }


def check_waiting(ledger: Ledger) -> None:
    """Raises Waiting while the last candidate waits for a person's word."""
    if at := ledger.waiting:
        raise Waiting(
            f"round {number_of(at)} was accepted by the gates and waits for approval: "
            f"`twister approve {ledger.run}` or `twister refuse {ledger.run} --note WHY`"
        )


def check_new_audio(plan: Plan, ledger: Ledger) -> Tally:
    """How much of the pool no round has listed yet, by content.

    Raises NothingNew where that is less than the plan asks for.
    """
    new = Tally()
    known = {each.id for at in ledger.folders for each in Manifest(at / "given" / "pool")}
    with Hashes(ledger.run) as hashes:
        for each in progress(listed(plan.pool, plan.language, hashes), "looking for new audio"):
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


def _last(ledger: Ledger) -> str:
    if not ledger.finished:
        return "the run began"
    last = ledger.finished[-1]
    return f"round {number_of(last)}, which was {'accepted' if stands(last) else 'refused'}"


def _same_plan(plan: Plan, at: Path) -> None:
    before, now = read_json(at / "plan.json")["plan"], signature(plan)
    if changed := [f"{place}: {old!r} -> {new!r}" for place, old, new in differences(before, now)]:
        raise StaleError(
            f"{at} was begun with another plan ({'; '.join(changed)}). Run it with the plan in "
            f"{at / 'plan.yaml'}, or set the round aside with `twister round PLAN RUN --restart`"
        )


def _check_filters(plan: Plan) -> None:
    of_voices = (each for voice in plan.voices for each in voice.filters)
    for filter_ in (*plan.text_filters, *plan.pseudo_filters, *plan.synthetic_filters, *of_voices):
        filter_.check(plan.asr)
    estimating.check(plan.scan.columns)


def _check_sizes(plan: Plan, given: Given) -> None:
    if not len(given.listing):
        raise ConfigError("pool: no audio found; name a folder with audio that libsndfile reads")
    if unlabeled := sum(1 for each in given.replay if not each.text):
        raise ConfigError(f"replay: {unlabeled} of {len(given.replay)} utterances have no text")
    if plan.replay and not len(given.replay):
        raise ConfigError("replay: no speech found")
    if plan.voices and not len(given.texts):
        raise ConfigError("texts: no text found; a voice needs something to say")


def _check_languages(plan: Plan, given: Given) -> None:
    """Raises ConfigError where languages are to be switched and there is only one."""
    if plan.pack is None or not plan.pack.switched:
        return
    places = (given.listing, given.texts, given.human, given.replay)
    langs = {each.lang for manifest in places for each in manifest}
    if len(langs) == 1 and None not in langs:
        raise ConfigError(
            f"pack.switched: pool, texts, human and replay are all in {langs.pop()!r}; "
            "switching needs speech of a second language, so add some and say its `lang`"
        )


def _check_voices(plan: Plan, ledger: Ledger, given: Given) -> None:
    for voice in plan.voices:
        start = starting_voice(ledger, voice.name) if voice.synthesizer.continues else None
        try:
            voice.synthesizer.check(start, given.texts, (given.listing, given.human))
        except ConfigError as wrong:
            raise ConfigError(f"voices.{voice.name}: {wrong}") from wrong


def check_sets(plan: Plan, sets: Mapping[str, HeldOut]) -> None:
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


def _foresee(plan: Plan, ledger: Ledger, given: Given) -> None:
    """Say what training may not fit in, and what the gates will not be able to decide."""
    stop = plan.asr.stops_by
    unseen = not_shown({name: each.kind for name, each in given.sets.items()}, stop)
    if stop and not unseen:
        log.warning(
            "%s: chooses the weights and is all that gates see of development speech, so they "
            "find it better than it is; name another set in `asr.stop.set`",
            stop,
        )
    for warning in plan.asr.foresee(ledger.champion or plan.asr.base()):
        log.warning("%s: %s", plan.asr.name, warning)
    sets = {
        name: (each.kind, sum(_words(plan, utterance) for utterance in each.speech))
        for name, each in given.sets.items()
        if each.kind != "test" and name != unseen
    }
    for gate in plan.gates:
        for warning in gate.foresee(sets):
            log.warning("%s: %s", gate.name, warning)


def check_leaks(given: Given) -> None:
    """No held-out recording or text in what is trained on, no recording in two sets.

    Raises LeakError.
    """
    trained_on = {"pool": given.listing, "human": given.human, "replay": given.replay}
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
        if doubles := list(fingerprint.doubles(listened, of_all)):
            leak, held = doubles[0]
            raise LeakError(
                f"{place}: {len(doubles)} recordings are also held out, at another rate or level "
                f"or in another codec, such as {leak.audio_filepath} and {held.audio_filepath}; "
                "take them out of one"
            )


def _sentence(text: str | None) -> bool:
    """Whether a text is long enough that two people do not say it by chance."""
    return len((text or "").split()) >= 5 or len(text or "") >= 24


def _check_news(ledger: Ledger, given: Given) -> None:
    if not ledger.finished or stands(ledger.finished[-1]):
        return
    refused = ledger.finished[-1]
    if _what_a_round_is_made_of(refused) == _what_a_round_is_made_of(given.at):
        raise NothingNew(
            f"round {number_of(refused)} was refused, and pool, plan and voices are the same "
            "since: there is nothing new to learn from. Add audio or texts, or change the plan"
        )


def _what_a_round_is_made_of(at: Path) -> Any:
    files = sorted((at / "given").rglob("manifest.jsonl"))
    lists = {path.relative_to(at).as_posix(): digest_of(path) for path in files}
    note = read_json(at / "plan.json")
    return [note["plan"], note["voices"], lists]


def _starts(plan: Plan, ledger: Ledger) -> dict[str, Any]:
    """The voices of earlier rounds that the next would start from."""
    return {
        voice.name: signature(starting_voice(ledger, voice.name))
        for voice in plan.voices
        if voice.synthesizer.continues
    }


def starting_voice(ledger: Ledger, name: str) -> Checkpoint | None:
    """What a voice that continues goes on from."""
    return ledger.voice(name)


def _written(plan: Plan) -> int:
    """Copies of all speech that perturbing leaves on disk."""
    return plan.augment.copies if plan.augment and plan.augment.when == "written" else 0


def _check_space(plan: Plan, ledger: Ledger, given: Given) -> None:
    base = ledger.champion or plan.asr.base()
    takes = sum(voice.takes for voice in plan.voices)
    spoken = takes * len(given.texts) * SPOKEN_TEXT
    copies = (plan.pack is not None) + _written(plan)
    speech = spoken + copies * (spoken + given.listing.duration + given.human.duration)
    needed = plan.asr.disk(base) + round(speech * BYTES_A_SECOND)
    free = shutil.disk_usage(ledger.run).free
    log.info("a round needs about %.1f GB of disk, %.1f GB are free", needed / 1e9, free / 1e9)
    if needed > free:
        raise SpaceError(
            f"{ledger.run}: a round needs about {needed / 1e9:.1f} GB of disk and only "
            f"{free / 1e9:.1f} GB are free; make room, or let `keep` thin older rounds"
        )
