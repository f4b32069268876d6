"""A text that recordings are decoded after, in both engines, on tiny random weights."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from tests.asr.whisper.builders import build_whisper, load_model
from twister_loop.asr._base import Recognizer
from twister_loop.asr.toy import ToyRecognizer
from twister_loop.core.types import Checkpoint, Utterance

pytest.importorskip("torch")
pytest.importorskip("ctranslate2")
pytestmark = pytest.mark.model

PROMPT = "premi cancelletto"


@pytest.fixture(scope="module", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Converted tiny weights do not belong in the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TWISTER_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def build(engine: str, **options: object) -> Recognizer:
    float32 = {"precision": "float32"} if engine == "whisper" else {"compute_type": "float32"}
    return Recognizer.build({"use": engine, **float32, **options})


def test_every_clip_is_decoded_after_the_prompt(
    tiny_whisper: Checkpoint, clips: list[Utterance]
) -> None:
    from twister_loop.asr.whisper.decoding import Hypothesis, transcribe_window

    whisper = load_model(tiny_whisper)
    previous: list[Sequence[int]] = []

    def decode(*, langs: list[str], **arguments: Any) -> list[Hypothesis]:
        previous.extend(arguments["previous_tokens"])
        assert all(limit < whisper.max_tokens for limit in arguments["limits"])
        return [Hypothesis([], "premi", "it", -0.1, 0.0, hit_limit=False) for _ in langs]

    for prompt in (PROMPT, ""):
        transcribe_window(whisper, decode, clips, margin=5.0, batch_size=8, prompt=prompt)
    assert previous == [whisper.tokenize(PROMPT, None)] * len(clips)


def test_both_engines_give_the_same_after_a_prompt(
    tiny_whisper: Checkpoint, clips: list[Utterance]
) -> None:
    [plain] = build("whisper").transcribe(tiny_whisper, clips[:1])
    fast, slow = (
        next(iter(prompted.transcribe(tiny_whisper, clips[:1])))
        for engine in ("ctranslate2", "whisper")
        if (prompted := build(engine).with_prompt(PROMPT))
    )
    assert fast.pred_text == slow.pred_text != plain.pred_text
    assert fast.confidence == pytest.approx(slow.confidence, abs=1e-3)


@pytest.mark.parametrize("previous", [False, True])
@pytest.mark.usefixtures("without_fallback")
def test_the_sequential_algorithm_begins_after_the_prompt(
    tiny_whisper: Checkpoint,
    clips: list[Utterance],
    previous: bool,
) -> None:
    options = {"decoding": "sequential", "condition_on_previous_text": previous}
    texts = [
        [
            recording.pred_text
            for recording in build("ctranslate2", **options, **prompt).transcribe(
                tiny_whisper, clips[:2]
            )
        ]
        for prompt in ({}, {"prompt": PROMPT})
    ]
    assert texts[0] != texts[1] and all(map(all, texts))


def test_of_a_long_prompt_the_end_is_used(tiny_whisper: Checkpoint) -> None:
    from twister_loop.asr.whisper.decoding import max_text_tokens, tokenize_prompt

    whisper = load_model(tiny_whisper)
    tokens = tokenize_prompt(whisper, f"{'a' * 1000} {PROMPT}")
    assert len(tokens) == whisper.max_tokens // 2 - 1
    assert whisper.detokenize(tokens).endswith(f"a {PROMPT}")
    # Prompt, its mark, start, language, task and <|notimestamps|> leave this much for the text.
    room = max_text_tokens(whisper, 30 * 16_000, len(tokens))
    assert room + len(tokens) + 1 + 4 == whisper.max_tokens
    assert tokenize_prompt(whisper, "") == []


def test_scores_with_another_prompt_are_told_apart() -> None:
    recognizer = build_whisper()
    descriptions = [
        recognizer.decoding_description(),
        *(
            prompted.decoding_description()
            for text in (f"{'a ' * 100}b", f"{'a ' * 100}c")
            if (prompted := recognizer.with_prompt(text))
        ),
    ]
    assert len(set(descriptions)) == 3
    assert "after the prompt" not in descriptions[0]
    assert "after the prompt 'a a " in descriptions[1]


def test_an_engine_without_a_place_for_it_takes_no_prompt() -> None:
    assert ToyRecognizer().with_prompt(PROMPT) is None
