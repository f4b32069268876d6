"""Filters `likelihood` and `agreement`: prompts kept with the right text and with wrong ones.

python benchmarks/likelihood.py      (Italian development prompts, whose texts are then changed)
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from dataclasses import replace

from twister_loop import Utterance
from twister_loop.asr._base import BoundRecognizer, Recognizer
from twister_loop.data.corpora._base import Corpus
from twister_loop.data.filters._base import FilterContext
from twister_loop.data.filters.agreement import Agreement
from twister_loop.data.filters.likelihood import Likelihood
from twister_loop.text.normalizers.basic import Basic

MIN_WORDS = 3
"""Words that a prompt must have, so that one of them can be changed."""


def load_prompts() -> list[Utterance]:
    """Return sentences with their normalized references."""
    corpus = Corpus.build({"use": "ivr", "split": "development"})
    prompts = (
        replace(prompt, id=str(number), lang="it", text=Basic().normalize(prompt.text or "", "it"))
        for number, prompt in enumerate(corpus.utterances())
        if not prompt.rejected_by
    )
    return [prompt for prompt in prompts if len((prompt.text or "").split()) >= MIN_WORDS]


def change_texts(prompts: list[Utterance], rng: random.Random) -> Iterator[tuple[str, Utterance]]:
    """Yield every prompt with its own text and with wrong texts, each with the kind of change."""
    all_texts = [prompt.text or "" for prompt in prompts]
    vocabulary = [word for text in all_texts for word in text.split() if len(word) > 3]
    for prompt in prompts:
        words = (prompt.text or "").split()
        # A replaced article may sound the same; a longer word does not.
        long_words = [place for place, word in enumerate(words) if len(word) > 2]
        replaced, place = rng.choice(long_words), rng.randrange(len(words))
        new_word = rng.choice([word for word in vocabulary if word != words[replaced]])
        wrong_text = rng.choice([text for text in all_texts if text != prompt.text])
        texts = {
            "as it is": words,
            "one word replaced": [*words[:replaced], new_word, *words[replaced + 1 :]],
            "one word added": [*words[:place], new_word, *words[place:]],
            "one word left out": [*words[:place], *words[place + 1 :]],
            "its first half": words[: len(words) // 2],
            "another prompt": wrong_text.split(),
        }
        for kind, text in texts.items():
            yield kind, replace(prompt, text=" ".join(text))


def write(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    asr = Recognizer.build({"use": "whisper"})
    context = FilterContext(BoundRecognizer(asr, asr.initial_checkpoint()))
    transcribed = list(context.champion.transcribe(load_prompts()))
    cases = list(change_texts(transcribed, random.Random(1)))
    utterances = [utterance for _, utterance in cases]
    by_likelihood = list(Likelihood().objections(utterances, context))
    by_agreement = list(Agreement().objections(utterances, context))
    write("| the text is | prompts | kept by likelihood | kept by agreement |\n|---|---|---|---|")
    for kind in dict.fromkeys(kind for kind, _ in cases):
        rows = [row for row, (case_kind, _) in enumerate(cases) if case_kind == kind]
        counts = [
            sum(objections[row] is None for row in rows)
            for objections in (by_likelihood, by_agreement)
        ]
        write(f"| {kind} | {len(rows)} | {counts[0]} | {counts[1]} |")
    for (kind, utterance), objection in zip(cases, by_likelihood, strict=True):
        if kind == "as it is" and objection:
            write(f"dropped though it is the reference: {utterance.text!r}; {objection}")


if __name__ == "__main__":
    main()
