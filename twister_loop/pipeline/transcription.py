"""Transcription of recordings of any length, by the champion of a run or by a recognizer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..asr._base import BoundRecognizer, Recognizer
from ..audio import io as audio
from ..core.errors import AudioError, ConfigError
from ..core.progress import show_audio_progress
from ..core.types import Language, Utterance
from ..data.corpora._walk import FolderWalk
from .plan_reader import load
from .run_folder import RunFolder


def transcribe(
    recordings: Path | str | Iterable[Path | str],
    *,
    run: Path | str | None = None,
    asr: str | Mapping[str, Any] = "",
    language: Language | None = None,
) -> Iterator[Utterance]:
    """Transcribe recordings, and yield an utterance for each, with its text in `pred_text`.

    A recording that cannot be transcribed has the reason in `error`, and the others go on.

    Args:
        recordings: Audio files, or folders of them; one or several.
        run: Folder of a run, whose champion transcribes as its plan decodes.
        asr: Recognizer as a plan names it, such as `{"use": "whisper", "beam": 5}`, or options
            without `use`, which replace those of the run. Without a run it is Whisper.
        language: Language of all recordings; None lets the recognizer detect it.

    Raises:
        ConfigError: A path does not exist, the run has no champion, or an option is wrong.

    >>> transcribe("none.wav")
    Traceback (most recent call last):
        ...
    twister_loop.core.errors.ConfigError: no such file or folder: none.wav
    """
    paths = [recordings] if isinstance(recordings, str | Path) else recordings
    # Before the model, which takes seconds to load.
    listed = list_recordings([Path(path) for path in paths], language)
    spec = {"use": asr} if isinstance(asr, str) and asr else dict(asr or {})
    # Outside of the generator, so that a wrong option is an error here and not at the first result.
    recognizer = load_recognizer(Path(run) if run is not None else None, spec)
    return transcribe_recordings(recognizer, listed)


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
