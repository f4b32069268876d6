"""Forced decoding: how likely a given text is, and when each of its words is said.

Source: word times of OpenAI's whisper (`timing.py`): dynamic time warping over the attention
that a few heads of the decoder pay to the audio, which follow the speech in time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from transformers.models.whisper.generation_whisper import _dynamic_time_warping, _median_filter

from ...audio.io import SAMPLE_RATE, Samples
from ...core.types import Language, Seconds, Utterance, Word
from .batching import answer_unprocessable, batch_by_length, load_clips, map_batches
from .decoding import detect_languages
from .model import POSITION_SECONDS, Whisper, round_statistic


@dataclass(frozen=True)
class ForcedText:
    """A text that is put before the decoder."""

    words: list[tuple[str, list[int]]]
    prompt: list[int]
    clip: Samples

    @property
    def tokens(self) -> list[int]:
        return [token for _, tokens in self.words for token in tokens]


def align_window(
    whisper: Whisper, window: Sequence[Utterance], margin: Seconds, batch: int
) -> list[Utterance]:
    """Give the utterances of one window the words of their text, in their own order."""
    answers = answer_unprocessable(whisper, window)
    margin = whisper.effective_margin(margin)
    for place, utterance in enumerate(window):
        if place not in answers and not (utterance.text or "").strip():
            answers[place] = replace(utterance, words=())

    def work(group: list[int]) -> dict[int, Utterance]:
        clips = load_clips(window, group, answers)
        langs = complete_languages(
            whisper, [window[place] for place in clips], list(clips.values()), margin
        )
        texts: dict[int, ForcedText] = {}
        found: dict[int, Utterance] = {}
        for (place, clip), lang in zip(clips.items(), langs, strict=True):
            words = whisper.tokenize_words(window[place].text or "", lang)
            forced = ForcedText(words, [whisper.start_token, *whisper.prompt_tokens(lang)], clip)
            if len(forced.prompt) + len(forced.tokens) > whisper.max_tokens:
                error = f"its text is {len(forced.tokens)} tokens, more than Whisper can hold"
                found[place] = replace(window[place], error=error)
            else:
                texts[place] = forced
        for place, timed in zip(
            texts, align_batch(whisper, list(texts.values()), margin), strict=True
        ):
            found[place] = replace(window[place], words=timed)
        return found

    places = set(range(len(window))) - answers.keys()
    for found in map_batches(whisper, work, batch_by_length(window, places, batch)):
        answers |= found
    return [answers[place] for place in range(len(window))]


def complete_languages(
    whisper: Whisper, speech: Sequence[Utterance], clips: Sequence[Samples], margin: Seconds
) -> list[Language | None]:
    """Those that are known, and the others detected."""
    if all(utterance.lang for utterance in speech):
        return [utterance.lang for utterance in speech]
    found = detect_languages(whisper, clips, margin)
    return [utterance.lang or lang for utterance, lang in zip(speech, found, strict=True)]


@torch.inference_mode()
def align_batch(
    whisper: Whisper, texts: Sequence[ForcedText], margin: Seconds
) -> list[tuple[Word, ...]]:
    """Put a batch of texts before the decoder, and find their words in the audio."""
    if not texts:
        return []
    encoded = whisper.encode(whisper.extract_features([each.clip for each in texts], margin))
    rows = [[*each.prompt, *each.tokens] for each in texts]
    longest = max(map(len, rows))
    padded = [row + [whisper.end_token] * (longest - len(row)) for row in rows]
    heard = whisper.model.model.decoder(
        input_ids=torch.tensor(padded, device=whisper.device),
        encoder_hidden_states=encoded,
        output_attentions=True,
    )
    vocabulary = whisper.model.proj_out.weight.float()
    attention = torch.stack(
        [heard.cross_attentions[layer][:, head] for layer, head in list_alignment_heads(whisper)],
        dim=1,
    ).float()  # (batch, heads, tokens, positions)
    found = []
    for row, text in enumerate(texts):
        before, tokens = len(text.prompt), [*text.tokens, whisper.end_token]
        said = slice(before - 1, before - 1 + len(tokens))
        logits = heard.last_hidden_state[row, said].float() @ vocabulary.T
        logprobs = logits.log_softmax(-1)[range(len(tokens)), tokens].tolist()
        positions = max(1, round(len(text.clip) / SAMPLE_RATE / POSITION_SECONDS))
        weights = attention[row, :, : before + len(tokens) - 1, :positions]
        found.append(_words(text, logprobs, compute_token_times(weights, before - 1)))
    return found


def list_alignment_heads(whisper: Whisper) -> list[tuple[int, int]]:
    """Layer and number of the heads that follow the speech; else those of the upper half."""
    noted = getattr(whisper.generation_config, "alignment_heads", None)
    if noted:
        return [(layer, head) for layer, head in noted]
    config = whisper.config
    upper = range(config.decoder_layers // 2, config.decoder_layers)
    return [(layer, head) for layer in upper for head in range(config.decoder_attention_heads)]


def compute_token_times(attention: torch.Tensor, first: int) -> list[Seconds]:
    """When each token begins, from attention (heads, tokens, positions); `first` says the first.

    The row of a token tells where the next one is said, so the last row tells of the end.
    """
    attention = attention / attention.sum(-1, keepdim=True)  # over the clip, without the margin
    spread, mean = torch.std_mean(attention, dim=-2, keepdim=True, unbiased=False)
    smooth = _median_filter((attention - mean) / spread.clamp_min(1e-9), 7)
    path = smooth.mean(0)[first:].cpu().double().numpy()
    tokens, positions = _dynamic_time_warping(-path)
    begins = np.diff(tokens, prepend=-1) > 0
    return [float(each) * POSITION_SECONDS for each in positions[begins]]


def _words(
    text: ForcedText, logprobs: Sequence[float], begins: Sequence[Seconds]
) -> tuple[Word, ...]:
    """The words with their times; the last one also answers for the end of the text."""
    words, at = [], 0
    for place, (word, tokens) in enumerate(text.words):
        after = at + len(tokens)
        until = after + 1 if place == len(text.words) - 1 else after
        words.append(
            Word(
                word=word,
                start=round_statistic(begins[at]),
                end=round_statistic(begins[after]),
                logprob=round_statistic(sum(logprobs[at:until])),
            )
        )
        at = after
    return tuple(words)
