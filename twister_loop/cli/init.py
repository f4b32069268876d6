"""The command `twister init`: a first plan for a folder, from what the folder holds."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..core import schema
from ..core.errors import ConfigError
from ..core.terminal import printable
from ..pipeline.forecast import Forecast, make_forecast
from ..pipeline.initial_plan.draft import Draft, Preset, Wishes
from ..pipeline.initial_plan.first_plan import (
    FolderSurvey,
    check_places,
    draft_plan_of,
    hear,
    survey_folder,
    write_first_plan,
)
from ..pipeline.initial_plan.listening import Hearing, choose_model
from ..pipeline.initial_plan.plan_text import show_hours, write_plan_text
from ..pipeline.initial_plan.voices import VoiceCount, count_voices
from ..pipeline.plan_reader import load
from ..text.language_names import find_language_code
from .argument_types import parse_path
from .check import describe_forecast, quiet_corpora
from .json_output import print_json

PRESETS: tuple[Preset, ...] = ("telephone", "conversation", "code-switch", "plain")
MAX_REMARKS = 12
"""Remarks that are printed; a folder of odd tables has hundreds."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `twister init`."""
    parser.add_argument(
        "folder", type=parse_path, metavar="FOLDER", help="folder with recordings, texts and tables"
    )
    parser.add_argument(
        "--plan",
        type=parse_path,
        default=Path("plan.yaml"),
        metavar="FILE",
        help="plan to write; never overwritten (default: %(default)s)",
    )
    parser.add_argument("--lang", help="language of the recordings, such as it")
    parser.add_argument(
        "--terms", metavar="WORDS", help="key terms, separated by commas, or a file with one a line"
    )
    parser.add_argument("--preset", choices=PRESETS, help="recipe (default: what fits)")
    parser.add_argument(
        "--model", metavar="MODEL", help="Whisper to train: a name or a folder (default: at hand)"
    )
    parser.add_argument(
        "--listen",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="transcribe a few clips with a model at hand; nothing is downloaded",
    )
    parser.add_argument(
        "--count-speakers", action="store_true", help="estimate from voices how many people speak"
    )
    parser.add_argument("--yes", action="store_true", help="ask nothing")
    parser.add_argument("--json", action="store_true", help="print what was seen as JSON")


def init(options: argparse.Namespace) -> int:
    """Write a first plan for a folder of recordings.

    Looks at recordings, texts and tables of any layout, listens to a few clips with a Whisper that
    is on this machine, and writes a short plan with the reason of each choice. Asks for what it
    cannot know if it runs in a terminal. Nothing in the folder is changed. Ends with what `twister
    check` says of the plan. Exit code 0 if the plan was written, also if something is left to do.
    """
    lists = options.plan.with_name(f"{options.plan.stem}-lists")
    # Before anything is read: a survey of a large folder takes half a minute.
    check_places(options.plan, lists)
    with quiet_corpora():
        survey = survey_folder(options.folder, ignored=[lists])
    # With --json the standard output is JSON alone, so that programs can read it.
    is_talking = not options.json
    if is_talking:
        _print_lines(_describe_survey(survey))
    model, at_hand = choose_model(options.model)
    names = [status.model for status in at_hand]
    hearing = Hearing(skipped="--no-listen")
    if options.listen:
        hearing = hear(survey, model, names)
    if is_talking:
        _print_lines(_describe_hearing(hearing))
    voices = count_voices(survey.recordings) if options.count_speakers else None
    if is_talking and voices:
        _print_lines([f"  {'voices':<14} {_describe_voices(voices)}"])
    wishes = _read_wishes(options)
    if is_talking and not options.yes and sys.stdin.isatty():
        # Without the search, which takes a while and changes none of the questions.
        wishes = _ask(draft_plan_of(survey, hearing, wishes, lists, search=False), wishes)
    draft = draft_plan_of(survey, hearing, wishes, lists)
    run = _choose_run(options.plan, draft)
    text = write_plan_text(draft, wishes, model, at_hand, options.plan, run)
    write_first_plan(options.plan, text, draft)
    # As it is read again, and not as it was meant: a plan that does not load is a fault of ours.
    with quiet_corpora():
        forecast = make_forecast(load(options.plan), Path(run))
    # One command and not a list: the first hour is lost between commands.
    next_command = _choose_next(options.plan, run, draft, forecast)
    if options.json:
        content = _to_json(survey, hearing, draft, options.plan, forecast, next_command)
        print_json({**content, "voices": schema.to_json_data(voices)} if voices else content)
        return 0
    _print_lines(_describe_remarks([*survey.remarks, *draft.remarks]))
    _print_lines(["", f"{options.plan}:", *(f"  {line}" for line in text.splitlines()), ""])
    _print_lines(describe_forecast(forecast))
    _print_lines(["", f"Next: {next_command}"])
    return 0


def _read_wishes(options: argparse.Namespace) -> Wishes:
    """Return what the options say. Raises ConfigError for terms that are none."""
    language = _language_code(options.lang) if options.lang else None
    wishes = Wishes(language=language, preset=options.preset)
    return _with_terms(wishes, options.terms) if options.terms else wishes


def _with_terms(wishes: Wishes, answer: str) -> Wishes:
    """Return wishes with key terms: a file, or words separated by commas."""
    if Path(answer).is_file():
        return replace(wishes, terms_file=Path(answer))
    # Nobody has a term that ends in `.txt`, and a mistyped name would silently be one.
    if Path(answer).suffix == ".txt":
        raise ConfigError(f"--terms {answer}: there is no such file")
    key_terms = tuple(term.strip() for term in answer.split(",") if term.strip())
    return replace(wishes, key_terms=key_terms)


def _ask(draft: Draft, wishes: Wishes) -> Wishes:
    """Ask for what the folder does not tell; Enter takes what is in brackets."""
    if not wishes.language:
        guess = draft.language or "detect it"
        answer = _ask_line(f"Language ({draft.language_reason}) [{guess}]: ")
        # Without an answer the next draft guesses the same.
        if answer and answer != "detect it":
            wishes = replace(wishes, language=_language_code(answer))
    if not wishes.preset:
        reason = f" ({draft.preset_reason})" if draft.preset_reason else ""
        question = f"Kind of speech{reason}, one of {', '.join(PRESETS)} [{draft.preset}]: "
        while (answer := _ask_line(question)) and answer not in PRESETS:
            pass
        wishes = replace(wishes, preset=next((name for name in PRESETS if name == answer), None))
    while not wishes.key_terms and not wishes.terms_file:
        question = "Names and words that matter, separated by commas, or a file [none]: "
        if not (answer := _ask_line(question)):
            break
        try:
            wishes = _with_terms(wishes, answer)
        except ConfigError as error:
            # Asked again, since all that was read and heard so far would be lost.
            _print_lines([str(error)])
    return wishes


def _ask_line(question: str) -> str:
    """Return the answer to a question; empty for Enter, and at the end of the input."""
    try:
        return input(question).strip()
    except EOFError:  # Ctrl+D: the user has nothing more to say
        _print_lines([""])
        return ""


def _language_code(name: str) -> str:
    """Return the code of a language that was named in English; others are checked with the plan."""
    return find_language_code(name) or name


def _choose_run(plan: Path, draft: Draft) -> str:
    """Return a folder for the run, from the working directory, that lies outside of the pool."""
    # A name that tells several plans of one folder apart.
    wanted = Path("runs", plan.stem if plan.stem != "plan" else "mine")
    run = draft.place_outside(wanted)
    return wanted.as_posix() if run == wanted else Path(os.path.relpath(run)).as_posix()


def _choose_next(plan: Path, run: str, draft: Draft, forecast: Forecast) -> str:
    """Return the command that brings the user on."""
    # A plan without transcripts has problems too, and this is their remedy.
    if not draft.development:
        return f"twister annotate {shlex.quote(str(plan))} --set dev"
    if forecast.problems:
        return f"twister check {shlex.quote(str(plan))}"
    return f"twister run {shlex.quote(str(plan))} {shlex.quote(run)}"


def _describe_survey(survey: FolderSurvey) -> Iterator[str]:
    seen = survey.recordings.survey
    about = "about " if seen.is_sampled else ""
    yield f"{survey.recordings.folder}"
    yield f"  {'recordings':<14} {seen.files:,} files, {about}{show_hours(seen.seconds)}"
    if seen.is_sampled:
        yield f"  {'':<14} (estimated from the headers of {seen.headers_read:,})"
    yield f"  {'formats':<14} {_list_counts(seen.formats)}"
    rates = {f"{rate / 1000:g} kHz": count for rate, count in seen.rates.items()}
    yield f"  {'sample rates':<14} {_list_counts(rates)}"
    channels = {"mono" if n == 1 else f"{n} channels": count for n, count in seen.channels.items()}
    yield f"  {'channels':<14} {_list_counts(channels)}"
    yield (
        f"  {'lengths':<14} {show_hours(seen.shortest)} to {show_hours(seen.longest)}, "
        f"median {show_hours(seen.median)}"
    )
    if seen.duplicates:
        yield f"  {'duplicates':<14} {seen.duplicates} files with the same bytes as another"
    # One example is enough here; --json has three.
    for name, reason in seen.unreadable.items():
        yield f"  {'unreadable':<14} {seen.unreadable_count} files, such as {name}: {reason}"
        break
    if seen.not_read:
        yield f"  {'not read':<14} {_list_counts(seen.not_read)}"
    for source in survey.sources:
        place = source.place if source.kind != "text files" else "text files beside recordings"
        files = len({line.path for line in source.transcripts})
        count = len(source.transcripts)
        yield f"  {'transcripts':<14} {place}: {count:,} for {files:,} recordings"
    if not survey.sources:
        yield f"  {'transcripts':<14} none"
    for file in survey.texts:
        yield (
            f"  {'sentences':<14} {file.path}: {file.sentences:,} lines, {file.words:,} words in "
            f"{file.script.title()} letters"
        )
    if survey.speakers:
        yield f"  {'speakers':<14} {survey.speakers} are named in tables"


def _describe_hearing(hearing: Hearing) -> Iterator[str]:
    if hearing.skipped:
        yield f"  {'heard':<14} nothing: {hearing.skipped}"
        return
    confidence = hearing.confidence
    sure = "" if confidence is None else f", mean log-probability {confidence:.2f}"
    yield f"  {'heard':<14} {len(hearing.clips)} clips by {hearing.model}{sure}"
    for clip in hearing.clips:
        # What was understood shows at a glance whether this Whisper is any good here.
        probability = f" {clip.language_probability:.0%}" if clip.language_probability else ""
        words = clip.text if len(clip.text) <= 60 else f"{clip.text[:57]}..."
        yield f"  {'':<14} {clip.path.name}: {clip.language or 'no speech'}{probability}: {words}"


def _describe_voices(voices: VoiceCount) -> str:
    if voices.skipped:
        return f"not counted: {voices.skipped}"
    return f"about {voices.voices} speakers in {voices.clips} clips"


def _describe_remarks(remarks: list[str]) -> Iterator[str]:
    if remarks:
        yield "Please look at"
        yield from (f"  {number}. {text}" for number, text in enumerate(remarks[:MAX_REMARKS], 1))
        if len(remarks) > MAX_REMARKS:
            yield f"  ... and {len(remarks) - MAX_REMARKS} more; --json has all"


def _list_counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in list(counts.items())[:6])


def _print_lines(lines: Iterator[str] | list[str]) -> None:
    for line in lines:
        print(printable(line), flush=True)


def _to_json(
    survey: FolderSurvey,
    hearing: Hearing,
    draft: Draft,
    plan: Path,
    forecast: Forecast,
    next_command: str,
) -> dict[str, Any]:
    """Return what was seen and chosen as data for JSON."""
    content = {
        "folder": str(survey.recordings.folder),
        "recordings": schema.to_json_data(survey.recordings.survey),
        "transcripts": [
            {"place": str(source.place), "kind": source.kind, "rows": source.rows,
             "recordings": len({line.path for line in source.transcripts})}
            for source in survey.sources
        ],
        "texts": [schema.to_json_data(file) for file in survey.texts],
        "speakers": survey.speakers,
        "heard": schema.to_json_data(hearing),
        "language": draft.language,
        "preset": draft.preset,
        "remarks": [*survey.remarks, *draft.remarks],
        "plan": str(plan),
        "lists": [str(speech.place) for speech in draft.written_lists],
        "problems": list(forecast.problems),
        "warnings": list(forecast.warnings),
        "next": next_command,
    }  # fmt: skip
    # File names need not be text, and JSON is.
    escaped: dict[str, Any] = schema.escape_surrogates(content)
    return escaped
