"""Sentences of telephone menus, and transcripts of them with errors, drawn by a seed."""

import random

WORDS = (
    "line office hours please hold wait number press star hash key menu sales billing support "
    "operator record message after tone thank calling today weather closed open account balance "
    "payment card service customer agent transfer repeat again goodbye language english extension"
).split()


def sentences(count: int, seed: int = 1) -> list[str]:
    """Return sentences of four to nine words."""
    rng = random.Random(seed)
    return [" ".join(rng.choices(WORDS, k=rng.randint(4, 9))) for _ in range(count)]


def misrecognize(texts: list[str], share: float, seed: int = 2) -> list[str]:
    """Return transcripts in which a share of the words is garbled."""
    rng = random.Random(seed)

    def garble(word: str) -> str:
        letters = list(word)
        for _ in range(2):
            letters[rng.randrange(len(letters))] = rng.choice("abcdefghijklmnopqrstuvwxyz")
        return "".join(letters)

    return [
        " ".join(garble(word) if rng.random() < share else word for word in text.split())
        for text in texts
    ]
