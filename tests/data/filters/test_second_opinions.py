"""Filters that use a model or the labels of the last round."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from twister_loop import Utterance, load, next_round
from twister_loop.asr._base import BoundRecognizer
from twister_loop.asr.toy import ToyRecognizer
from twister_loop.audio import io as audio
from twister_loop.audio import toy_language
from twister_loop.core.manifest import Manifest
from twister_loop.core.tallies import Funnel
from twister_loop.core.types import Word
from twister_loop.data.filters._base import Filter, FilterContext
from twister_loop.data.filters.confidence import Confidence
from twister_loop.data.filters.last_round import LastRound
from twister_loop.data.filters.likelihood import Likelihood
from twister_loop.data.filters.second_decode import SecondDecode
from twister_loop.data.filters.second_model import SecondModel
from twister_loop.errors import ConfigError, StaleError
from twister_loop.pipeline.stages.filtering import filter_utterances
from twister_loop.types import Checkpoint, Plan

TEXTS = ["press one", "press two", "hang up"]


@dataclass(frozen=True)
class Scripted(ToyRecognizer):
    """A recognizer with scripted transcripts and scores."""

    transcripts: tuple[tuple[str, str], ...] = ()
    """Pairs of id and transcript; other utterances keep theirs."""
    logprobs: tuple[tuple[str, float], ...] = ()
    """Pairs of text and log-probability."""
    beam: int = 1

    def with_beam(self, beam: int, temperature: float = 0.0, nbest: int = 0) -> Scripted:
        return replace(self, beam=beam)

    def transcribe(
        self, checkpoint: Checkpoint, speech: Iterable[Utterance]
    ) -> Iterator[Utterance]:
        for utterance in speech:
            transcript = dict(self.transcripts).get(utterance.id, utterance.pred_text)
            yield utterance if utterance.should_skip else replace(utterance, pred_text=transcript)

    def align(self, checkpoint: Checkpoint, speech: Iterable[Utterance]) -> Iterator[Utterance]:
        for utterance in speech:
            logprob = (
                dict(self.logprobs)[utterance.text or ""] if not utterance.should_skip else 0.0
            )
            yield replace(utterance, words=(Word(word="all", start=0, end=1, logprob=logprob),))


def labeled(**fields: Any) -> list[Utterance]:
    return [
        Utterance(
            id=str(n), duration=1.0, text=text, pred_text=text, lang="en", origin="pseudo", **fields
        )
        for n, text in enumerate(TEXTS)
    ]


def objections(
    filter_: Filter, speech: Iterable[Utterance], asr: Scripted, last_labels: Manifest | None = None
) -> list[str | None]:
    context = FilterContext(BoundRecognizer(asr, Checkpoint("toy")), last_labels)
    return list(filter_.objections(speech, context))


def test_a_label_that_a_second_decode_contradicts_is_dropped() -> None:
    asr = Scripted(transcripts=(("0", "Press one!"), ("1", "press you"), ("2", "")))
    first, second, third = objections(SecondDecode(), labeled(), asr)
    assert first is None
    assert second == "also transcribed as 'press you': word error rate 0.50 > 0.1"
    assert third and third.startswith("also transcribed as ''")
    assert objections(SecondDecode(at_most=0.5), labeled(), asr)[1] is None


def test_unspaced_scripts_are_compared_by_characters() -> None:
    speech = [replace(labeled()[0], text="你好嗎朋友", pred_text="你好嗎朋友", lang="zh")]
    asr = Scripted(transcripts=(("0", "你好吗朋友"),))
    assert objections(SecondDecode(at_most=0.2), speech, asr) == [None]
    [objection] = objections(SecondDecode(at_most=0.1), speech, asr)
    assert objection and "0.20 > 0.1" in objection


def test_a_second_decode_equal_to_the_first_is_refused() -> None:
    with pytest.raises(ConfigError, match="toy cannot decode with beam 5"):
        SecondDecode().check(ToyRecognizer())
    with pytest.raises(ConfigError, match="decodes with beam 5 already"):
        SecondDecode().check(Scripted(beam=5))
    SecondDecode().check(Scripted())


def test_a_second_model_transcribes_with_its_own_weights(tmp_path: Path) -> None:
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
    assert [bool(objection) for objection in objections(vowels, speech, Scripted())] == [
        False,
        True,
    ]
    missing = replace(speech[0], audio_filepath=tmp_path / "none.wav")
    [objection] = objections(tone, [missing], Scripted())
    assert objection and objection.startswith("no second transcript: ")


def test_other_weights_of_a_second_model_make_a_result_stale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The weights have the same name; the result of filtering with the old ones is stale."""
    speech = Manifest.write([], tmp_path / "speech")
    arguments = ([SecondModel(asr="toy")], speech, None, ())
    filter_utterances(*arguments, out=tmp_path / "filtered")
    monkeypatch.setattr(
        ToyRecognizer, "initial_checkpoint", lambda _: Checkpoint("toy", digest="others")
    )
    with pytest.raises(StaleError, match=r"filters.*others"):
        filter_utterances(*arguments, out=tmp_path / "filtered")


@pytest.mark.model
def test_a_missing_second_model_is_a_config_error() -> None:
    with pytest.raises(
        ConfigError, match="second_model: asr: recognizer whisper: model: there is no folder /no"
    ):
        Filter.build({"use": "second_model", "asr": {"use": "whisper", "model": "/no/such/model"}})


def test_a_label_that_differs_from_the_last_round_is_dropped(tmp_path: Path) -> None:
    labels = [
        Utterance(id="0", pred_text="press one"),
        Utterance(id="1", pred_text="guess who"),
        Utterance(id="2", error="unreadable"),
    ]
    last_labels = Manifest.write(labels, tmp_path)
    speech = [*labeled(), replace(labeled()[0], id="new")]
    assert [
        bool(objection) for objection in objections(LastRound(), speech, Scripted(), last_labels)
    ] == [
        False,
        True,
        False,
        False,
    ]
    assert objections(LastRound(), speech, Scripted()) == [None] * 4


@pytest.mark.parametrize(
    ("text", "transcript", "text_logprob", "transcript_logprob", "is_kept"),
    [
        ("premi cancelletto", "premi canceletto", -14.0, -8.0, True),
        ("premi cancelletto", "premi due", -40.0, -8.0, False),
        ("premi due", "Premi 2.", -99.0, -99.0, True),
        ("premi due", "premi tre", -7.0, -8.0, True),
        ("premi due", "", -7.0, -8.0, False),
        ("", "premi due", -7.0, -8.0, False),
    ],
)
def test_speech_is_kept_if_its_text_is_nearly_as_likely_as_its_transcript(
    text: str, transcript: str, text_logprob: float, transcript_logprob: float, is_kept: bool
) -> None:
    asr = Scripted(logprobs=((text, text_logprob), (transcript, transcript_logprob)))
    spoken = Utterance(id="0", text=text, pred_text=transcript, lang="it", origin="synthetic")
    [objection] = objections(Likelihood(), [spoken], asr)
    assert (objection is None) is is_kept, objection


def test_a_text_that_cannot_be_aligned_is_dropped() -> None:
    class Short(Scripted):
        def align(self, checkpoint: Checkpoint, speech: Iterable[Utterance]) -> Iterator[Utterance]:
            return (replace(utterance, error="too long") for utterance in speech)

    [objection] = objections(Likelihood(), [replace(labeled()[0], pred_text="else")], Short())
    assert objection == "the champion cannot be forced to decode its text"


def test_a_filter_transcribes_only_utterances_that_earlier_filters_kept(tmp_path: Path) -> None:
    transcribed_ids: list[str] = []

    class Counting(Scripted):
        def transcribe(
            self, checkpoint: Checkpoint, speech: Iterable[Utterance]
        ) -> Iterator[Utterance]:
            for utterance in speech:
                if not utterance.should_skip:
                    transcribed_ids.append(utterance.id)
                yield replace(utterance, pred_text="hang up")

    unsure = replace(labeled(confidence=-0.1)[1], confidence=-2.0)
    failed = replace(labeled(confidence=-0.1)[2], id="failed", error="unreadable")
    sure = labeled(confidence=-0.1)
    speech = Manifest.write([sure[0], unsure, sure[2], failed], tmp_path / "pseudo_labels")
    recording = tmp_path / "human.wav"
    duration = audio.write(
        toy_language.synthesize("a i o", toy_language.standard_codebook()), recording
    )
    human = Manifest.write(
        [Utterance(id="human", text="said", audio_filepath=recording, duration=duration)],
        tmp_path / "human",
    )
    context = FilterContext(BoundRecognizer(Counting(), Checkpoint("toy")))
    filters = (Confidence(), SecondDecode())
    filtered = filter_utterances(
        filters, speech, human, (), context, out=tmp_path / "filtered_labels"
    )
    assert transcribed_ids == ["0", "2"]
    assert [utterance.id for utterance in filtered] == ["2", "human"]
    reasons = Funnel.load(tmp_path / "filtered_labels").rejected
    assert {name: tally.utterances for name, tally in reasons.items()} == {
        "confidence": 1,
        "error": 1,
        "second_decode": 1,
    }
    rejected = {
        utterance.id: utterance for utterance in Manifest(tmp_path / "filtered_labels" / "rejected")
    }
    assert rejected["0"].pred_text == "press one" and rejected["0"].error is None
    assert not (tmp_path / "filtered_labels" / "judged").exists()


def test_filtering_with_a_model_resumes_after_the_last_whole_window(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("twister_loop.core.manifest.WINDOW", 2)
    transcribed_ids: list[str] = []

    class Dying(Scripted):
        alive = False

        def transcribe(
            self, checkpoint: Checkpoint, speech: Iterable[Utterance]
        ) -> Iterator[Utterance]:
            for utterance in speech:
                transcribed_ids.append(utterance.id)
                if utterance.id == "3" and not Dying.alive:
                    raise KeyboardInterrupt
                yield utterance

    utterances = (replace(utterance, id=str(n)) for n, utterance in enumerate(2 * labeled()))
    speech = Manifest.write(utterances, tmp_path / "pseudo_labels")
    context = FilterContext(BoundRecognizer(Dying(), Checkpoint("toy")))
    arguments: Any = ((SecondDecode(),), speech, None, (), context)
    with pytest.raises(KeyboardInterrupt):
        filter_utterances(*arguments, out=tmp_path / "filtered_labels")
    Dying.alive = True
    assert len(filter_utterances(*arguments, out=tmp_path / "filtered_labels")) == 6
    assert transcribed_ids == ["0", "1", "2", "3", "2", "3", "4", "5"]


def test_the_second_round_compares_with_the_labels_of_the_first(
    world: Path, tmp_path: Path
) -> None:
    from tests.pipeline.test_plan import changed

    plan: Plan = load(changed(world, filters={"pseudo": ["last_round"]}))
    first, second = (next_round(plan, tmp_path / "run") for _ in range(2))
    assert "last_round" not in Funnel.load(first.folder / "filtered_labels").rejected
    rejected = list(Manifest(second.folder / "filtered_labels" / "rejected"))
    assert {utterance.rejected_by for utterance in rejected} == {"last_round"}
    assert any("also transcribed as" in (utterance.objection or "") for utterance in rejected)


def test_a_filter_that_cannot_run_is_refused_before_the_round_begins(
    world: Path, tmp_path: Path
) -> None:
    from tests.pipeline.test_plan import changed

    plan = load(changed(world, filters={"pseudo": ["second_decode"]}))
    with pytest.raises(ConfigError, match="second_decode: toy cannot decode with beam 5"):
        next_round(plan, tmp_path / "run")
    assert not list((tmp_path / "run").glob("round-*"))
