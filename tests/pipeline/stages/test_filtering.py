"""Filtering: what is dropped, by which objection, in which order, and that both are counted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import pytest

from twister_loop import Utterance
from twister_loop.audio import io as audio
from twister_loop.audio import toy_language
from twister_loop.core.manifest import Manifest
from twister_loop.core.tallies import Funnel, Tally
from twister_loop.data.filters._base import Filter, FilterContext
from twister_loop.pipeline.stages.filtering import (
    REJECTED,
    filter_transcribed,
    filter_utterances,
    reject_held_out,
    write_kept_and_rejected,
)
from twister_loop.text.contamination import HeldOutTexts

HELD_OUT = "please hold the line for the next agent"
CONTEXT: Any = "a context"
"""A context that no filter here looks into."""


@dataclass(frozen=True)
class Without(Filter):
    """Filter that drops texts with a word, or with the first word of the corpus."""

    word: str = "bad"
    learned: bool = False

    def fit(self, manifest: Manifest) -> Self:
        if not self.learned:
            return self
        first = next(iter(manifest))
        return replace(self, word=(first.text or "").split()[0])

    def objection(self, utterance: Utterance) -> str | None:
        return f"says {self.word}" if self.word in (utterance.text or "").split() else None


@dataclass(frozen=True)
class Longest(Filter):
    """Filter that drops what is longer than a second."""

    def objection(self, utterance: Utterance) -> str | None:
        return f"{utterance.duration} s" if utterance.duration > 1 else None


@dataclass(frozen=True)
class Engine(Filter):
    """Filter that transcribes: it objects to everything, and notes what it did not have to skip."""

    needs_context: ClassVar[bool] = True
    transcribed: ClassVar[list[str]] = []

    def objection(self, utterance: Utterance) -> str | None:
        raise AssertionError("this filter is only asked about many utterances")

    def objections(
        self, utterances: Iterable[Utterance], context: FilterContext
    ) -> Iterator[str | None]:
        assert context is CONTEXT
        for utterance in utterances:
            if not utterance.should_skip:
                self.transcribed.append(utterance.id)
            yield f"transcribed otherwise: {utterance.id}" if utterance.id != "e" else None


# A part has the name of the module that it stands in.
for filter_class in (Without, Longest, Engine):
    filter_class.name = filter_class.__name__.lower()


@pytest.fixture(autouse=True)
def _nothing_transcribed() -> None:
    Engine.transcribed.clear()


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("audio") / "clip.wav"
    audio.write(toy_language.synthesize("a e", toy_language.standard_codebook()), path)
    return path


def write(folder: Path, *lines: Utterance) -> Manifest:
    return Manifest.write(lines, folder)


def line(number: str, text: str, duration: float = 1.0, **fields: Any) -> Utterance:
    return Utterance(id=number, text=text, lang="en", duration=duration, **fields)


def held_out(tmp_path: Path) -> list[Manifest]:
    other = line("o", "an entirely different sentence about some parrots")
    return [write(tmp_path / "dev", other), write(tmp_path / "test", line("t", HELD_OUT))]


def read(folder: Path) -> list[tuple[str, str | None, str | None]]:
    """Return ids, reasons and objections of a manifest."""
    return [
        (utterance.id, utterance.rejected_by, utterance.objection)
        for utterance in Manifest.load(folder)
    ]


SPEECH = (
    line("a", "a good label"),
    line("b", "a bad label", 2.0),
    line("c", "a long label", 1.5),
    line("d", "a broken file", 3.0, error="the file ends early"),
    line("e", "good again", 0.25),
    line("f", f"{HELD_OUT.upper()}!", 0.5),
    line("g", "good <|endoftext|>", 0.5),
)


def test_each_utterance_is_kept_or_rejected_with_its_first_objection(tmp_path: Path) -> None:
    speech, out = write(tmp_path / "labels", *SPEECH), tmp_path / "filtered"
    filter_utterances([Without(), Longest()], speech, None, held_out(tmp_path), out=out)
    assert read(out) == [("a", None, None), ("e", None, None)]
    rejected = {name: (by, objection) for name, by, objection in read(out / REJECTED)}
    assert list(rejected) == ["b", "c", "d", "f", "g"], "in the order of the labels"
    # It is too long as well, and would be counted twice.
    assert rejected["b"] == ("without", "says bad")
    assert rejected["c"] == ("longest", "1.5 s")
    assert rejected["d"] == ("error", "the file ends early")
    assert rejected["f"][0] == "held_out_text" and "held-out" in (rejected["f"][1] or "")
    assert rejected["g"][0] == "control_token"
    assert "<|endoftext|> is a control token" in (rejected["g"][1] or "")
    # The labels themselves stay as they are in both manifests.
    assert [utterance.text for utterance in Manifest.load(out)] == ["a good label", "good again"]


def test_the_order_of_the_filters_is_the_order_of_the_objections(tmp_path: Path) -> None:
    speech, out = write(tmp_path / "labels", *SPEECH), tmp_path / "filtered"
    filter_utterances([Longest(), Without()], speech, None, [], out=out)
    rejected = {name: by for name, by, _ in read(out / REJECTED)}
    assert rejected == {"b": "longest", "c": "longest", "d": "error", "g": "control_token"}
    assert "f" in {name for name, *_ in read(out)}, "without held-out sets no text is held out"


def test_the_funnel_counts_utterances_and_seconds_of_each_reason(tmp_path: Path) -> None:
    speech, out = write(tmp_path / "labels", *SPEECH), tmp_path / "filtered"
    filter_utterances([Without(), Longest()], speech, None, held_out(tmp_path), out=out)
    funnel = Funnel.load(out)
    assert funnel.kept == Tally(2, 1.25)
    assert funnel.rejected == {
        "control_token": Tally(1, 0.5),
        "error": Tally(1, 3.0),
        "held_out_text": Tally(1, 0.5),
        "longest": Tally(1, 1.5),
        "without": Tally(1, 2.0),
    }
    assert list(funnel.rejected) == sorted(funnel.rejected)
    total = sum(funnel.rejected.values(), funnel.kept)
    assert total == Tally(len(SPEECH), sum(spoken.duration for spoken in SPEECH))


def test_an_error_and_a_held_out_text_come_before_all_else(tmp_path: Path) -> None:
    broken = line("a", f"bad {HELD_OUT} <|en|>", error="unreadable")
    leaked = line("b", f"{HELD_OUT} <|en|>", 9.0)
    spelled = line("c", "bad <|en|>", 9.0)
    speech, out = write(tmp_path / "labels", broken, leaked, spelled), tmp_path / "filtered"
    filter_utterances([Without(), Longest()], speech, None, held_out(tmp_path), out=out)
    assert [by for _, by, _ in read(out / REJECTED)] == ["error", "held_out_text", "control_token"]
    assert read(out) == []


def test_filters_adapt_to_the_labels_and_not_to_human_speech(tmp_path: Path, clip: Path) -> None:
    human = write(tmp_path / "human", line("h", "people said so", audio_filepath=clip))
    speech = write(tmp_path / "labels", line("a", "um yes"), line("b", "no um"), line("c", "yes"))
    out = tmp_path / "filtered"
    filter_utterances([Without(learned=True)], speech, human, [], out=out)
    assert [name for name, *_ in read(out)] == ["c", "h"]
    assert [objection for *_, objection in read(out / REJECTED)] == ["says um", "says um"]


@pytest.mark.parametrize("context", [None, CONTEXT])
def test_human_speech_comes_last_and_no_filter_doubts_it(
    tmp_path: Path, clip: Path, context: FilterContext | None
) -> None:
    human = write(
        tmp_path / "human",
        line("h1", "a bad word", 9.0, audio_filepath=clip),
        line("h2", HELD_OUT, audio_filepath=clip),
        line("h3", "say <|it|>", audio_filepath=clip),
        line("h4", "no audio", audio_filepath=tmp_path / "missing.wav"),
        line("h5", "known to be broken", audio_filepath=clip, error="listed with an error"),
    )
    speech, out = write(tmp_path / "labels", *SPEECH[:2]), tmp_path / "filtered"
    filter_utterances([Without()], speech, human, held_out(tmp_path), context, out=out)
    assert read(out) == [("a", None, None), ("h1", None, None)]
    rejected = {name: (by, objection or "") for name, by, objection in read(out / REJECTED)}
    reasons = {name: by for name, (by, _) in rejected.items()}
    assert reasons == {
        "b": "without",
        "h2": "held_out_text",
        "h3": "control_token",
        "h4": "error",
        "h5": "error",
    }
    assert "missing.wav" in rejected["h4"][1]
    assert rejected["h5"][1] == "listed with an error"


def test_transcribed_speech_is_sifted_without_filters(tmp_path: Path, clip: Path) -> None:
    speech = write(
        tmp_path / "replay",
        line("a", "a bad word", 9.0, audio_filepath=clip),
        line("b", HELD_OUT, 2.0, audio_filepath=clip),
        line("c", "not there", 3.0, audio_filepath=tmp_path / "missing.wav"),
    )
    out = tmp_path / "filtered"
    filter_transcribed(speech, held_out(tmp_path), out=out)
    assert read(out) == [("a", None, None)]
    assert [by for _, by, _ in read(out / REJECTED)] == ["held_out_text", "error"]
    assert Funnel.load(out) == Funnel(
        Tally(1, 9.0), {"error": Tally(1, 3.0), "held_out_text": Tally(1, 2.0)}
    )


def test_filters_that_run_a_model_give_the_same_answers_as_those_that_do_not(
    tmp_path: Path,
) -> None:
    filters, speech = [Without(), Longest()], write(tmp_path / "labels", *SPEECH)
    plain, shards = tmp_path / "plain", tmp_path / "shards"
    filter_utterances(filters, speech, None, held_out(tmp_path), out=plain)
    filter_utterances(filters, speech, None, held_out(tmp_path), CONTEXT, out=shards)
    for folder in ("", REJECTED):
        assert read(plain / folder) == read(shards / folder)
    assert Funnel.load(plain) == Funnel.load(shards)
    assert not (shards / "judged").exists(), "what only served to resume is gone"


def test_a_model_skips_what_is_rejected_and_does_not_change_the_first_objection(
    tmp_path: Path,
) -> None:
    speech, out = write(tmp_path / "labels", *SPEECH), tmp_path / "filtered"
    filters = [Without(), Engine(), Longest()]
    filter_utterances(filters, speech, None, held_out(tmp_path), CONTEXT, out=out)
    assert Engine.transcribed == ["a", "c", "e"]
    rejected = {name: (by, objection) for name, by, objection in read(out / REJECTED)}
    assert rejected["b"] == ("without", "says bad")
    assert rejected["a"] == ("engine", "transcribed otherwise: a")
    assert rejected["c"][0] == "engine", "too long as well, but that filter comes later"
    assert rejected["d"] == ("error", "the file ends early")
    assert read(out) == [("e", None, None)]
    assert not any(utterance.skip for utterance in Manifest.load(out / REJECTED))


def test_what_was_rejected_before_keeps_its_reason_and_the_first_held_out_text_is_named() -> None:
    other = line("o", "an entirely different sentence about some parrots")
    index = HeldOutTexts([other, line("t", HELD_OUT), line("u", HELD_OUT.upper()), line("v", "no")])
    lines = [
        line("a", HELD_OUT, error="unreadable"),
        line("b", HELD_OUT, rejected_by="odd", objection="before"),
        line("c", HELD_OUT),
        line("d", "No!"),
        line("e", "a good label"),
    ]
    for including_short in (False, True):
        rejected = list(reject_held_out(lines, index, including_short=including_short))
        assert [utterance.id for utterance in rejected] == list("abcde")
        assert rejected[:2] == lines[:2] and rejected[4] == lines[4]
        assert rejected[2].rejected_by == "held_out_text"
        assert f"held-out text {HELD_OUT!r}" in (rejected[2].objection or "")
        assert (rejected[3].rejected_by == "held_out_text") is including_short


def test_nothing_is_lost_between_windows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("twister_loop.core.manifest.WINDOW", 2)
    lines = [
        line(str(number), "text", 0.1, rejected_by="odd" if number % 2 else None)
        for number in range(7)
    ]
    write_kept_and_rejected(iter(lines), tmp_path)
    assert [name for name, *_ in read(tmp_path)] == ["0", "2", "4", "6"]
    assert [name for name, *_ in read(tmp_path / REJECTED)] == ["1", "3", "5"]
    assert Funnel.load(tmp_path) == Funnel(Tally(4, 0.4), {"odd": Tally(3, 0.3)})
