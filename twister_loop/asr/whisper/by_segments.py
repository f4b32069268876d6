"""Transcription of long recordings by speech segments, which are cut at pauses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module

from ...core.errors import AudioError
from ...core.progress import note_processed
from ...core.segments import join_texts
from ...core.types import Seconds, Segment, Utterance
from .batching import MIN_BATCHES, answer_unprocessable
from .decoding import BatchDecoder, transcribe_window
from .model import WhisperProcessing, round_statistic
from .model_folder import WINDOW_LENGTH


def transcribe_by_segments(
    whisper: WhisperProcessing,
    decode: BatchDecoder,
    recordings: Sequence[Utterance],
    *,
    margin: Seconds,
    batch_size: int,
    prompt: str = "",
) -> list[Utterance]:
    """Transcribe recordings of any length by their speech segments of at most 30 s.

    Args:
        whisper: feature extractor and tokenizer.
        decode: the engine's decoder.
        recordings: utterances with audio.
        margin: least silence after each segment, in seconds.
        batch_size: maximum segments per batch; it does not change the transcripts.
        prompt: text that every segment is decoded after.

    Returns:
        The utterances in their order, with transcripts and `segments`, or with errors.
    """
    answers = answer_unprocessable(whisper, recordings)
    for index, recording in enumerate(recordings):
        if index in answers:
            continue
        try:
            clips = find_clips(recording)
        except AudioError as error:
            answers[index] = replace(recording, error=str(error))
            continue
        transcribed: list[Utterance] = []
        size = MIN_BATCHES * batch_size
        for first in range(0, len(clips), size):
            transcribed += transcribe_window(
                whisper,
                decode,
                clips[first : first + size],
                margin=margin,
                batch_size=batch_size,
                prompt=prompt,
            )
            note_processed(sum(clip.duration for clip in clips[first : first + size]))
        answers[index] = join_clips(recording, transcribed)
    return [answers[index] for index in range(len(recordings))]


def find_clips(recording: Utterance) -> list[Utterance]:
    """Return the speech segments of a recording, in the order of time. Raises AudioError."""
    # Imported here, because most sets have no long recordings, and it loads silero-vad.
    vad = import_module("twister_loop.audio.vad")
    return [
        replace(
            recording,
            id=f"{recording.id}-{number:04d}",
            offset=round(recording.offset + offset, 3),
            duration=round(duration, 3),
        )
        for number, (offset, duration) in enumerate(vad.find_segments(recording, WINDOW_LENGTH))
    ]


def join_clips(recording: Utterance, clips: Sequence[Utterance]) -> Utterance:
    """Return the recording with the transcripts of its clips, or with the error of one."""
    if failed := next((clip for clip in clips if clip.error), None):
        return replace(recording, error=failed.error)
    if not clips:  # no speech at all
        return replace(recording, pred_text="", segments=())
    # A mean for what counts tokens, by the time that the clips take; else the worst of them.
    duration = sum(clip.duration for clip in clips)
    confidence = sum((clip.confidence or 0.0) * clip.duration for clip in clips) / duration
    seconds_by_language = Counter[str]()
    for clip in clips:
        seconds_by_language[clip.lang or ""] += clip.duration  # type: ignore[assignment]
    lang, _ = seconds_by_language.most_common(1)[0]
    return replace(
        recording,
        pred_text=join_texts((clip.lang, clip.pred_text) for clip in clips),
        segments=tuple(
            Segment(
                start=round(clip.offset - recording.offset, 3),
                end=round(clip.offset - recording.offset + clip.duration, 3),
                text=clip.pred_text,
            )
            for clip in clips
            if clip.pred_text
        ),
        lang=recording.lang or lang or None,
        lang_probability=min(
            (clip.lang_probability for clip in clips if clip.lang_probability is not None),
            default=None,
        ),
        confidence=round_statistic(confidence),
        compression_ratio=max(clip.compression_ratio or 0.0 for clip in clips),
        no_speech=min(clip.no_speech or 0.0 for clip in clips),
        hit_limit=any(clip.hit_limit for clip in clips),
        fallback=any(clip.fallback for clip in clips),
    )
