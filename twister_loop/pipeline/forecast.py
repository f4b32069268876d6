"""What a plan will need and what its gates will be able to see, told before anything runs.

Nothing is downloaded, decoded or written. Amounts of audio come from the headers of files, and
times from measured rates, so both are estimates.
"""

from __future__ import annotations

import os
import shlex
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..asr._base import WeightsStatus
from ..audio import io as audio
from ..core.artifacts import RUN_MARKER, JsonRecord
from ..core.errors import AudioError, LeakError, TwisterError
from ..core.types import Checkpoint, Utterance
from ..evaluation.evidence import SetSize
from ..evaluation.outcomes import find_set_hidden_from_gates
from .annotation.sources import check_champion_is_honest, collect_annotated
from .data_amounts import (
    LISTING_SECONDS,
    SET_LISTING_SECONDS,
    DataAmount,
    Listing,
    count_data,
    default_language,
    list_data,
    list_utterances,
)
from .disk import estimate_disk
from .language_check import find_unnamed_language
from .model_needs import find_models
from .other_models import estimate_memory, find_unknown_languages
from .plan import Plan
from .plan_terms import describe_occurrences
from .round_time import RoundTime, estimate_time
from .run_check import is_run_or_empty
from .run_folder import RunFolder
from .set_sizes import find_untouched_report, list_gate_warnings, measure_set_size

MAX_CHANNEL_HEADERS = 1000
"""Most recordings of a pool whose channels are counted."""


@dataclass(frozen=True)
class Forecast(JsonRecord):
    """What a plan will need, and what stands in its way."""

    data: tuple[DataAmount, ...]
    weights: Mapping[str, WeightsStatus]
    """Pretrained weights by key: `asr`, `references.large`."""
    disk_needed: int | None
    """Bytes; None if it is not known before the weights are here."""
    disk_free: int
    memory_needed: int | None
    """Bytes at the peak of training, or of a larger teacher; None if it is not known."""
    time: RoundTime
    gates: Mapping[str, tuple[str, ...]]
    """What each gate will be able to tell, in sentences, by its name; empty if no set is known."""
    problems: tuple[str, ...]
    """Reasons why the plan cannot run."""
    warnings: tuple[str, ...]
    """Reasons for doubt, the most important first."""
    terms: tuple[str, ...] = ()
    """How often each held-out set has a key term, in sentences; empty if the plan names none."""


def make_forecast(
    plan: Plan, run: Path | None = None, *, waits_for_audio: bool = False
) -> Forecast:
    """Return the forecast of a plan's next round.

    Args:
        plan: The plan.
        run: Folder of the run, if it is decided.
        waits_for_audio: An empty pool is no problem, since audio is still to arrive.
    """
    # Only places and headers are read: downloading or hashing weights takes minutes.
    weights = find_models(plan)
    start = _starting_checkpoint(plan, run, weights["asr"])
    held_out = {f"{kind}.{name}" for name, (kind, _) in plan.sets.items()}
    listings = {
        place: list_utterances(
            corpora, SET_LISTING_SECONDS if place in held_out else LISTING_SECONDS
        )
        for place, corpora in list_data(plan).items()
    }
    data = tuple(
        count_data(place, listing, default_language(plan, place))
        for place, listing in listings.items()
    )
    needed = [amount for amount in data if not (waits_for_audio and amount.place == "pool")]
    amounts = {amount.place: amount for amount in data}
    untouched = find_untouched_report(run)
    sizes = {
        name: measure_set_size(plan, kind, name, listings[f"{kind}.{name}"].usable, untouched)
        for name, (kind, _) in plan.sets.items()
    }
    kinds = {name: kind for name, (kind, _) in plan.sets.items()}
    hidden = find_set_hidden_from_gates(kinds, plan.asr.early_stopping_set)
    # What is still to be transcribed is a problem of its own, and no gate says anything of it.
    visible = {
        name: size
        for name, size in sizes.items()
        if size.kind != "test" and name != hidden and size.utterances
    }
    cut_off = [place for place in sorted(held_out) if not listings[place].is_complete]
    if cut_off:  # a part of a set would make every gate look blind
        visible = {}
    gates: dict[str, tuple[str, ...]] = {}
    # A plan may name one gate twice, for different sets.
    for gate in plan.gates if visible else ():
        gates[gate.name] = (*gates.get(gate.name, ()), *gate.describe_sight(visible))
    disk_needed = _estimate_disk(plan, start, amounts) if start else None
    disk_free = shutil.disk_usage(_existing_parent(run or Path.cwd())).free
    return Forecast(
        data=data,
        weights=weights,
        disk_needed=disk_needed,
        disk_free=disk_free,
        memory_needed=_estimate_memory(plan, start, weights),
        time=estimate_time(plan, weights, amounts),
        gates=gates,
        problems=(
            *_find_problems(plan, run, needed, weights),
            *_find_missing_channel(plan, listings["pool"]),
            *_find_unknown_languages(plan, start),
            *find_unknown_languages(plan, weights.get("teacher")),
            *_find_lack_of_space(disk_needed, disk_free),
        ),
        warnings=(
            *_find_warnings(plan, start, listings, amounts, visible),
            *find_unnamed_language(
                plan, {name: listings[f"{kind}.{name}"].usable for name, kind in kinds.items()}
            ),
            *(
                f"{place}: its listing was ended after {SET_LISTING_SECONDS:g} s, so what the "
                "gates will see is not told; a round lists all of it"
                for place in cut_off
            ),
            *(
                f"{amount.place}: its listing was ended after {LISTING_SECONDS:g} s, so time and "
                f"disk are told for {amount.utterances} utterances; a round lists all of it"
                for amount in data
                if amount.place not in held_out and not amount.is_complete
            ),
        ),
        terms=tuple(
            describe_occurrences(
                plan,
                {
                    f"{kind}.{name}": listings[f"{kind}.{name}"].usable
                    for name, (kind, _) in plan.sets.items()
                },
            )
        ),
    )


def _starting_checkpoint(plan: Plan, run: Path | None, weights: WeightsStatus) -> Checkpoint | None:
    """Return the checkpoint that training starts from, as far as it is known before it is here."""
    # Converting or downloading weights takes longer than the forecast may.
    champion = RunFolder(run).champion if run and run.is_dir() else None
    return champion or plan.asr.preview_checkpoint(weights)


def _estimate_memory(
    plan: Plan, start: Checkpoint | None, weights: Mapping[str, WeightsStatus]
) -> int | None:
    """Return the bytes at the peak of training or of labeling; None if it is not known."""
    needed = [plan.asr.memory_bytes_needed(start) if start else None]
    if plan.teacher:
        needed.append(estimate_memory(weights["teacher"]))
    return max((amount for amount in needed if amount is not None), default=None)


def _estimate_disk(plan: Plan, start: Checkpoint, amounts: Mapping[str, DataAmount]) -> int:
    recorded = sum(amounts[place].duration for place in ("pool", "human") if place in amounts)
    texts = amounts["texts"].utterances if "texts" in amounts else 0
    return estimate_disk(plan, start, texts, recorded)


def _find_lack_of_space(needed: int | None, free: int) -> Iterator[str]:
    if needed is not None and needed > free:
        yield (
            f"a round needs about {needed / 1e9:.1f} GB of disk and only {free / 1e9:.1f} GB are "
            "free; make room, or name a run on another disk"
        )


def _find_problems(
    plan: Plan,
    run: Path | None,
    data: Iterable[DataAmount],
    weights: Mapping[str, WeightsStatus],
) -> Iterator[str]:
    for key, status in weights.items():
        if status.problem:
            yield f"{key}: {status.problem}"
    for amount in data:
        if amount.problem:
            remedy = (
                "; name the folder of your transcribed recordings, or transcribe some of the pool "
                "into it with"
            )
            command = _suggest_annotating(plan, amount.place, remedy, if_missing=True)
            yield f"{amount.place}: {amount.problem}{command}"
        elif not amount.utterances:
            wanted = "text" if amount.place == "texts" else "audio"
            rejected = f" that can be used ({amount.rejected} rejected)" if amount.rejected else ""
            yield f"{amount.place}: no {wanted} found{rejected}"
        elif amount.place.partition(".")[0] in {"development", "test", "retention"}:
            if amount.is_complete and amount.utterances < plan.minimum_utterances:
                command = _suggest_annotating(plan, amount.place, ", as with")
                yield (
                    f"{amount.place}: {amount.utterances} utterances are fewer than "
                    f"minimum_utterances: {plan.minimum_utterances}; add some"
                    f"{command}, or lower that"
                )
            if not amount.words:
                yield f"{amount.place}: no utterance has a transcript; a held-out set needs them"
    if run:
        yield from _find_run_problems(plan, run)
    if plan.cluster:
        try:
            plan.cluster.check()
        except TwisterError as error:
            yield str(error)


def _find_missing_channel(plan: Plan, pool: Listing) -> Iterator[str]:
    """Yield an error if no recording of the pool has the channel that the scan is to take."""
    channel = plan.scan.channels
    # Of all or of none: one file with more channels makes the plan right.
    is_countable = pool.is_complete and 0 < len(pool.usable) <= MAX_CHANNEL_HEADERS
    if isinstance(channel, str) or not is_countable:
        return
    try:
        most = max(audio.count_channels(line.audio_filepath) for line in pool.usable)
    except AudioError:  # the scan rejects such a file
        return
    if channel >= most:
        yield (
            f"scan.channels: no recording of the pool has a channel {channel}; they have {most}, "
            "counted from 0"
        )


def _suggest_annotating(plan: Plan, place: str, beginning: str, *, if_missing: bool = False) -> str:
    """Return the command that adds to a held-out set, after the beginning of a clause.

    Nothing for a set that cannot be annotated, or with `if_missing` for one whose folder is there.
    """
    kind, _, name = place.partition(".")
    corpus = plan.sets[name][1] if name in plan.sets else None
    folder = getattr(corpus, "folder", None)
    # Speech of other languages is not in the pool, from which clips are drawn.
    if corpus is None or corpus.name != "audiofolder" or kind == "retention":
        return ""
    if if_missing and isinstance(folder, Path) and folder.exists():
        return ""
    path = shlex.quote(os.path.relpath(plan.path))
    return f"{beginning} `twister annotate {path} --set {shlex.quote(name)}`"


def _find_unknown_languages(plan: Plan, start: Checkpoint | None) -> Iterator[str]:
    """Yield the languages of a plan that its recognizer does not know, each with its key."""
    if start is None:
        return
    unsupported_reason = plan.asr.unsupported_reason(start)
    named = {"language": plan.language}
    for place, corpora in list_data(plan).items():
        named |= {f"{place}.lang": getattr(corpus, "lang", None) for corpus in corpora}
    for place, lang in named.items():
        if lang and (reason := unsupported_reason(Utterance(id="", lang=lang))):
            yield f"{place}: {reason}"


def _find_run_problems(plan: Plan, run: Path) -> Iterator[str]:
    """Yield why a run cannot lie in this folder."""
    # Links are followed, or a run could lie in its pool under another name.
    # Not `resolve`, which raises for links in a circle.
    inside = Path(os.path.realpath(run))
    for place, corpora in list_data(plan).items():
        for corpus in corpora:
            folder = getattr(corpus, "folder", None)
            if isinstance(folder, Path) and inside.is_relative_to(folder.resolve()):
                yield (
                    f"{place}: the run folder {run} lies inside {folder}, which every round lists "
                    "and `up --watch` watches; name a folder outside"
                )
    if inside.is_symlink():
        yield f"{run}: a link that leads nowhere; name another folder"
    elif inside.exists() and not inside.is_dir():
        yield f"{run}: a file, and a run is a folder; name another one"
    elif blocking := next((path for path in inside.parents if path.is_file()), None):
        yield f"{run}: {blocking} is a file, so no folder can lie in it; name another one"
    elif not inside.exists() and not os.access(_existing_parent(inside), os.W_OK):
        yield f"{run}: no folder can be made in {_existing_parent(inside)}"
    elif (inside / RUN_MARKER).is_file():
        # A round would be refused only after its lists were made.
        try:
            check_champion_is_honest(plan, RunFolder(run), collect_annotated(plan).held_out)
        except LeakError as leak:
            yield str(leak)
    elif inside.is_dir() and not is_run_or_empty(run):
        yield f"{run}: not a run, and not empty; name another folder"


def _find_warnings(
    plan: Plan,
    start: Checkpoint | None,
    listings: Mapping[str, Listing],
    amounts: Mapping[str, DataAmount],
    sizes: Mapping[str, SetSize],
) -> Iterator[str]:
    # What stops a round comes first, then what leaves it undecided, then what is only missing.
    if start:
        yield from plan.asr.preflight_warnings(start)
        unsupported_reason = plan.asr.unsupported_reason(start)
        for place, listing in listings.items():
            reasons = Counter(filter(None, map(unsupported_reason, listing.usable)))
            for reason, count in reasons.most_common(3):
                yield f"{place}: {count} utterances cannot be transcribed: {reason}"
    yield from list_gate_warnings(plan.gates, sizes)
    for amount in amounts.values():
        if amount.rejected:
            reasons = Counter(
                line.rejected_by or "unreadable"
                for line in listings[amount.place].utterances
                if line.rejected_by or line.error
            )
            listed = ", ".join(f"{count} {reason}" for reason, count in reasons.most_common())
            yield f"{amount.place}: {amount.rejected} files or rows cannot be used: {listed}"
    if not any(kind == "retention" for kind, _ in plan.sets.values()):
        yield (
            "there is no retention set, so nothing shows whether other languages get worse; add "
            "one under `retention`, such as `{english: {use: ivr, split: retention}}`, 274 prompts "
            "in English that it takes from Debian"
        )
    if not any(kind == "test" for kind, _ in plan.sets.values()):
        yield "there is no test set, so the gain is only measured on sets that chose the model"
    if plan.default_voices and plan.default_voices.left_out:
        yield f"voices: {plan.default_voices.describe()}"
    for voice in plan.voices:
        if reason := voice.synthesizer.experimental:
            yield f"voices.{voice.name}: {voice.synthesizer.name} is experimental: {reason}"


def _existing_parent(path: Path) -> Path:
    """Return the nearest folder above a path that exists, whose disk it will lie on."""
    absolute = path.absolute()
    return next(folder for folder in (absolute, *absolute.parents) if folder.is_dir())
