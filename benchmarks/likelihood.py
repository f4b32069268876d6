"""How well filters tell speech that says its text from speech that does not.

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


def prompts() -> list[Utterance]:
    """Sentences with their references, as they are compared."""
    corpus = Corpus.build({"use": "ivr", "split": "development"})
    said = (
        replace(each, id=str(n), lang="it", text=Basic().normalize(each.text or "", "it"))
        for n, each in enumerate(corpus.utterances())
        if not each.rejected_by
    )
    return [each for each in said if len((each.text or "").split()) >= 3]


def changed(speech: list[Utterance], rng: random.Random) -> Iterator[tuple[str, Utterance]]:
    """Every prompt with its own text, and with texts that it does not say."""
    others = [each.text or "" for each in speech]
    vocabulary = [word for text in others for word in text.split() if len(word) > 3]
    for each in speech:
        words = (each.text or "").split()
        long = [place for place, word in enumerate(words) if len(word) > 2]
        place, at = rng.choice(long), rng.randrange(len(words))
        word = rng.choice([other for other in vocabulary if other != words[place]])
        texts = {
            "as it is": words,
            "one word replaced": [*words[:place], word, *words[place + 1 :]],
            "one word added": [*words[:at], word, *words[at:]],
            "one word left out": [*words[:at], *words[at + 1 :]],
            "its first half": words[: len(words) // 2],
            "another prompt": rng.choice([other for other in others if other != each.text]).split(),
        }
        for kind, text in texts.items():
            yield kind, replace(each, text=" ".join(text))


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    asr = Recognizer.build({"use": "whisper"})
    witnesses = FilterContext(BoundRecognizer(asr, asr.initial_checkpoint()))
    heard = list(witnesses.champion.transcribe(prompts()))
    cases = list(changed(heard, random.Random(1)))
    speech = [each for _, each in cases]
    by_likelihood = list(Likelihood().objections(speech, witnesses))
    by_agreement = list(Agreement().objections(speech, witnesses))
    say("| the text is | prompts | kept by likelihood | kept by agreement |\n|---|---|---|---|")
    for kind in dict.fromkeys(kind for kind, _ in cases):
        rows = [place for place, (each, _) in enumerate(cases) if each == kind]
        kept = [sum(found[row] is None for row in rows) for found in (by_likelihood, by_agreement)]
        say(f"| {kind} | {len(rows)} | {kept[0]} | {kept[1]} |")
    for (kind, each), why in zip(cases, by_likelihood, strict=True):
        if kind == "as it is" and why:
            say(f"dropped though it is the reference: {each.text!r}; {why}")


if __name__ == "__main__":
    main()
