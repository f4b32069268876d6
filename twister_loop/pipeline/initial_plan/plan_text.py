"""YAML of a first plan: short, with the number that was seen behind each choice."""

from __future__ import annotations

import json
import os
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ...asr._base import WeightsStatus
from ...core.errors import ConfigError
from ..model_needs import find_embedding_weights
from .draft import Draft, Preset, Wishes
from .recordings import is_text
from .roles import MIN_HELD_OUT
from .speech import Speech

RECIPES: Mapping[Preset, str] = {
    "telephone": "telephone speech",
    "conversation": "conversations",
    "code-switch": "two languages",
}
"""Presets in words. Their choices and figures are those of the plans of these names in configs/."""
WIDTH = 100
COMMENT_COLUMN = 34
DEVELOPMENT_FOLDER = "development"
"""Folder of a development set that is still to be transcribed: beside the plan, if that lies
outside of the pool."""
OWN_NORMALIZERS = {"ko": "korean", "zh": "mandarin"}
"""Normalizers of single languages; `basic` knows the numbers and spellings of the others."""


def write_plan_text(
    draft: Draft,
    wishes: Wishes,
    model: str,
    at_hand: Sequence[WeightsStatus],
    plan: Path,
    run: str,
) -> str:
    """Return the YAML of a draft.

    Args:
        draft: What each key holds.
        wishes: What the user said.
        model: Model of the recognizer.
        at_hand: Models on this machine.
        plan: File that it will be written to, from which paths are relative.
        run: Folder of a run, for the commands in the first line.
    """
    folder = plan.absolute().parent
    lines = [
        f"# twister check {plan.name}, then: twister run {plan.name} {run}",
        "# Written by `twister init`; change what you like. `twister options NAME` explains a key.",
        *_write_data(draft, wishes, folder),
        "",
        *_write_recipe(draft, model, at_hand),
    ]
    return "\n".join(lines) + "\n"


def quote(text: str) -> str:
    """Return a text as YAML, in quotes only if it needs them.

    >>> quote("calls/may 2026"), quote("no"), quote("a: b")
    ('calls/may 2026', '"no"', '"a: b"')
    """
    is_plain = re.fullmatch(r"[^\W\d_](?:[\w ./+@-]*[\w/])?|\.{0,2}/[\w./+@-]*", text)
    is_word = text.lower() in {"y", "n", "no", "yes", "on", "off", "true", "false", "null"}
    # JSON is YAML, and quotes whatever there is.
    return text if is_plain and not is_word else json.dumps(text, ensure_ascii=False)


def _write_data(draft: Draft, wishes: Wishes, folder: Path) -> Iterator[str]:
    if draft.language:
        yield from _line(f"language: {quote(draft.language)}", draft.language_reason)
    else:
        yield from _line("# language: it", draft.language_reason)
    purpose = "the same as human" if draft.pool_is_transcribed else "without transcripts"
    yield from _corpora("pool", draft.pool, folder, purpose)
    if draft.texts:
        files = [quote(_relative(file.path, folder)) for file in draft.texts]
        amount = sum(file.sentences for file in draft.texts)
        words = sum(file.words for file in draft.texts)
        yield from _line(
            f"texts: {files[0] if len(files) == 1 else '[' + ', '.join(files) + ']'}",
            f"{amount:,} sentences, {words:,} words, for voices and the rescoring of labels",
        )
    else:
        yield from _line(
            "# texts: sentences.txt",
            "none were there; sentences of the kind that is said, one a line, help a lot",
        )
    yield from _corpora("human", draft.human, folder, "with transcripts, trained on as they are")
    yield from _corpora("replay", draft.replay, folder, "of another language, against forgetting")
    yield from _sets("development", draft.development, folder, "the gates decide on it")
    if not draft.development:
        place = _relative(draft.place_outside(folder / DEVELOPMENT_FOLDER), folder)
        yield from _line(
            f"development: {{dev: {quote(f'{place}/')}}}",
            "no transcripts were there. The gates need some: `twister annotate` plays recordings "
            "of the pool, and writes what you type into this folder",
        )
    yield from _sets("test", draft.test, folder, "reported, and used for no decision")
    yield from _sets("retention", draft.retention, folder, "must not get worse")
    # Lowered rather than left out: a first round that ends undecided shows how all of it works.
    smallest = draft.smallest_set
    if smallest is not None and smallest < MIN_HELD_OUT:
        yield from _line(
            f"minimum_utterances: {smallest}",
            f"the default is {MIN_HELD_OUT}, and the smallest set has {smallest}: expect "
            "`undecided` until it has more",
        )
    if wishes.terms_file:
        yield from _line(f"terms: {quote(_relative(wishes.terms_file, folder))}", "one a line")
    elif wishes.key_terms:
        listed = ", ".join(json.dumps(term, ensure_ascii=False) for term in wishes.key_terms)
        yield from _line(f"terms: [{listed}]", "their recall is told everywhere")


def _write_recipe(draft: Draft, model: str, at_hand: Sequence[WeightsStatus]) -> Iterator[str]:
    # The number first, so that a reader can judge the choice before the options.
    if draft.preset != "plain":
        yield f"# The recipe for {RECIPES[draft.preset]}: {draft.preset_reason}."
    names = [status.model for status in at_hand]
    where = "on this machine" if model in names else "to be downloaded"
    if Path(model).expanduser().is_dir():
        where = "your folder"
    # Named, since a larger one may be worth its time.
    others = [name for name in names if name != model]
    reason = f"{where}; also here: {', '.join(others)}" if others else where
    # Only the recipe that was measured with another option than the default ones.
    options = ", timestamps: 0.2" if draft.preset == "code-switch" else ""
    yield from _line(f"asr: {{use: whisper, model: {quote(model)}{options}}}", reason)
    if draft.language in OWN_NORMALIZERS and draft.preset != "code-switch":
        normalizer = OWN_NORMALIZERS[draft.language]
        yield from _line(f"normalizer: {normalizer}", "how transcripts and references are compared")
    # Epochs, voices, rescoring, trainings, interpolation are left out: the defaults were measured.
    if draft.is_weak or draft.preset == "conversation":
        yield from _line(
            "labeler: {at_most: 0.15}", "faster, where Whisper is weak and any change changes words"
        )
    if draft.preset == "conversation":
        yield from _write_scan(draft)
        yield from _line("filters: {pseudo: [default, hallucination]}", "without credits of films")
        return
    if draft.split_channels:
        yield from _line("scan: {channels: split}", "two channels: often the two sides of a call")
    if draft.preset == "telephone":
        yield from _line(
            "filters: {pseudo: [default, {use: confidence, at_least: -0.5}]}",
            "single words are often misheard",
        )
    elif draft.preset == "code-switch":
        yield "filters:  # without `script` and `perplexity`, which suspect another language"
        yield "  pseudo: [duration, {use: confidence, at_least: -0.5}, compression, no_speech,"
        yield "           length_limit, repetition, char_rate]"
        yield from _line(
            "pack: {limit: 10, gap: 0.3, switched: 0.5, inside: 0.5}",
            "joins clips of both languages",
        )


def _write_scan(draft: Draft) -> Iterator[str]:
    """Yield the scan of conversations, as far as its packages are installed."""
    channels = "channels: split, " if draft.split_channels else ""
    status = find_embedding_weights()
    if status.problem:
        # A plan that runs now is worth more than one that asks for packages first.
        yield from _line(f"# scan: {{{channels}speakers: {{}}}}", f"when you can: {status.problem}")
        if channels:
            yield "scan: {channels: split}"
    else:
        yield from _line(
            f"scan: {{{channels}speakers: {{}}}}", "cuts at speaker changes, and leaves music out"
        )


def _corpora(key: str, corpora: Sequence[Speech], folder: Path, purpose: str) -> Iterator[str]:
    """Yield a key with one corpus or a list of them."""
    if not corpora:
        return
    utterances = sum(speech.utterances for speech in corpora)
    seconds = sum(speech.seconds for speech in corpora)
    # Once for all corpora of the key, which mostly share it.
    reasons = sorted({speech.reason for speech in corpora if speech.reason})
    note = "; ".join([f"{utterances:,} recordings, {show_hours(seconds)}, {purpose}", *reasons])
    specs = [_spec(speech, folder) for speech in corpora]
    if len(specs) == 1:
        yield from _line(f"{key}: {specs[0]}", note)
        return
    yield f"{key}:  # {note}"
    yield from (f"  - {spec}" for spec in specs)


def _sets(key: str, sets: Mapping[str, Speech], folder: Path, purpose: str) -> Iterator[str]:
    """Yield a key with held-out sets by name."""
    if not sets:
        return
    notes = []
    for name, speech in sets.items():
        reason = f" ({speech.reason})" if speech.reason else ""
        notes.append(
            f"{name}: {speech.utterances:,} utterances, {show_hours(speech.seconds)}{reason}"
        )
    note = f"{purpose}. {'; '.join(notes)}"
    specs = [f"{name}: {_spec(speech, folder)}" for name, speech in sets.items()]
    yield from _line(f"{key}: {{{', '.join(specs)}}}", note)


def _spec(speech: Speech, folder: Path) -> str:
    """Return a corpus as a plan writes it."""
    # A slash at the end, by which people tell folders from files.
    place = quote(_relative(speech.place, folder) + ("/" if speech.place.is_dir() else ""))
    if speech.use == "audiofolder" and not speech.language:
        return place
    option = "file" if speech.use == "manifest" else "folder"
    lang = f", lang: {quote(speech.language)}" if speech.language else ""
    return f"{{use: {speech.use}, {option}: {place}{lang}}}"


def _relative(path: Path, folder: Path) -> str:
    if not is_text(path):
        raise ConfigError(
            f"{path}: this name is in an encoding that is not UTF-8, so a plan cannot hold it; "
            "rename it, for example with convmv"
        )
    return Path(os.path.relpath(path.absolute(), folder)).as_posix()


def _line(content: str, comment: str) -> Iterator[str]:
    """Yield a line with its comment: beside it if there is room, else above it."""
    # Comments are what a first plan is read for, so none is cut off.
    beside = f"{content:<{COMMENT_COLUMN}}  # {comment}"
    if len(beside) <= WIDTH:
        yield beside
        return
    yield from textwrap.wrap(comment, WIDTH, initial_indent="# ", subsequent_indent="# ")
    yield content


def show_hours(seconds: float) -> str:
    """Return a duration in hours, minutes or seconds.

    >>> show_hours(7200), show_hours(90), show_hours(20)
    ('2.0 h', '1.5 min', '20 s')
    """
    if seconds >= 3600:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 60:.1f} min" if seconds >= 60 else f"{seconds:.0f} s"
