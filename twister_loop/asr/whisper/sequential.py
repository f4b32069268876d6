"""Whisper's sequential algorithm: windows of 30 s with timestamps, for recordings of any length.

A window begins where the last timestamp of the one before lies. Thresholds and temperatures are
those of openai-whisper 20250625 (`transcribe.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

from ...audio import io as audio
from ...audio.io import SAMPLE_RATE, Samples
from ...core.errors import AudioError
from ...core.progress import note_answered, note_processed
from ...core.segments import join_texts
from ...core.types import Language, Seconds, Segment, Utterance
from ...text.script_neutral import MAX_COMPRESSION_RATIO
from .batching import MIN_BATCHES, ClipBatch, answer_unprocessable, map_batches
from .decoding import (
    BatchDecoder,
    Hypothesis,
    max_text_tokens,
    round_optional,
    tokenize_prompt,
)
from .model import WhisperProcessing, round_statistic
from .model_folder import NO_TIMESTAMPS, WINDOW_LENGTH
from .timestamps import split_at_timestamps

TEMPERATURES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
"""Temperatures that are tried in turn until a window's transcript shows no sign of failure."""
MIN_CONFIDENCE = -1.0
"""Mean log-probability of a token, in nats, below which a transcript has failed."""
MAX_NO_SPEECH = 0.6
"""Probability of no speech above which a window without confidence counts as silent."""
MAX_PROMPT_TEMPERATURE = 0.5
"""Temperature above which a window's text is no previous text for the next one."""
TIMESTAMPS_OF_A_SEGMENT = 2
WINDOW_SAMPLES = round(WINDOW_LENGTH * SAMPLE_RATE)
MIN_SAMPLES = SAMPLE_RATE // 100
"""Least samples of a window: one frame of features."""
BLOCK_SECONDS: Seconds = 120.0
"""Length of audio that is in memory of each recording, 8 MB."""


@dataclass(frozen=True)
class Attempt:
    """One way to decode a window."""

    decode: BatchDecoder
    temperature: float = 0.0


@dataclass
class RecordingState:
    """Transcript of one recording so far, and the place where its next window begins."""

    utterance: Utterance
    lang: Language | None
    next_sample: int = 0
    segments: list[Segment] = field(default_factory=list)
    windows: list[tuple[Hypothesis, bool]] = field(default_factory=list)
    """Transcript of each window, and whether it was decoded more than once."""
    prompt: list[int] = field(default_factory=list)
    """Tokens of the previous text, timestamps included, as OpenAI's prompt has them."""
    error: str | None = None
    _block: Samples | None = None
    _block_start: int = 0

    @property
    def samples(self) -> int:
        """Return the length of the recording in samples."""
        return round(self.utterance.duration * SAMPLE_RATE)

    @property
    def is_finished(self) -> bool:
        # An empty recording has one window, whose audio cannot be read: that is its error.
        is_read = self.next_sample > 0 and self.samples - self.next_sample < MIN_SAMPLES
        return is_read or self.error is not None

    def read_window(self) -> Samples:
        """Return the samples of the next window, at most 30 s. Raises AudioError."""
        end = min(self.next_sample + WINDOW_SAMPLES, max(self.samples, 1))
        offset = self.next_sample - self._block_start
        if self._block is None or end > self._block_start + len(self._block):
            seconds = self.next_sample / SAMPLE_RATE
            self._block = audio.read(
                self.utterance.audio_filepath,
                offset=self.utterance.offset + seconds,
                duration=min(BLOCK_SECONDS, self.utterance.duration - seconds),
                channel=self.utterance.channel,
            )
            self._block_start, offset = self.next_sample, 0
        return self._block[offset : offset + end - self.next_sample]

    def add_window(
        self,
        whisper: WhisperProcessing,
        hypothesis: Hypothesis,
        samples: int,
        temperature: float,
        is_fallback: bool,
    ) -> None:
        """Add the transcript of the next window, of so many samples, and move on."""
        first_sample = self.next_sample
        self._move_on(whisper, hypothesis, samples, temperature)
        self.windows.append((hypothesis, is_fallback))
        note_processed((self.next_sample - first_sample) / SAMPLE_RATE)

    def _move_on(
        self, whisper: WhisperProcessing, hypothesis: Hypothesis, samples: int, temperature: float
    ) -> None:
        self.lang = self.lang or hypothesis.lang
        start = self.next_sample / SAMPLE_RATE
        if is_silent(hypothesis):
            self.next_sample += samples
            return
        split = split_at_timestamps(whisper, hypothesis.tokens, samples / SAMPLE_RATE)
        for part in split.segments:
            text = whisper.detokenize(part.tokens)
            # As in OpenAI's transcription, an empty or momentary segment is nothing.
            if not text or part.start == part.end:
                continue
            times = start + part.start, start + part.end
            self.segments.append(self._segment(*times, text, part.has_end))
            self.prompt += part.tokens
        if temperature > MAX_PROMPT_TEMPERATURE:
            self.prompt = []
        # In whole samples: a sum of floats would drift.
        self.next_sample += min(round(split.next_start * SAMPLE_RATE), samples)

    def _segment(self, start: Seconds, end: Seconds, text: str, has_end: bool) -> Segment:
        """Return a segment whose times lie in the recording and not before the last segment."""
        earliest = self.segments[-1].end if self.segments else 0.0
        start = min(max(start, earliest), self.utterance.duration)
        end = min(max(end, start), self.utterance.duration)
        return Segment(start=round(start, 3), end=round(end, 3), text=text, has_end=has_end)

    def transcribed(self) -> Utterance:
        """Return the utterance with its transcript, or with its error."""
        if self.error is not None:
            return replace(self.utterance, error=self.error)
        # Of silent windows alone where there is no other.
        spoken = [window for window in self.windows if not is_silent(window[0])] or self.windows
        hypotheses = [hypothesis for hypothesis, _ in spoken]
        tokens = sum(len(hypothesis.tokens) for hypothesis in hypotheses)
        logprob = sum(hypothesis.confidence * len(hypothesis.tokens) for hypothesis in hypotheses)
        return replace(
            self.utterance,
            pred_text=join_texts((self.lang, segment.text) for segment in self.segments),
            segments=tuple(self.segments),
            lang=self.lang,
            lang_probability=round_optional(self.windows[0][0].lang_probability),
            confidence=round_statistic(logprob / tokens),
            # The worst window: a long text compresses better than a short one anyway.
            compression_ratio=round_statistic(
                max(hypothesis.compression_ratio for hypothesis in hypotheses)
            ),
            no_speech=round_statistic(min(hypothesis.no_speech for hypothesis in hypotheses)),
            hit_limit=any(hypothesis.hit_limit for hypothesis in hypotheses),
            fallback=any(is_fallback for _, is_fallback in spoken),
        )


def transcribe_sequentially(
    whisper: WhisperProcessing,
    attempts: Sequence[Attempt],
    recordings: Sequence[Utterance],
    *,
    batch_size: int,
    with_previous_text: bool,
    prompt: str = "",
) -> list[Utterance]:
    """Transcribe recordings of any length, the windows of several recordings together.

    Args:
        whisper: feature extractor and tokenizer.
        attempts: ways to decode a window, tried in turn until one shows no sign of failure.
        recordings: utterances with audio.
        batch_size: maximum windows per batch; it does not change the transcripts.
        with_previous_text: whether a window is decoded after the text of the one before.
        prompt: text that the first window is decoded after; all of them without previous text.

    Returns:
        The utterances in their order, with transcripts and `segments`, or with errors.
    """
    answers = answer_unprocessable(whisper, recordings)
    if not whisper.has_timestamps:
        return [
            answers.get(index, replace(recording, error=NO_TIMESTAMPS))
            for index, recording in enumerate(recordings)
        ]
    prompt_tokens = tokenize_prompt(whisper, prompt)
    waiting = iter([index for index in range(len(recordings)) if index not in answers])
    active: dict[int, RecordingState] = {}
    while True:
        # So many, whatever the machine: each has a block of audio in memory.
        for index in waiting:
            recording = recordings[index]
            active[index] = RecordingState(recording, recording.lang, prompt=list(prompt_tokens))
            if len(active) == MIN_BATCHES * batch_size:
                break
        if not active:
            return [answers[index] for index in range(len(recordings))]
        states = list(active.values())
        prompts = [state.prompt if with_previous_text else prompt_tokens for state in states]
        _decode_next_windows(whisper, attempts, states, prompts, batch_size)
        for index in [index for index, state in active.items() if state.is_finished]:
            answers[index] = active.pop(index).transcribed()
            note_answered()


def _decode_next_windows(
    whisper: WhisperProcessing,
    attempts: Sequence[Attempt],
    states: Sequence[RecordingState],
    previous_texts: Sequence[Sequence[int]],
    batch_size: int,
) -> None:
    """Decode the next window of every recording after its previous text, and add it."""
    windows: dict[int, Samples] = {}
    for index, state in enumerate(states):
        try:
            windows[index] = state.read_window()
        except AudioError as error:
            state.error = str(error)
    prompts = {index: previous_texts[index][-(whisper.max_tokens // 2 - 1) :] for index in windows}

    def decode(attempt: Attempt, batch: ClipBatch) -> list[Hypothesis]:
        previous = len(prompts[batch.indices[0]])  # equally many for the whole batch
        # The previous text and its token, and the start, language and task.
        room = whisper.max_tokens - (previous + 1 if previous else 0) - 3
        limits = [
            min(room, max_text_tokens(whisper, len(windows[index])) + TIMESTAMPS_OF_A_SEGMENT)
            for index in batch.indices
        ]
        return attempt.decode(
            features=whisper.extract_features(
                [windows[index] for index in batch.indices], batch.context
            ),
            langs=[states[index].lang for index in batch.indices],
            limits=limits,
            timestamps=True,
            previous_tokens=[prompts[index] for index in batch.indices],
        )

    tried: dict[int, list[tuple[Hypothesis, float]]] = {index: [] for index in windows}
    failed = list(windows)
    for attempt in attempts:
        batches = list(_batch_by_prompt(failed, prompts, batch_size))
        decoded = map_batches(whisper, lambda batch: decode(attempt, batch), batches)  # noqa: B023
        for batch, hypotheses in zip(batches, decoded, strict=True):
            for index, hypothesis in zip(batch.indices, hypotheses, strict=True):
                tried[index].append((hypothesis, attempt.temperature))
        failed = [index for index in failed if has_failed(tried[index][-1][0])]
        if not failed:
            break
    for index, window in windows.items():
        chosen, temperature = tried[index][-1]
        if index in failed:
            chosen = choose_failed([hypothesis for hypothesis, _ in tried[index]])
        states[index].add_window(
            whisper, chosen, len(window), temperature, is_fallback=len(tried[index]) > 1
        )


def _batch_by_prompt(
    indices: Iterable[int], prompts: Mapping[int, Sequence[int]], batch_size: int
) -> Iterator[ClipBatch]:
    """Group windows into batches whose previous texts are equally long."""
    # Padding would change the last digits, and with them a text now and then.
    by_length = sorted(indices, key=lambda index: (len(prompts[index]), index))
    for _, group in groupby(by_length, key=lambda index: len(prompts[index])):
        members = list(group)
        for first in range(0, len(members), batch_size):
            yield ClipBatch(WINDOW_LENGTH, members[first : first + batch_size])


def is_silent(hypothesis: Hypothesis) -> bool:
    """Return whether the decoder takes a window for silence, and has no confidence in its text."""
    return hypothesis.no_speech > MAX_NO_SPEECH and hypothesis.confidence < MIN_CONFIDENCE


def has_failed(hypothesis: Hypothesis) -> bool:
    """Return whether a window has to be decoded again: its text repeats itself, or is unsure."""
    if is_silent(hypothesis):
        return False
    is_repetitive = hypothesis.compression_ratio > MAX_COMPRESSION_RATIO
    return is_repetitive or hypothesis.confidence < MIN_CONFIDENCE


def choose_failed(hypotheses: Sequence[Hypothesis]) -> Hypothesis:
    """Return the best of hypotheses that have all failed: the surest that does not repeat itself.

    OpenAI's transcription takes the last one, whatever it is.
    """
    varied = [
        hypothesis
        for hypothesis in hypotheses
        if hypothesis.compression_ratio <= MAX_COMPRESSION_RATIO
    ]
    return max(varied or hypotheses, key=lambda hypothesis: hypothesis.confidence)
