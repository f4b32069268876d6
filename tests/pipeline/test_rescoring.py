"""Labels repaired by the texts, where the champion can be made to agree."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tests import world as toy
from twister_loop import Checkpoint, ConfigError, Utterance, load, next_round
from twister_loop.asr._base import BoundRecognizer
from twister_loop.asr.toy import ToyRecognizer
from twister_loop.core.manifest import Manifest
from twister_loop.core.types import Alternative, Word
from twister_loop.pipeline.stages.rescoring import Repair, Rescoring, repair
from twister_loop.text.kneser_ney import KneserNey, split_language_model_units
from twister_loop.text.spelling import Spellings

TEXTS = ["premi il tasto cancelletto", "la conferenza è terminata"]


@dataclass(frozen=True)
class Spelling(ToyRecognizer):
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
    champion = BoundRecognizer(Spelling(likes=tuple(likes.items())), Checkpoint("toy"))
    [found] = repair(Repair(**terms), labels, texts, champion, out=tmp_path / "rescored")
    return found


def test_a_word_that_the_champion_prefers_is_repaired_and_it_is_recorded(tmp_path: Path) -> None:
    found = repaired(tmp_path, "Premi Canceletto, grazie.", {"cancelletto,": -0.5})
    assert found.text == "Premi Cancelletto, grazie."
    assert found.text_before_rescoring == found.pred_text == "Premi Canceletto, grazie."


def test_a_word_that_the_champion_does_not_prefer_stays(tmp_path: Path) -> None:
    found = repaired(tmp_path, "premi canceletto", {"canceletto": -0.5})
    assert found.text == "premi canceletto" and found.text_before_rescoring is None


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
    assert found.text == label and found.text_before_rescoring is None


def test_words_of_the_lexicon_are_words(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("Canceletto\n")
    likes = {"cancelletto": 0.0}
    own = repaired(tmp_path / "1", "premi canceletto", likes, lexicon=tmp_path / "words.txt")
    assert own.text_before_rescoring is None
    assert repaired(tmp_path / "2", "premi canceletto", likes).text_before_rescoring


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


@dataclass(frozen=True)
class Beaming(ToyRecognizer):
    """May have heard the same few texts in everything, as likely as it is told."""

    holds: tuple[tuple[str, float], ...] = ()
    nbest: int = 0

    def with_beam(self, beam: int, temperature: float = 0.0, nbest: int = 0) -> Beaming:
        return replace(self, nbest=nbest)

    def transcribe(
        self, checkpoint: Checkpoint, speech: Iterable[Utterance]
    ) -> Iterator[Utterance]:
        held = tuple(Alternative(text=text, logprob=logprob) for text, logprob in self.holds)
        for each in speech:
            yield each if each.should_skip else replace(each, alternatives=held[: self.nbest])

    def align(self, checkpoint: Checkpoint, speech: Iterable[Utterance]) -> Iterator[Utterance]:
        for each in speech:
            liked = -1.0 if "cancelletto" in (each.text or "") else -2.0
            yield replace(each, words=(Word(word="all", start=0, end=1, logprob=liked),))


def rescored(
    tmp_path: Path, label: str, holds: dict[str, float], lang: str = "it", **terms: Any
) -> Utterance:
    origin = terms.pop("origin", "pseudo")
    one = Utterance(id="0", text=label, pred_text=label, lang=lang, origin=origin)
    said = terms.pop("texts", TEXTS)
    spoken = (Utterance(id=str(n), text=text, lang=lang) for n, text in enumerate(said))
    texts = Manifest.write(spoken, tmp_path / "texts")
    champion = BoundRecognizer(Beaming(holds=tuple(holds.items())), Checkpoint("toy"))
    similarity = terms.pop("similarity", None)
    terms = {"nbest": Rescoring(texts=3, **terms), "similarity": similarity}
    labels = Manifest.write([one], tmp_path / "labels")
    [found] = repair(Repair(**terms), labels, texts, champion, out=tmp_path / "rescored")
    return found


HEARD = {"Premi il testo.": -1.0, "Premi il tasto.": -1.5, "Premi in testa.": -2.0}


def test_the_text_that_ear_and_corpus_like_best_is_taken_and_it_is_recorded(
    tmp_path: Path,
) -> None:
    found = rescored(tmp_path, "Premi il testo.", HEARD, weight=0.3)
    assert found.text == "Premi il tasto."
    assert found.text_before_rescoring == found.pred_text == "Premi il testo."
    assert not found.alternatives, "what the beam held is not kept"


def test_the_corpus_has_no_say_without_a_weight(tmp_path: Path) -> None:
    found = rescored(tmp_path, "Premi il testo.", HEARD, weight=0.0)
    assert found.text == "Premi il testo." and found.text_before_rescoring is None


def test_the_ear_outweighs_the_corpus_where_it_is_sure(tmp_path: Path) -> None:
    sure = {**HEARD, "Premi il tasto.": -9.0}
    assert rescored(tmp_path, "Premi il testo.", sure, weight=0.3).text_before_rescoring is None


def test_longer_texts_may_be_preferred(tmp_path: Path) -> None:
    holds = {"premi": -1.0, "premi il": -1.2}
    short = rescored(tmp_path / "0", "premi", holds, weight=0.0)
    longer = rescored(tmp_path / "1", "premi", holds, weight=0.0, bonus=0.3)
    assert (short.text, longer.text) == ("premi", "premi il")


def test_another_spelling_of_the_same_words_is_no_repair(tmp_path: Path) -> None:
    holds = {"Premi il Tasto!": -1.0, "premi il tasto": -1.1}
    found = rescored(tmp_path, "premi il tasto", holds)
    assert found.text == "premi il tasto" and found.text_before_rescoring is None


@pytest.mark.parametrize("holds", [{}, {"": -0.1}, {"...": -0.1}])
def test_a_beam_that_holds_no_words_changes_nothing(
    tmp_path: Path, holds: dict[str, float]
) -> None:
    assert rescored(tmp_path, "premi", holds).text_before_rescoring is None


def test_what_people_transcribed_is_not_weighed(tmp_path: Path) -> None:
    found = rescored(tmp_path, "Premi il testo.", HEARD, origin="human")
    assert found.text == "Premi il testo." and found.text_before_rescoring is None


def test_characters_are_weighed_where_no_words_are_told_apart(tmp_path: Path) -> None:
    holds = {"请按井好键": -1.0, "请按井号键": -1.6}
    terms = {"lang": "zh", "texts": ["按井号键结束", "井号键"]}
    assert rescored(tmp_path, "请按井好键", holds, **terms).text == "请按井号键"


def test_words_are_repaired_after_whole_labels_and_the_label_is_still_told(
    tmp_path: Path,
) -> None:
    holds = {"premi il testo canceletto": -1.0, "premi il tasto canceletto": -1.5}
    found = rescored(tmp_path, "premi il testo canceletto", holds, similarity=0.78)
    assert found.text == "premi il tasto cancelletto"
    assert found.text_before_rescoring == "premi il testo canceletto"


def test_units_are_words_or_characters() -> None:
    assert split_language_model_units("L'Utente, premi 2!", "it") == ["l", "utente", "premi", "2"]
    assert split_language_model_units("我买iPhone 手机", "zh") == ["我", "买", "iphone", "手", "机"]
    assert split_language_model_units("กขค", "th") == ["ก", "ข", "ค"]
    assert split_language_model_units("한국 어", "ko") == ["한국", "어"]


def test_held_out_texts_are_not_what_labels_are_weighed_by(
    world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the loop itself: what the language model is made of is what was tidied."""
    held_out = toy.DEVELOPMENT[0]
    (world.parent / "data" / "texts.txt").write_text("\n".join([*toy.TEXTS, held_out]) + "\n")
    weighed: list[list[str]] = []
    monkeypatch.setattr(
        "twister_loop.pipeline.stages.label_correction.KneserNey",
        lambda texts, order: weighed.extend(texts) or KneserNey(weighed, order),
    )
    monkeypatch.setattr(ToyRecognizer, "with_beam", lambda self, *_, **__: self)
    plan = load(world, {"repair": {"nbest": {}}, "rounds": 1})
    done = next_round(plan, world.parent / "run")
    assert weighed == [split_language_model_units(text, "en") for text in toy.TEXTS]
    assert held_out in {each.text for each in Manifest(done.folder / "texts" / "rejected")}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"repair": {"nbest": {"texts": 1}}}, "repair.nbest: texts: 2 at least"),
        ({"repair": {"similarity": None}}, "nothing to repair by"),
        ({"repair": {"nbest": {"weight": -1}}}, "weight: not below 0"),
        ({"repair": {"nbest": {}}}, "repair.nbest: toy tells no alternatives"),
        ({"repair": {}, "texts": [], "voices": {}}, "repair: needs `texts` to go by"),
    ],
)
def test_repairs_that_cannot_be_are_refused_with_the_plan(
    world: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        load(world, changes)
