"""N-best rescoring: the champion's beam and a language model of the texts choose the label."""

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
from twister_loop.core.types import Alternative
from twister_loop.pipeline.stages.rescoring import RescoringOptions, rescore
from twister_loop.text.kneser_ney import KneserNey, split_language_model_units

TEXTS = ["premi il tasto cancelletto", "la conferenza è terminata"]


@dataclass(frozen=True)
class FixedBeam(ToyRecognizer):
    """Gives the same alternatives for every utterance."""

    logprob_by_text: tuple[tuple[str, float], ...] = ()
    nbest: int = 0

    def with_beam(self, beam: int, temperature: float = 0.0, nbest: int = 0) -> FixedBeam:
        return replace(self, nbest=nbest)

    def transcribe(
        self, checkpoint: Checkpoint, speech: Iterable[Utterance]
    ) -> Iterator[Utterance]:
        alternatives = tuple(
            Alternative(text=text, logprob=logprob) for text, logprob in self.logprob_by_text
        )
        for utterance in speech:
            if utterance.should_skip:
                yield utterance
            else:
                yield replace(utterance, alternatives=alternatives[: self.nbest])


def rescored(
    tmp_path: Path,
    label: str,
    logprob_by_text: dict[str, float],
    *,
    lang: str = "it",
    origin: Any = "pseudo",
    texts: list[str] = TEXTS,
    **options: Any,
) -> Utterance:
    utterance = Utterance(id="0", text=label, pred_text=label, lang=lang, origin=origin)
    corpus = (Utterance(id=str(n), text=text, lang=lang) for n, text in enumerate(texts))
    recognizer = FixedBeam(logprob_by_text=tuple(logprob_by_text.items()))
    [answer] = rescore(
        options=RescoringOptions(texts=3, **options),
        labels=Manifest.write([utterance], tmp_path / "labels"),
        texts=Manifest.write(corpus, tmp_path / "texts"),
        champion=BoundRecognizer(recognizer, Checkpoint("toy")),
        out=tmp_path / "rescored",
    )
    return answer


BEAM = {"Premi il testo.": -1.0, "Premi il tasto.": -1.5, "Premi in testa.": -2.0}


def test_the_likeliest_text_of_both_models_becomes_the_label_and_the_change_is_recorded(
    tmp_path: Path,
) -> None:
    answer = rescored(tmp_path, "Premi il testo.", BEAM, weight=0.3)
    assert answer.text == "Premi il tasto."
    assert answer.text_before_rescoring == answer.pred_text == "Premi il testo."
    assert not answer.alternatives, "the alternatives are not kept in the manifest"


def test_the_language_model_counts_nothing_with_weight_zero(tmp_path: Path) -> None:
    answer = rescored(tmp_path, "Premi il testo.", BEAM, weight=0.0)
    assert answer.text == "Premi il testo." and answer.text_before_rescoring is None


def test_a_champion_that_is_sure_outweighs_the_language_model(tmp_path: Path) -> None:
    sure = {**BEAM, "Premi il tasto.": -9.0}
    assert rescored(tmp_path, "Premi il testo.", sure, weight=0.3).text_before_rescoring is None


def test_the_bonus_prefers_longer_texts(tmp_path: Path) -> None:
    beam = {"premi": -1.0, "premi il": -1.2}
    short = rescored(tmp_path / "0", "premi", beam, weight=0.0)
    longer = rescored(tmp_path / "1", "premi", beam, weight=0.0, bonus=0.3)
    assert (short.text, longer.text) == ("premi", "premi il")


def test_another_spelling_of_the_same_words_changes_nothing(tmp_path: Path) -> None:
    beam = {"Premi il Tasto!": -1.0, "premi il tasto": -1.1}
    answer = rescored(tmp_path, "premi il tasto", beam)
    assert answer.text == "premi il tasto" and answer.text_before_rescoring is None


@pytest.mark.parametrize("beam", [{}, {"": -0.1}, {"...": -0.1}])
def test_a_beam_without_words_changes_nothing(tmp_path: Path, beam: dict[str, float]) -> None:
    assert rescored(tmp_path, "premi", beam).text_before_rescoring is None


def test_human_transcripts_are_not_rescored(tmp_path: Path) -> None:
    answer = rescored(tmp_path, "Premi il testo.", BEAM, origin="human")
    assert answer.text == "Premi il testo." and answer.text_before_rescoring is None


def test_unspaced_scripts_are_rescored_by_characters(tmp_path: Path) -> None:
    beam = {"请按井好键": -1.0, "请按井号键": -1.6}
    answer = rescored(tmp_path, "请按井好键", beam, lang="zh", texts=["按井号键结束", "井号键"])
    assert answer.text == "请按井号键"


def test_units_are_words_or_characters() -> None:
    assert split_language_model_units("L'Utente, premi 2!", "it") == ["l", "utente", "premi", "2"]
    assert split_language_model_units("我买iPhone 手机", "zh") == ["我", "买", "iphone", "手", "机"]
    assert split_language_model_units("กขค", "th") == ["ก", "ข", "ค"]
    assert split_language_model_units("한국 어", "ko") == ["한국", "어"]


def test_held_out_texts_are_not_in_the_language_model(
    world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loop itself builds the language model from the selected texts, not from the corpus."""
    held_out = toy.DEVELOPMENT[0]
    (world.parent / "data" / "texts.txt").write_text("\n".join([*toy.TEXTS, held_out]) + "\n")
    sentences: list[list[str]] = []
    monkeypatch.setattr(
        "twister_loop.pipeline.stages.rescoring.KneserNey",
        lambda texts, order: sentences.extend(texts) or KneserNey(sentences, order),
    )
    monkeypatch.setattr(ToyRecognizer, "with_beam", lambda self, *_, **__: self)
    plan = load(world, {"rescore": {}, "rounds": 1})
    finished = next_round(plan, world.parent / "run")
    assert sentences == [split_language_model_units(text, "en") for text in toy.TEXTS]
    rejected = Manifest(finished.folder / "texts" / "rejected")
    assert held_out in {text.text for text in rejected}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rescore": {"texts": 1}}, "rescore.texts: must be a whole number from 2"),
        ({"rescore": {"weight": -1}}, "rescore.weight: must be a number from 0"),
        ({"rescore": {}}, "rescore: toy has no beam search with alternatives"),
        (
            {"rescore": {}, "texts": [], "voices": {}},
            "rescore: needs `texts` for its language model",
        ),
    ],
)
def test_options_that_cannot_be_used_are_refused_with_the_plan(
    world: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        load(world, changes)
