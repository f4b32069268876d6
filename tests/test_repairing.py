"""Labels repaired with words of the texts, where the champion can be made to agree."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from twister_loop import Checkpoint, Utterance
from twister_loop.asr.tone import ToneRecognizer
from twister_loop.lexicon import Spellings
from twister_loop.manifest import Manifest
from twister_loop.parts import Listener
from twister_loop.records import Word
from twister_loop.repairing import Repair, repair

TEXTS = ["premi il tasto cancelletto", "la conferenza è terminata"]


@dataclass(frozen=True)
class Spelling(ToneRecognizer):
    """Finds a text as likely as the words in it that it likes."""

    likes: tuple[tuple[str, float], ...] = ()

    def align(self, checkpoint: Checkpoint, speech: Iterable[Utterance]) -> Iterator[Utterance]:
        for each in speech:
            words = (each.text or "").casefold().split()
            likely = sum(dict(self.likes).get(word, -1.0) for word in words)
            yield replace(each, words=(Word(word="all", start=0, end=1, logprob=likely),))


def repaired(tmp_path: Path, label: str, likes: dict[str, float], **terms: Any) -> Utterance:
    origin = terms.pop("origin", "pseudo")
    lang = terms.pop("lang", "it")
    one = Utterance(id="0", text=label, pred_text=label, lang=lang, origin=origin)
    labels = Manifest.write([one], tmp_path / "labels")
    spoken = (Utterance(id=str(n), text=text, lang=lang) for n, text in enumerate(TEXTS))
    texts = Manifest.write(spoken, tmp_path / "texts")
    champion = Listener(Spelling(likes=tuple(likes.items())), Checkpoint("tone"))
    [found] = repair(Repair(**terms), labels, texts, champion, out=tmp_path / "repaired")
    return found


def test_a_word_that_the_champion_prefers_is_repaired_and_it_is_recorded(tmp_path: Path) -> None:
    found = repaired(tmp_path, "Premi Canceletto, grazie.", {"cancelletto,": -0.5})
    assert found.text == "Premi Cancelletto, grazie."
    assert found.repaired == found.pred_text == "Premi Canceletto, grazie."


def test_a_word_that_the_champion_does_not_prefer_stays(tmp_path: Path) -> None:
    found = repaired(tmp_path, "premi canceletto", {"canceletto": -0.5})
    assert found.text == "premi canceletto" and found.repaired is None


@pytest.mark.parametrize(("trust", "text"), [(0.4, "premi canceletto"), (0.6, "premi cancelletto")])
def test_texts_that_are_trusted_more_repair_more(tmp_path: Path, trust: float, text: str) -> None:
    assert repaired(tmp_path, "premi canceletto", {"canceletto": -0.5}, trust=trust).text == text


@pytest.mark.parametrize(
    ("label", "terms"),
    [
        ("premi cancellato", {"similarity": 0.95}),
        ("la conferenza", {}),
        ("il 2canceletto", {}),
        ("premi canceletto", {"origin": "human"}),
        ("canceletto", {"lang": "zh"}),
    ],
)
def test_what_is_in_no_doubt_is_not_asked(
    tmp_path: Path, label: str, terms: dict[str, Any]
) -> None:
    likes = {"cancelletto": 0.0}
    found = repaired(tmp_path, label, likes, **terms)
    assert found.text == label and found.repaired is None


def test_words_of_the_lexicon_are_words(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("Canceletto\n")
    likes = {"cancelletto": 0.0}
    own = repaired(tmp_path / "1", "premi canceletto", likes, lexicon=tmp_path / "words.txt")
    assert own.repaired is None
    assert repaired(tmp_path / "2", "premi canceletto", likes).repaired


def test_only_the_most_similar_word_of_a_label_is_repaired(tmp_path: Path) -> None:
    likes = {"cancelletto": 0.0, "conferenza": 0.0}
    found = repaired(tmp_path, "conferezna canceletto", likes)
    assert found.text == "conferezna cancelletto"


def test_the_nearest_word_is_found_among_many() -> None:
    many = {f"parola{chr(97 + n)}{chr(97 + m)}" for n in range(26) for m in range(26)}
    spellings = Spellings(many | {"cancelletto"}, {"canceletta"}, 0.78)
    assert spellings.of("canceletto") == ("cancelletto", pytest.approx(20 / 21))
    assert spellings.of("canceletta") is None
    assert spellings.of("cancelletto") is None
    assert spellings.of("can") is None
    assert spellings.of("xylophon") is None
