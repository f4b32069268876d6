"""Transcription of recordings of any length, as text, JSON lines or subtitles."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from ..core import schema
from ..core.errors import ConfigError
from ..core.terminal import printable
from ..core.types import Seconds, Segment, Utterance
from ..pipeline.plan_reader import parse_value
from ..pipeline.transcription import list_recordings, load_recognizer, transcribe_recordings
from .json_output import print_json

TranscriptFormat = Literal["text", "jsonl", "srt", "vtt"]
SUFFIXES = {"text": ".txt", "jsonl": ".jsonl", "srt": ".srt", "vtt": ".vtt"}


log = logging.getLogger("twister_loop")


def transcribe(options: argparse.Namespace) -> int:
    """Transcribe recordings of any length.

    Prints the transcripts, or writes a file for each recording to --out. Exit code 1 if a
    recording cannot be transcribed.
    """
    spec = parse_value(options.asr)
    recognizer = load_recognizer(options.run, spec if isinstance(spec, dict) else {"use": spec})
    recordings = list_recordings(options.audio, options.lang)
    paths = name_transcripts(recordings, options.format, options.out)
    failures, documents = 0, []
    transcribed = transcribe_recordings(recognizer, recordings)
    for utterance, path in zip(transcribed, paths, strict=True):
        documents.append(utterance)  # kept to the end, since they are printed as one document
        if utterance.error:
            failures += 1
            log.warning("%s is not transcribed: %s", utterance.audio_filepath, utterance.error)
            continue
        transcript = FORMATTERS[options.format](utterance)
        if path:
            path.write_text(transcript, encoding="utf-8")
        elif not options.json:
            sys.stdout.write(printable(transcript))
            sys.stdout.flush()  # a recording may take hours
    if options.json:
        print_json({"transcripts": documents})
    return 1 if failures else 0


def name_transcripts(
    recordings: Sequence[Utterance], transcript_format: TranscriptFormat, out: Path | None
) -> list[Path | None]:
    """Return the file of each transcript in the folder `out`, which is made; None without one.

    Raises:
        ConfigError: two recordings would write the same file.
    """
    if out is None:
        return [None] * len(recordings)
    names = [recording.audio_filepath.stem for recording in recordings]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise ConfigError(
            f"{out}: several recordings are called {', '.join(repeated[:5])}; transcribe them into "
            "different folders"
        )
    out.mkdir(parents=True, exist_ok=True)
    return [out / f"{name}{SUFFIXES[transcript_format]}" for name in names]


def format_text(utterance: Utterance) -> str:
    """Return one line a segment, or one line if there are no segments."""
    lines = [segment.text for segment in utterance.segments] or [utterance.pred_text or ""]
    return "".join(f"{line}\n" for line in lines)


def format_json(utterance: Utterance) -> str:
    """Return a line of a manifest: `pred_text`, `segments` and the decoder's statistics."""
    return f"{schema.to_json_line(utterance)}\n"


def format_srt(utterance: Utterance) -> str:
    """Return subtitles in SubRip's format.

    >>> segment = Segment(start=0.0, end=61.5, text="Ciao.")
    >>> print(format_srt(Utterance(id="a", segments=(segment,))))
    1
    00:00:00,000 --> 00:01:01,500
    Ciao.
    <BLANKLINE>
    <BLANKLINE>
    """
    cues = enumerate(_segments(utterance), 1)
    return "".join(
        f"{number}\n{_clock(cue.start, ',')} --> {_clock(cue.end, ',')}\n{cue.text}\n\n"
        for number, cue in cues
    )


def format_vtt(utterance: Utterance) -> str:
    """Return subtitles in WebVTT's format."""
    cues = "".join(
        f"\n{_clock(cue.start, '.')} --> {_clock(cue.end, '.')}\n{_escape(cue.text)}\n"
        for cue in _segments(utterance)
    )
    return f"WEBVTT\n{cues}"


FORMATTERS: dict[TranscriptFormat, Callable[[Utterance], str]] = {
    "text": format_text,
    "jsonl": format_json,
    "srt": format_srt,
    "vtt": format_vtt,
}


def _segments(utterance: Utterance) -> tuple[Segment, ...]:
    """Return the segments, or the whole as one where no timestamps were decoded."""
    if utterance.segments or not utterance.pred_text:
        return utterance.segments
    return (Segment(start=0.0, end=utterance.duration, text=utterance.pred_text),)


def _clock(seconds: Seconds, separator: str) -> str:
    milliseconds = round(1000 * seconds)
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest // 1000:02}{separator}{rest % 1000:03}"


def _escape(text: str) -> str:
    # WebVTT reads these as markup.
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
