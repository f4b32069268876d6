"""Transcription of recordings of any length, as text, JSON lines or subtitles."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from ..asr._base import BoundRecognizer, Recognizer
from ..audio import io as audio
from ..core import schema
from ..core.errors import AudioError, ConfigError
from ..core.progress import show_audio_progress
from ..core.terminal import printable
from ..core.types import Language, Seconds, Segment, Utterance
from ..data.corpora._walk import FolderWalk
from ..pipeline.plan_reader import load, parse_value
from ..pipeline.run_folder import RunFolder

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
    failures = 0
    transcribed = transcribe_recordings(recognizer, recordings)
    for utterance, path in zip(transcribed, paths, strict=True):
        if utterance.error:
            failures += 1
            log.warning("%s is not transcribed: %s", utterance.audio_filepath, utterance.error)
            continue
        transcript = FORMATTERS[options.format](utterance)
        if path:
            path.write_text(transcript, encoding="utf-8")
        else:
            sys.stdout.write(printable(transcript))
            sys.stdout.flush()  # a recording may take hours
    return 1 if failures else 0


def load_recognizer(run: Path | None, spec: dict[str, Any]) -> BoundRecognizer:
    """Return the champion of a run with its recognizer, or without a run an untrained one.

    Args:
        run: run directory, or None.
        spec: the recognizer as a plan names it, or options that replace those of the run.

    Raises:
        ConfigError: the run has no champion, or an option is unknown.
    """
    if run is None:
        recognizer = Recognizer.build({"use": "whisper", **spec})
        return BoundRecognizer(recognizer, recognizer.initial_checkpoint())
    run_folder = RunFolder.read(run)
    folder, checkpoint = run_folder.champion_folder, run_folder.champion
    if folder is None or checkpoint is None:
        raise ConfigError(
            f"{run}: no round was accepted yet, so there is no champion; leave out --run to "
            "transcribe with the untouched model"
        )
    # The plan of that round: the user's own file may have changed since.
    recognizer = load(folder / "plan.yaml").asr
    if "use" in spec:
        return BoundRecognizer(Recognizer.build(spec), checkpoint)
    # A frozen dataclass: its fields are the options.
    options = dict(vars(recognizer))
    return BoundRecognizer(
        Recognizer.build({"use": recognizer.name, **options, **spec}), checkpoint
    )


def list_recordings(paths: Sequence[Path], lang: Language | None) -> list[Utterance]:
    """Return an utterance for every file, and for every audio file in a folder.

    A file that cannot be read has an `error`. Raises ConfigError if a path does not exist, or if
    there is no audio.
    """
    # A mistyped name is found before the model is loaded.
    if missing := [str(path) for path in paths if not path.exists()]:
        raise ConfigError(f"no such file or folder: {', '.join(missing)}")
    files: list[Path] = []
    for path in paths:
        if not path.is_dir():
            files.append(path)
            continue
        walk = FolderWalk(path)
        files += [file.path for file in walk if not file.rejected_by]
        walk.log_counts()
    if not files:
        raise ConfigError(f"no audio in {', '.join(map(str, paths))}")
    return [_describe_recording(file, lang) for file in files]


def _describe_recording(file: Path, lang: Language | None) -> Utterance:
    utterance = Utterance(id=str(file), audio_filepath=file, lang=lang)
    try:
        return replace(utterance, duration=audio.measure_duration(file))
    except AudioError as error:
        return replace(utterance, error=str(error))


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


def transcribe_recordings(
    recognizer: BoundRecognizer, recordings: Sequence[Utterance]
) -> Iterator[Utterance]:
    """Transcribe recordings, with a progress bar in seconds of audio; errors stay in `error`."""
    reason_of = recognizer.recognizer.unsupported_reason(recognizer.checkpoint)
    supported = [
        replace(recording, error=recording.error or reason_of(recording))
        for recording in recordings
    ]
    total = sum(recording.duration for recording in recordings)
    with show_audio_progress("transcribing", total):
        yield from recognizer.transcribe(supported)


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
