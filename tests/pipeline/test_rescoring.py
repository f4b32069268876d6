"""N-best rescoring: the champion's beam and a language model of the texts choose the label."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tests import world as toy
from twister_loop import Utterance, load, next_round
from twister_loop.asr._base import BoundRecognizer
from twister_loop.asr.toy import ToyRecognizer
from twister_loop.core.manifest import Manifest
from twister_loop.core.types import Alternative
from twister_loop.errors import ConfigError
from twister_loop.pipeline.plan import Labeler
from twister_loop.pipeline.stages.rescoring import RescoringOptions, make_prompt, rescore
from twister_loop.text.kneser_ney import KneserNey, split_language_model_units
from twister_loop.types import Checkpoint

TEXTS = ["premi il tasto cancelletto", "la conferenza è terminata"]


@dataclass(frozen=True)
class FixedBeam(ToyRecognizer):
    """Gives the same alternatives for every utterance."""

    logprob_by_text: tuple[tuple[str, float], ...] = ()
    prompted: tuple[tuple[str, float], ...] = ()
    prompt: str = ""
    nbest: int = 0

    def with_beam(self, beam: int, temperature: float = 0.0, nbest: int = 0) -> FixedBeam:
        return replace(self, nbest=nbest)

    def with_prompt(self, text: str) -> FixedBeam:
        return replace(self, prompt=text, logprob_by_text=self.prompted)

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
    text_lang: str | None = None,
    origin: Any = "pseudo",
    texts: list[str] = TEXTS,
    key_terms: list[str] | None = None,
    prompted: dict[str, float] | None = None,
    **options: Any,
) -> Utterance:
    utterance = Utterance(id="0", text=label, pred_text=label, lang=lang, origin=origin)
    text_lang = text_lang or lang
    corpus = (Utterance(id=str(n), text=text, lang=text_lang) for n, text in enumerate(texts))
    recognizer = FixedBeam(
        logprob_by_text=tuple(logprob_by_text.items()), prompted=tuple((prompted or {}).items())
    )
    options.setdefault("prompt_words", 40 if prompted else 0)
    [answer] = rescore(
        options=RescoringOptions(texts=3, **options),
        labels=Manifest.write([utterance], tmp_path / "labels"),
        texts=Manifest.write(corpus, tmp_path / "texts"),
        labeler=BoundRecognizer(recognizer, Checkpoint("toy")),
        key_terms=key_terms,
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


def test_key_terms_are_preferred_although_no_text_has_them(tmp_path: Path) -> None:
    beam = {"chiami rosse": -1.0, "chiami Rossi": -2.0, "chiami Rossi Rossi Rossi": -9.0}
    plain = rescored(tmp_path / "0", "chiami rosse", beam)
    preferred = rescored(tmp_path / "1", "chiami rosse", beam, key_terms=["rossi"])
    assert (plain.text, preferred.text) == ("chiami rosse", "chiami Rossi")
    # A bonus is no reason to take what the champion finds far less likely.
    unlikely = {**beam, "chiami Rossi": -8.0}
    sure = rescored(tmp_path / "2", "chiami rosse", unlikely, key_terms=["rossi"])
    assert sure.text == "chiami rosse"


def test_the_mean_of_a_plain_and_a_prompted_beam_decides(tmp_path: Path) -> None:
    """The plain beam is nearly undecided, and the prompted one is sure of the second text."""
    plain = {"Premi il testo.": -1.0, "Premi il tasto.": -1.2, "Premi in testa.": -4.0}
    prompted = {"premi il tasto": -0.5, "premi il tasti": -3.0}
    alone = rescored(tmp_path / "0", "Premi il testo.", plain, weight=0.0)
    both = rescored(tmp_path / "1", "Premi il testo.", plain, prompted=prompted, weight=0.0)
    assert alone.text == "Premi il testo."
    # Spelled as without the prompt, whose style the label must not take.
    assert both.text == "Premi il tasto." and both.text_before_rescoring == "Premi il testo."
    assert not both.alternatives
    assert not (tmp_path / "1" / "rescored" / "unprompted").exists()


def test_a_loop_after_the_prompt_is_no_alternative(tmp_path: Path) -> None:
    plain = {"Premi il tasto.": -1.0, "Premi il testo.": -1.5}
    prompted = {"premi premi premi premi": -0.1, "premi il tasto due e poi il tre": -0.1}
    answer = rescored(tmp_path, "Premi il tasto.", plain, prompted=prompted, weight=0.0)
    assert answer.text_before_rescoring is None


def test_the_prompt_holds_the_most_frequent_words_of_spaced_texts() -> None:
    texts = [
        Utterance(id="1", text="Premi il tasto due", lang="it"),
        Utterance(id="2", text="Premi il tre. Premi!", lang="it"),
        Utterance(id="3", text="请按井号键", lang="zh"),
        Utterance(id="4", text="请按井号键"),
    ]
    assert make_prompt(texts, 3) == "premi il tasto"
    assert make_prompt(texts[2:], 3) == make_prompt(texts, 0) == ""


def test_texts_without_spaces_are_rescored_without_a_prompt(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    beam = {"请按井好键": -1.0, "请按井号键": -1.6}
    texts = ["按井号键结束", "井号键"]
    answer = rescored(tmp_path, "请按井好键", beam, lang="zh", texts=texts, prompt_words=40)
    assert answer.text == "请按井号键"
    assert "rescoring without a prompt: no text is written with spaces" in caplog.text


def test_a_killed_second_beam_repeats_neither_the_first_nor_the_labels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    plain = {"Premi il testo.": -1.0, "Premi il tasto.": -1.2}
    decoded: list[tuple[str, str]] = []
    transcribe = FixedBeam.transcribe

    def counted(
        self: FixedBeam, checkpoint: Checkpoint, speech: Iterable[Utterance]
    ) -> Iterator[Utterance]:
        for utterance in speech:
            decoded.append((utterance.id, self.prompt))
            if self.prompt and len(decoded) == 2:
                raise KeyboardInterrupt
            yield from transcribe(self, checkpoint, [utterance])

    monkeypatch.setattr(FixedBeam, "transcribe", counted)
    prompt = "premi il tasto cancelletto la conferenza è terminata"
    prompted = {"premi il tasto": -0.1}
    with pytest.raises(KeyboardInterrupt):
        rescored(tmp_path, "Premi il testo.", plain, prompted=prompted)
    assert rescored(tmp_path, "Premi il testo.", plain, prompted=prompted).text == "Premi il tasto."
    assert decoded == [("0", ""), ("0", prompt), ("0", prompt)]
    assert "rescoring with tests: tests" in caplog.text, "the log names the decoder"


def test_another_spelling_of_the_same_words_changes_nothing(tmp_path: Path) -> None:
    beam = {"Premi il Tasto!": -1.0, "premi il tasto": -1.1}
    answer = rescored(tmp_path, "premi il tasto", beam)
    assert answer.text == "premi il tasto" and answer.text_before_rescoring is None


@pytest.mark.parametrize("beam", [{}, {"": -0.1}, {"...": -0.1}])
def test_a_beam_without_words_changes_nothing(tmp_path: Path, beam: dict[str, float]) -> None:
    assert rescored(tmp_path, "premi", beam).text_before_rescoring is None


@pytest.mark.parametrize("prompted", [None, {"press": -1.0}])
def test_labels_in_a_language_without_texts_are_not_rescored(
    tmp_path: Path, prompted: dict[str, float] | None
) -> None:
    # All words are unknown to the language model, so the shortest text would win.
    beam = {"press the star key": -1.0, "press": -1.5}
    answer = rescored(
        tmp_path, "press the star key", beam, lang="en", text_lang="it", prompted=prompted
    )
    assert answer.text == "press the star key" and answer.text_before_rescoring is None


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
    plan = load(world, {"rescore": {"prompt_words": 0}, "rounds": 1})
    finished = next_round(plan, world.parent / "run")
    assert sentences == [split_language_model_units(text, "en") for text in toy.TEXTS]
    rejected = Manifest(finished.folder / "texts" / "rejected")
    assert held_out in {text.text for text in rejected}


@dataclass(frozen=True)
class OtherEngine(ToyRecognizer):
    """Another engine for the weights of the toy recognizer, with a beam that prefers one text."""

    beam: int = 1

    def with_beam(self, beam: int, temperature: float = 0.0, nbest: int = 0) -> OtherEngine:
        return replace(self, beam=beam)

    def transcribe(
        self, checkpoint: Checkpoint, speech: Iterable[Utterance]
    ) -> Iterator[Utterance]:
        alternatives = (Alternative(text="rescored", logprob=-0.1),) if self.beam > 1 else ()
        for utterance in super().transcribe(checkpoint, speech):
            yield replace(utterance, alternatives=alternatives)


def test_a_round_rescores_with_the_engine_that_labeled(
    world: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    plan = replace(
        load(world, {"gates": []}),
        labeler=Labeler(OtherEngine()),
        rescore=RescoringOptions(prompt_words=0, weight=0.0),
    )
    finished = next_round(plan, world.parent / "run")
    # The plan's own recognizer has no beam, so nothing can have fallen back to it.
    assert {label.text for label in Manifest(finished.folder / "rescored")} == {"rescored"}
    assert f"rescoring with {OtherEngine().name}: " in caplog.text


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
