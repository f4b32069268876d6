"""Filters that listen: what is heard again, forced, or was heard a round ago."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from twister_loop import Checkpoint, ConfigError, Plan, StaleError, Utterance, load, next_round
from twister_loop.asr._base import BoundRecognizer
from twister_loop.asr.toy import ToyRecognizer
from twister_loop.audio import io as audio
from twister_loop.core.manifest import Manifest
from twister_loop.core.types import Funnel, Word
from twister_loop.data.filters._base import Filter, FilterContext
from twister_loop.data.filters.confidence import Confidence
from twister_loop.data.filters.last_round import LastRound
from twister_loop.data.filters.likelihood import Likelihood
from twister_loop.data.filters.second_decode import SecondDecode
from twister_loop.data.filters.second_model import SecondModel
from twister_loop.pipeline.stages.filtering import filter_utterances

TEXTS = ["press one", "press two", "hang up"]


@dataclass(frozen=True)
class Scripted(ToyRecognizer):
    """Hears what it is told to hear, and finds texts as likely as it is told."""

    hears: tuple[tuple[str, str], ...] = ()
    """By id, beside what was heard before."""
    likes: tuple[tuple[str, float], ...] = ()
    """By text."""
    beam: int = 1

    def with_beam(self, beam: int, temperature: float = 0.0, nbest: int = 0) -> Scripted:
        return replace(self, beam=beam)

    def transcribe(
        self, checkpoint: Checkpoint, speech: Iterable[Utterance]
    ) -> Iterator[Utterance]:
        for each in speech:
            heard = dict(self.hears).get(each.id, each.pred_text)
            yield each if each.should_skip else replace(each, pred_text=heard)

    def align(self, checkpoint: Checkpoint, speech: Iterable[Utterance]) -> Iterator[Utterance]:
        for each in speech:
            likely = dict(self.likes)[each.text or ""] if not each.should_skip else 0.0
            yield replace(each, words=(Word(word="all", start=0, end=1, logprob=likely),))


def labeled(**fields: Any) -> list[Utterance]:
    return [
        Utterance(
            id=str(n), duration=1.0, text=text, pred_text=text, lang="en", origin="pseudo", **fields
        )
        for n, text in enumerate(TEXTS)
    ]


def objections(
    filter_: Filter, speech: Iterable[Utterance], asr: Scripted, before: Manifest | None = None
) -> list[str | None]:
    witnesses = FilterContext(BoundRecognizer(asr, Checkpoint("toy")), before)
    return list(filter_.objections(speech, witnesses))


def test_a_label_that_another_decode_does_not_confirm_is_dropped() -> None:
    asr = Scripted(hears=(("0", "Press one!"), ("1", "press you"), ("2", "")))
    first, second, third = objections(SecondDecode(), labeled(), asr)
    assert first is None
    assert second == "also transcribed as 'press you': word error rate 0.50 > 0.1"
    assert third and third.startswith("also transcribed as ''")
    assert objections(SecondDecode(at_most=0.5), labeled(), asr)[1] is None


def test_unspaced_scripts_are_compared_by_characters() -> None:
    speech = [replace(labeled()[0], text="你好嗎朋友", pred_text="你好嗎朋友", lang="zh")]
    asr = Scripted(hears=(("0", "你好吗朋友"),))
    assert objections(SecondDecode(at_most=0.2), speech, asr) == [None]
    [why] = objections(SecondDecode(at_most=0.1), speech, asr)
    assert why and "0.20 > 0.1" in why


def test_a_second_decode_that_would_be_the_same_is_refused() -> None:
    with pytest.raises(ConfigError, match="toy cannot decode with beam 5"):
        SecondDecode().check(ToyRecognizer())
    with pytest.raises(ConfigError, match="decodes with beam 5 already"):
        SecondDecode().check(Scripted(beam=5))
    SecondDecode().check(Scripted())


def test_a_second_model_hears_with_its_own_weights(tmp_path: Path) -> None:
    from tests import world as toy

    toy.speak(["aia", "hello"], tmp_path, labeled=False)
    speech = [
        Utterance(
            id=str(n), audio_filepath=path, duration=audio.read_duration(path), pred_text=text
        )
        for n, text in enumerate(["aia", "hello"])
        if (path := tmp_path / f"{n}.wav")
    ]
    vowels = SecondModel(asr={"use": "toy", "letters": "aeiou "})
    tone = SecondModel(asr="toy", unit="characters")
    assert [bool(each) for each in objections(vowels, speech, Scripted())] == [False, True]
    missing = replace(speech[0], audio_filepath=tmp_path / "none.wav")
    [why] = objections(tone, [missing], Scripted())
    assert why and why.startswith("no second transcript: ")


def test_other_weights_of_a_second_model_are_another_filter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under the same name: what was sifted with those before is refused."""
    speech = Manifest.write([], tmp_path / "speech")
    terms = ([SecondModel(asr="toy")], speech, None, ())
    filter_utterances(*terms, out=tmp_path / "sifted")
    monkeypatch.setattr(
        ToyRecognizer, "initial_checkpoint", lambda _: Checkpoint("toy", digest="others")
    )
    with pytest.raises(StaleError, match=r"filters.*others"):
        filter_utterances(*terms, out=tmp_path / "sifted")


@pytest.mark.model
def test_a_second_model_that_is_missing_is_a_sentence() -> None:
    with pytest.raises(
        ConfigError, match="second_model: asr: recognizer whisper: model: no folder /no"
    ):
        Filter.build({"use": "second_model", "asr": {"use": "whisper", "model": "/no/such/model"}})


def test_a_label_that_was_another_in_the_last_round_is_dropped(tmp_path: Path) -> None:
    told = [
        Utterance(id="0", pred_text="press one"),
        Utterance(id="1", pred_text="guess who"),
        Utterance(id="2", error="unreadable"),
    ]
    before = Manifest.write(told, tmp_path)
    speech = [*labeled(), replace(labeled()[0], id="new")]
    assert [bool(each) for each in objections(LastRound(), speech, Scripted(), before)] == [
        False,
        True,
        False,
        False,
    ]
    assert objections(LastRound(), speech, Scripted()) == [None] * 4


@pytest.mark.parametrize(
    ("text", "heard", "of_text", "of_heard", "kept"),
    [
        ("premi cancelletto", "premi canceletto", -14.0, -8.0, True),
        ("premi cancelletto", "premi due", -40.0, -8.0, False),
        ("premi due", "Premi 2.", -99.0, -99.0, True),
        ("premi due", "premi tre", -7.0, -8.0, True),
        ("premi due", "", -7.0, -8.0, False),
        ("", "premi due", -7.0, -8.0, False),
    ],
)
def test_synthetic_speech_is_kept_where_its_text_is_nearly_as_likely_as_what_was_heard(
    text: str, heard: str, of_text: float, of_heard: float, kept: bool
) -> None:
    asr = Scripted(likes=((text, of_text), (heard, of_heard)))
    spoken = Utterance(id="0", text=text, pred_text=heard, lang="it", origin="synthetic")
    [why] = objections(Likelihood(), [spoken], asr)
    assert (why is None) is kept, why


def test_a_text_that_cannot_be_forced_is_dropped() -> None:
    class Short(Scripted):
        def align(self, checkpoint: Checkpoint, speech: Iterable[Utterance]) -> Iterator[Utterance]:
            return (replace(each, error="too long") for each in speech)

    [why] = objections(Likelihood(), [replace(labeled()[0], pred_text="else")], Short())
    assert why == "the champion cannot be forced to decode its text"


def test_each_filter_hears_only_what_those_before_it_kept(tmp_path: Path) -> None:
    heard: list[str] = []

    class Counting(Scripted):
        def transcribe(
            self, checkpoint: Checkpoint, speech: Iterable[Utterance]
        ) -> Iterator[Utterance]:
            for each in speech:
                if not each.should_skip:
                    heard.append(each.id)
                yield replace(each, pred_text="hang up")

    unsure = replace(labeled(confidence=-0.1)[1], confidence=-2.0)
    failed = replace(labeled(confidence=-0.1)[2], id="failed", error="unreadable")
    sure = labeled(confidence=-0.1)
    speech = Manifest.write([sure[0], unsure, sure[2], failed], tmp_path / "pseudo_labels")
    human = Manifest.write([Utterance(id="human", text="said")], tmp_path / "human")
    witnesses = FilterContext(BoundRecognizer(Counting(), Checkpoint("toy")))
    filters = (Confidence(), SecondDecode())
    kept = filter_utterances(
        filters, speech, human, (), witnesses, out=tmp_path / "filtered_labels"
    )
    assert heard == ["0", "2"]
    assert [each.id for each in kept] == ["2", "human"]
    reasons = Funnel.load(tmp_path / "filtered_labels").rejected
    assert {name: tally.utterances for name, tally in reasons.items()} == {
        "confidence": 1,
        "error": 1,
        "second_decode": 1,
    }
    rejected = {each.id: each for each in Manifest(tmp_path / "filtered_labels" / "rejected")}
    assert rejected["0"].pred_text == "press one" and rejected["0"].error is None
    assert not (tmp_path / "filtered_labels" / "judged").exists()


def test_a_sift_that_listens_goes_on_after_its_last_whole_window(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("twister_loop.core.manifest.WINDOW", 2)
    heard: list[str] = []

    class Dying(Scripted):
        alive = False

        def transcribe(
            self, checkpoint: Checkpoint, speech: Iterable[Utterance]
        ) -> Iterator[Utterance]:
            for each in speech:
                heard.append(each.id)
                if each.id == "3" and not Dying.alive:
                    raise KeyboardInterrupt
                yield each

    many = (replace(each, id=str(n)) for n, each in enumerate(2 * labeled()))
    speech = Manifest.write(many, tmp_path / "pseudo_labels")
    witnesses = FilterContext(BoundRecognizer(Dying(), Checkpoint("toy")))
    terms: Any = ((SecondDecode(),), speech, None, (), witnesses)
    with pytest.raises(KeyboardInterrupt):
        filter_utterances(*terms, out=tmp_path / "filtered_labels")
    Dying.alive = True
    assert len(filter_utterances(*terms, out=tmp_path / "filtered_labels")) == 6
    assert heard == ["0", "1", "2", "3", "2", "3", "4", "5"]


def test_the_second_round_asks_the_labels_of_the_first(world: Path, tmp_path: Path) -> None:
    from tests.pipeline.test_plan import changed

    plan: Plan = load(changed(world, filters={"pseudo": ["last_round"]}))
    first, second = (next_round(plan, tmp_path / "run") for _ in range(2))
    assert "last_round" not in Funnel.load(first.folder / "filtered_labels").rejected
    rejected = list(Manifest(second.folder / "filtered_labels" / "rejected"))
    assert {each.rejected_by for each in rejected} == {"last_round"}
    assert any("also transcribed as" in (each.objection or "") for each in rejected)


def test_what_a_filter_lacks_is_said_before_the_round_begins(world: Path, tmp_path: Path) -> None:
    from tests.pipeline.test_plan import changed

    plan = load(changed(world, filters={"pseudo": ["second_decode"]}))
    with pytest.raises(ConfigError, match="second_decode: toy cannot decode with beam 5"):
        next_round(plan, tmp_path / "run")
    assert not list((tmp_path / "run").glob("round-*"))
