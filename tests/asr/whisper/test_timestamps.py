"""Rules of timestamps: the same as in transformers, for every row of a batch by itself."""

from __future__ import annotations

import random
from types import SimpleNamespace

import pytest

from tests.asr.whisper.builders import load_model
from twister_loop.core.types import Checkpoint

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
pytestmark = pytest.mark.model

END, FIRST, COUNT = 100, 111, 1501
"""End token, first timestamp and number of timestamps of a vocabulary with 100 tokens of text."""


def draw_history(rng: random.Random) -> list[int]:
    """Return the tokens of an unfinished window, as the rules allow them."""
    timestamp = rng.randint(0, 50)
    tokens = [FIRST + timestamp]
    for _ in range(rng.randint(0, 4)):
        tokens += rng.choices(range(END), k=rng.randint(1, 4))
        timestamp += rng.randint(1, 250)
        tokens += [FIRST + timestamp] * 2
    return tokens[: rng.randint(1, len(tokens))]


def test_the_rules_are_those_of_transformers_in_every_state() -> None:
    from transformers.generation.logits_process import WhisperTimeStampLogitsProcessor

    from twister_loop.asr.whisper.timestamps import TimestampRules

    config = SimpleNamespace(
        no_timestamps_token_id=FIRST - 1,
        eos_token_id=END,
        bos_token_id=END,
        max_initial_timestamp_index=50,
    )
    rng = random.Random(0)
    generator = torch.Generator().manual_seed(0)
    rules = TimestampRules(FIRST, END)
    forced = set()
    for number in range(300):
        tokens = draw_history(rng) if number else []
        logits = 4 * torch.randn(1, FIRST + COUNT, generator=generator)
        logits[0, :FIRST] += rng.choice([0.0, 4.0, 8.0])
        logits[0, END + 1 : FIRST] = -torch.inf  # special tokens, which are suppressed before
        processor = WhisperTimeStampLogitsProcessor(config, begin_index=1)
        expected = processor(torch.tensor([[END, *tokens]]), logits.clone())
        constrained = rules.constrain(logits, [tokens])
        assert torch.equal(constrained, expected), tokens
        forced.add(bool((constrained[0, :END] == -torch.inf).all()))
    assert forced == {True, False}


def test_each_row_of_a_batch_has_rules_of_its_own() -> None:
    from twister_loop.asr.whisper.timestamps import TimestampRules

    rng, rules = random.Random(1), TimestampRules(FIRST, END)
    texts = [draw_history(rng) for _ in range(8)]
    logits = torch.randn(8, FIRST + COUNT, generator=torch.Generator().manual_seed(1))
    together = rules.constrain(logits, texts)
    alone = [rules.constrain(logits[row : row + 1], texts[row : row + 1]) for row in range(8)]
    assert torch.equal(together, torch.cat(alone))


def test_tokens_after_the_last_timestamp_never_come() -> None:
    from twister_loop.asr.whisper.timestamps import TimestampRules

    logits = torch.zeros(1, FIRST + COUNT + 3)
    constrained = TimestampRules(FIRST, END).constrain(logits, [[FIRST, 5]])
    assert torch.isinf(constrained[0, FIRST + COUNT :]).all()


@pytest.mark.parametrize("beam", [1, 3])
def test_decoded_timestamps_come_in_pairs_and_do_not_fall(
    tiny_whisper: Checkpoint, beam: int
) -> None:
    from twister_loop.asr.whisper.beam_search import decode_with_beam
    from twister_loop.asr.whisper.greedy_search import decode_greedily

    whisper = load_model(tiny_whisper)
    first = whisper.first_timestamp_token
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(3, 80, 200, generator=generator)
    inputs = {"langs": ["it"] * 3, "limits": [60] * 3, "timestamps": True}
    hypotheses = (
        decode_greedily(whisper, features, **inputs)
        if beam == 1
        else decode_with_beam(whisper, beam, 0, features, **inputs)
    )
    for hypothesis in hypotheses:
        times = [token for token in hypothesis.tokens if token >= first]
        assert times == sorted(times) and times[0] <= first + 50
        assert hypothesis.tokens[0] == times[0]
        assert "<|" not in hypothesis.text


def test_tokens_are_split_where_one_segment_ends_and_the_next_begins(
    tiny_whisper: Checkpoint,
) -> None:
    from twister_loop.asr.whisper.timestamps import split_at_timestamps

    whisper = load_model(tiny_whisper)
    end = whisper.end_token

    def stamp(seconds: float) -> int:
        return whisper.first_timestamp_token + round(seconds / 0.02)

    def times(tokens: list[int]) -> tuple[list[tuple[float, float]], float]:
        segments, next_start = split_at_timestamps(whisper, tokens, 20.0)
        return [(segment.start, segment.end) for segment in segments], next_start

    # One segment, complete: the next window begins after this one.
    assert times([stamp(0.2), 5, stamp(3.0), end]) == ([(0.2, 3.0)], 20.0)
    # A second one that the window cuts off: it is decoded again, whole.
    assert times([stamp(0), 5, stamp(3.0), stamp(3.5), 6, end]) == ([(0.0, 3.0)], 3.0)
    # Two, both complete.
    two = [stamp(0), 5, stamp(3.0), stamp(3.5), 6, stamp(9.0), end]
    assert times(two) == ([(0.0, 3.0), (3.5, 9.0)], 20.0)
    # Another segment would follow, in the next window.
    assert times([stamp(0), 5, stamp(3.0), stamp(3.0), end]) == ([(0.0, 3.0)], 3.0)
    # No end was decoded.
    assert times([stamp(0), 5, end]) == ([(0.0, 20.0)], 20.0)
