"""Labels of Whisper's training: texts as tokens, with timestamps and previous text if wanted."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from ...core.errors import EngineError
from ...core.manifest import iter_windows
from ...core.segments import timestamp_index
from ...core.types import Seconds, Share, Utterance
from .batching import batch_by_context, load_clips
from .decoder import detect_languages
from .model import Whisper, WhisperProcessing
from .model_folder import WINDOW_LENGTH

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Example:
    """Training example: one utterance with the decoder's prompt and its text as tokens."""

    utterance: Utterance
    prompt: list[int]
    """Start, language, task and `<|notimestamps|>`."""
    tokens: list[int]
    """The text, without its end."""
    sentence_tokens: tuple[list[int], ...] = ()
    """The text by sentences; empty if the decoder has no room for their timestamps."""
    previous_text_tokens: tuple[int, ...] = ()
    """`<|startofprev|>` and the end of what was said before; empty without room."""
    copy: int = 0
    """Number of this occurrence of the utterance in the training set, from 1."""
    with_timestamps: bool = False
    """Whether the label has timestamps in this epoch."""
    with_previous_text: bool = False
    """Whether the prompt begins with the previous text in this epoch."""
    speech_bounds: tuple[Seconds, Seconds] | None = None
    """Where speech begins and ends in the audio of this epoch; None if it was not looked for."""


def build_examples(
    whisper: Whisper, training_set: Iterable[Utterance], margin: Seconds, batch_size: int
) -> list[Example]:
    """Tokenize the training set.

    Utterances that Whisper cannot be trained on are left out; a warning gives their number.

    Args:
        whisper: the model; it detects the language of utterances that have none.
        training_set: labeled speech.
        margin: silence after a clip for language detection, in seconds.
        batch_size: clips per batch of language detection.

    Raises:
        EngineError: no utterance is left.
    """
    examples, copies = list[Example](), Counter[str]()
    too_many_tokens = f"over {whisper.max_tokens} tokens"
    reasons = (
        "with an error",
        "without a text",
        "longer than 30 s",
        "in an unknown language",
        too_many_tokens,
    )
    left_out = dict.fromkeys(reasons, 0)
    for window in iter_windows(training_set):
        for utterance in _complete_languages(whisper, window, margin, batch_size):
            lang, text = utterance.lang, (utterance.text or "").strip()
            if utterance.error:
                log.warning("skipping %s in training: %s", utterance.id, utterance.error)
                left_out["with an error"] += 1
            elif not text and not utterance.speechless:
                left_out["without a text"] += 1
            elif utterance.duration > WINDOW_LENGTH:
                left_out["longer than 30 s"] += 1
            elif whisper.language_tokens and lang not in whisper.language_tokens:
                left_out["in an unknown language"] += 1
            else:
                prompt = [whisper.start_token, *whisper.prompt_tokens(lang)]
                tokens = whisper.tokenize(text, lang)
                # The end token is not counted: it is a label, but never an input.
                if len(prompt) + len(tokens) > whisper.max_tokens:
                    left_out[too_many_tokens] += 1
                else:
                    copies[utterance.id] += 1
                    example = Example(utterance, prompt, tokens, copy=copies[utterance.id])
                    examples.append(_add_context(whisper, example))
    for reason, count in left_out.items():
        if count:
            log.warning("leaving %d utterances %s out of the training set", count, reason)
    if not examples:
        raise EngineError(
            "the training set has no utterance that Whisper can be trained on: each needs a text, "
            f"at most 30 s, a known language and at most {whisper.max_tokens} tokens"
        )
    return examples


def label_length_ratio(whisper: WhisperProcessing) -> Callable[[Utterance], Share]:
    """Return a function that divides a text's length in tokens by the longest possible label.

    Two timestamps are counted with every text. Packing joins utterances until the sum is 1.
    """
    any_language = next(iter(whisper.language_tokens), None)  # all prompts are equally long
    max_label_tokens = whisper.max_tokens - len(whisper.prompt_tokens(any_language)) - 1

    def ratio(utterance: Utterance) -> Share:
        # The language changes nothing but the space before a text without spaces between words.
        tokens = whisper.tokenize(utterance.text or "", None)
        return (len(tokens) + 2) / max_label_tokens

    return ratio


def decoder_tokens(whisper: WhisperProcessing, example: Example) -> tuple[list[int], list[int]]:
    """Return the prompt and the label of an example in the form that this epoch wants.

    The label of a clip without speech is empty after the usual prompt, with timestamps `<|0.00|>`
    alone: the rules of decoding begin with a timestamp, and allow no second one without a text.
    Whisper itself was trained to write `<|nospeech|>` instead of the language (arXiv 2212.04356,
    2.3). That place has no loss here in clips with speech, so with clips without speech alone the
    model would learn to write it everywhere; and all decoding here begins after the language.

    Raises:
        EngineError: timestamps are wanted and the model has none.
    """
    prompt, label = example.prompt, example.tokens
    if example.with_timestamps:
        prompt, label = prompt[:-1], []  # the last token of the prompt is <|notimestamps|>
        if example.utterance.speechless:
            return prompt, [whisper.first_timestamp_token]
        times = sentence_times(example)
        for (start, end), sentence in zip(times, example.sentence_tokens, strict=True):
            zero = whisper.first_timestamp_token
            label += [zero + timestamp_index(start), *sentence, zero + timestamp_index(end)]
    if example.with_previous_text:
        # Before the start token, as OpenAI's decoder has it.
        prompt = [*example.previous_text_tokens, *prompt]
    return prompt, label


def sentence_times(example: Example) -> list[tuple[Seconds, Seconds]]:
    """Return start and end of each sentence, in seconds.

    Sentences are the pieces of a packed utterance. An utterance of one sentence begins and ends
    with its words; without word times with its speech, and if none is found with the clip.
    """
    utterance = example.utterance
    if utterance.pieces:
        return [(piece.start, piece.end) for piece in utterance.pieces]
    if utterance.words:
        return [(utterance.words[0].start, utterance.words[-1].end)]
    return [example.speech_bounds or (0.0, utterance.duration)]


def _add_context(whisper: Whisper, example: Example) -> Example:
    """Add the text by sentences and the previous text, as far as the decoder has room."""
    utterance = example.utterance
    sentences = tuple(
        whisper.tokenize(piece.text, piece.lang or utterance.lang) for piece in utterance.pieces
    ) or (example.tokens,)
    length = len(example.prompt) + len(example.tokens)
    # Each sentence has two timestamps, and the prompt loses <|notimestamps|>.
    length_with_timestamps = len(example.prompt) - 1 + sum(map(len, sentences)) + 2 * len(sentences)
    if length_with_timestamps > whisper.max_tokens:
        sentences, length_with_timestamps = (), 0
    previous_text: tuple[int, ...] = ()
    if utterance.previous_text:
        # Room for either form of the label, since the form is drawn anew in every epoch. At most
        # half of the decoder's context, as in OpenAI's decoder; one token is <|startofprev|>.
        longest_form = max(length, length_with_timestamps)
        room = min(whisper.max_tokens // 2, whisper.max_tokens - longest_form) - 1
        tokens = whisper.tokenize(utterance.previous_text, utterance.lang)
        # The end of the previous text is kept, which is nearest to the clip.
        previous_text = (whisper.previous_text_token, *tokens[-room:]) if room > 0 else ()
    return replace(example, sentence_tokens=sentences, previous_text_tokens=previous_text)


def _complete_languages(
    whisper: Whisper, window: Sequence[Utterance], margin: Seconds, batch_size: int
) -> list[Utterance]:
    """Return the utterances of a window, with a detected language if they had none."""
    completed = dict(enumerate(window))
    if whisper.language_tokens:
        unknown = [
            index
            for index, utterance in completed.items()
            if not utterance.lang and not utterance.error
        ]
        for context, indices in batch_by_context(window, unknown, margin, batch_size):
            if clips := load_clips(window, indices, completed):
                languages = detect_languages(whisper, list(clips.values()), context)
                for index, lang in zip(clips, languages, strict=True):
                    completed[index] = replace(window[index], lang=lang)
    return list(completed.values())
