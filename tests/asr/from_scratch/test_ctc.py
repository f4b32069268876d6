"""CTC and transducer against the sum over all paths of short texts."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("torchaudio")
pytestmark = pytest.mark.model


def draw_logprobs(seed: int, frames: int, vocabulary_size: int) -> np.ndarray:
    logits = np.random.default_rng(seed).normal(0, 1.5, (frames, vocabulary_size))
    return torch.from_numpy(logits).log_softmax(-1).numpy()


def collapse(path: tuple[int, ...] | np.ndarray) -> tuple[int, ...]:
    """Return the text of a path: repetitions count once, blanks go."""
    return tuple(int(token) for token, _ in itertools.groupby(path) if token)


def text_probabilities(logprobs: np.ndarray) -> dict[tuple[int, ...], float]:
    """Return every text with its probability, summed over all paths."""
    probabilities: dict[tuple[int, ...], float] = {}
    frames, vocabulary_size = logprobs.shape
    for path in itertools.product(range(vocabulary_size), repeat=frames):
        probability = math.exp(sum(logprobs[frame, token] for frame, token in enumerate(path)))
        text = collapse(path)
        probabilities[text] = probabilities.get(text, 0.0) + probability
    return probabilities


@pytest.mark.parametrize("seed", range(5))
def test_a_wide_beam_finds_the_most_likely_text(seed: int) -> None:
    from twister_loop.asr._from_scratch import ctc

    logprobs = draw_logprobs(seed, frames=5, vocabulary_size=4)
    probabilities = text_probabilities(logprobs)
    hypotheses = ctc.decode_beam(logprobs, 200)
    most_likely = max(probabilities, key=lambda text: probabilities[text])
    assert tuple(hypotheses[0].tokens) == most_likely
    for hypothesis in hypotheses:
        expected = probabilities[tuple(hypothesis.tokens)]
        assert math.exp(hypothesis.logprob) == pytest.approx(expected)
    assert tuple(ctc.decode_greedy(logprobs).tokens) == collapse(logprobs.argmax(1))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("text", [[1, 2], [1, 1], [2], [1, 2, 1]])
def test_alignment_is_the_most_likely_path_of_the_text(seed: int, text: list[int]) -> None:
    from twister_loop.asr._from_scratch import ctc

    logprobs = draw_logprobs(seed, frames=6, vocabulary_size=3)
    paths = [path for path in itertools.product(range(3), repeat=6) if list(collapse(path)) == text]
    best = max(paths, key=lambda path: logprobs[range(6), path].sum())
    spans = ctc.align(logprobs, text)
    assert spans is not None
    expected = []
    for token, run in itertools.groupby(enumerate(best), key=lambda framed: framed[1]):
        frames = [frame for frame, _ in run]
        if token:
            expected.append((frames[0], frames[-1] + 1))
    assert [(span.first_frame, span.end_frame) for span in spans] == expected


def test_a_text_with_more_tokens_than_frames_has_no_alignment() -> None:
    from twister_loop.asr._from_scratch import ctc

    assert ctc.align(draw_logprobs(0, frames=2, vocabulary_size=3), [1, 1]) is None


@pytest.mark.parametrize("seed", range(3))
def test_a_transducer_sums_all_paths_of_a_text_and_no_others(seed: int) -> None:
    from twister_loop.asr._from_scratch.transducer_model import text_logprobs

    torch.manual_seed(seed)
    texts = [torch.tensor([1, 2]), torch.tensor([2])]
    logprobs = torch.randn(2, 4, 3, 3).log_softmax(-1)  # (batch, frames, tokens + 1, vocabulary)
    for clip, (text, frames) in enumerate(zip(texts, (4, 3), strict=True)):
        probability = 0.0
        # A path emits the tokens between the blanks, each in one of the frames.
        for places in itertools.combinations_with_replacement(range(frames), len(text)):
            path = 0.0
            for frame in range(frames):
                before = sum(place < frame for place in places)
                here = places.count(frame)
                for number in range(before, before + here):
                    path += float(logprobs[clip, frame, number, text[number]])
                path += float(logprobs[clip, frame, before + here, 0])
            probability += math.exp(path)
        computed = text_logprobs(logprobs, torch.tensor([4, 3]), texts)[clip]
        assert math.exp(computed) == pytest.approx(probability, rel=1e-5)
