"""Forced decoding: the log-probability of a given text, and the times of its words.

Source: word times of OpenAI's whisper (`timing.py`): dynamic time warping over the attention of a
few heads of the decoder, which follow the speech in time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from transformers.models.whisper.generation_whisper import _median_filter

from ...audio.io import SAMPLE_RATE, Samples
from ...core.progress import note_answered
from ...core.types import Language, Seconds, Utterance, Word
from .attention import Head, recording_attention
from .batching import (
    ClipBatch,
    answer_unprocessable,
    batch_by_context,
    load_clips,
    map_batches,
)
from .decoder import detect_languages
from .model import Whisper, round_statistic
from .model_folder import POSITION_SECONDS
from .time_warping import warp

MAX_SECONDS_PER_PASS: Seconds = 60.0
"""Contexts in one pass, two of 30 s. It bounds the memory, whatever the batch size. All tokens of a
text are computed at once, so that larger batches are hardly faster."""
MEDIAN_WIDTH = 7
"""Positions of the median filter over the attention, as in OpenAI's whisper."""


@dataclass(frozen=True)
class ForcedText:
    """Text that the decoder is made to write, and the clip that it belongs to."""

    words: list[tuple[str, list[int]]]
    """Words with their tokens."""
    prompt: list[int]
    """Tokens before the text, from the start token on."""
    clip: Samples
    """Samples, float32 (samples,) at 16 kHz."""

    @property
    def tokens(self) -> list[int]:
        """Return the tokens of all words, without the end."""
        return [token for _, tokens in self.words for token in tokens]


def align_window(
    whisper: Whisper, window: Sequence[Utterance], margin: Seconds, batch_size: int
) -> list[Utterance]:
    """Align the texts of one window.

    Args:
        whisper: the model.
        window: utterances with `text`, in any order of length.
        margin: least silence after each clip, in seconds.
        batch_size: maximum clips per batch; it does not change the words.

    Returns:
        The utterances in their order, with `words` or errors.
    """
    answers = answer_unprocessable(whisper, window)
    margin = whisper.effective_margin(margin)
    for index, utterance in enumerate(window):
        if index not in answers and not (utterance.text or "").strip():
            answers[index] = replace(utterance, words=())

    def align_clips(batch: ClipBatch) -> dict[int, Utterance]:
        clips = load_clips(window, batch.indices, answers)
        utterances = [window[index] for index in clips]
        langs = complete_languages(whisper, utterances, list(clips.values()), batch.context)
        forced_texts: dict[int, ForcedText] = {}
        aligned: dict[int, Utterance] = {}
        for (index, clip), lang in zip(clips.items(), langs, strict=True):
            words = whisper.tokenize_words(window[index].text or "", lang)
            prompt = [whisper.start_token, *whisper.prompt_tokens(lang)]
            forced_text = ForcedText(words, prompt, clip)
            length = len(forced_text.tokens)
            if len(prompt) + length > whisper.max_tokens:
                limit = whisper.max_tokens - len(prompt)
                error = f"the text has {length} tokens, and Whisper's decoder takes {limit}"
                aligned[index] = replace(window[index], error=error)
            else:
                forced_texts[index] = forced_text
        batch_words = align_batch(whisper, list(forced_texts.values()), batch.context)
        for index, aligned_words in zip(forced_texts, batch_words, strict=True):
            aligned[index] = replace(window[index], words=aligned_words)
        return aligned

    indices = set(range(len(window))) - answers.keys()
    batches = batch_by_context(window, indices, margin, batch_size, MAX_SECONDS_PER_PASS)
    for aligned in map_batches(whisper, align_clips, batches):
        answers |= aligned
        note_answered(len(aligned))
    return [answers[index] for index in range(len(window))]


def complete_languages(
    whisper: Whisper, speech: Sequence[Utterance], clips: Sequence[Samples], context: Seconds
) -> list[Language | None]:
    """Return the language of each utterance of a batch, detected where it is not set."""
    # Detection takes a pass through the encoder, so it is left out where nothing is missing.
    if all(utterance.lang for utterance in speech):
        return [utterance.lang for utterance in speech]
    detected = detect_languages(whisper, clips, context)
    return [utterance.lang or lang for utterance, lang in zip(speech, detected, strict=True)]


@torch.inference_mode()
def align_batch(
    whisper: Whisper, texts: Sequence[ForcedText], context: Seconds
) -> list[tuple[Word, ...]]:
    """Return the words of each text with their times and log-probabilities.

    Args:
        whisper: the model.
        texts: one batch.
        context: length to which every clip is padded, in seconds.
    """
    if not texts:
        return []
    encoded = whisper.encode(whisper.extract_features([text.clip for text in texts], context))
    rows = [[*text.prompt, *text.tokens] for text in texts]
    longest = max(map(len, rows))
    # What pads a row comes after its text, so that attention, which looks back only, ignores it.
    padded = [row + [whisper.end_token] * (longest - len(row)) for row in rows]
    with recording_attention(list_alignment_heads(whisper)) as recorder:
        output = whisper.model.model.decoder(
            input_ids=torch.tensor(padded, device=whisper.device),
            encoder_hidden_states=encoded,
            use_cache=False,
        )
    attention = recorder.stack()
    embeddings = whisper.model.proj_out.weight.float()  # (vocabulary, width)
    aligned = []
    for row, text in enumerate(texts):
        prompt_length, tokens = len(text.prompt), [*text.tokens, whisper.end_token]
        # The output at a position predicts the token after it.
        predictions = slice(prompt_length - 1, prompt_length - 1 + len(tokens))
        # Projected row by row, in float32: the logits of the whole batch would be large, and in
        # bfloat16 the sum over a text would lose digits.
        logits = output.last_hidden_state[row, predictions].float() @ embeddings.T
        logprobs = logits.log_softmax(-1)[range(len(tokens)), tokens].tolist()
        positions = max(1, round(len(text.clip) / SAMPLE_RATE / POSITION_SECONDS))
        weights = attention[row, :, : prompt_length + len(tokens) - 1, :positions].float()
        token_times = compute_token_times(weights, prompt_length - 1)
        aligned.append(_to_words(text, logprobs, token_times))
    return aligned


def list_alignment_heads(whisper: Whisper) -> list[Head]:
    """Return layer and index of the attention heads that follow the speech.

    They are noted in the checkpoint; without a note they are all heads of the upper half of the
    layers, as in OpenAI's whisper.
    """
    noted = getattr(whisper.generation_config, "alignment_heads", None)
    if noted:
        return [(layer, head) for layer, head in noted]
    config = whisper.config
    upper_layers = range(config.decoder_layers // 2, config.decoder_layers)
    return [
        (layer, head) for layer in upper_layers for head in range(config.decoder_attention_heads)
    ]


def compute_token_times(attention: torch.Tensor, first_row: int) -> list[Seconds]:
    """Compute the start of each token by dynamic time warping.

    Args:
        attention: weights over the clip, without the margin, (heads, tokens, positions).
        first_row: row whose output predicts the first token of the text.

    Returns:
        Start of each token in seconds, and of the end token: the end of the text. Attention in the
        row of a token is on the audio of the token after it.
    """
    # Cut to the clip, the weights no longer add up to 1.
    attention = attention / attention.sum(-1, keepdim=True)
    # Positions that get attention from every token, such as the first, say nothing about time.
    deviation, mean = torch.std_mean(attention, dim=-2, keepdim=True, unbiased=False)
    smooth = _median_filter((attention - mean) / deviation.clamp_min(1e-9), MEDIAN_WIDTH)
    path_scores = smooth.mean(0)[first_row:].cpu().double().numpy()
    starts = warp(-path_scores)  # it minimizes costs
    return [float(position) * POSITION_SECONDS for position in starts]


def _to_words(
    text: ForcedText, logprobs: Sequence[float], token_times: Sequence[Seconds]
) -> tuple[Word, ...]:
    """Join tokens into words; the last word's log-probability includes the end of the text."""
    words, first = [], 0
    for index, (word, tokens) in enumerate(text.words):
        after = first + len(tokens)
        until = after + 1 if index == len(text.words) - 1 else after
        words.append(
            Word(
                word=word,
                start=round_statistic(token_times[first]),
                end=round_statistic(token_times[after]),
                logprob=round_statistic(sum(logprobs[first:until])),
            )
        )
        first = after
    return tuple(words)
