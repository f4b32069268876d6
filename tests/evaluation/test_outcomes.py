"""Outcomes of a report by utterance, and rules for which sets may decide what."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from twister_loop import Utterance
from twister_loop.core.artifacts import SPEED, write_json
from twister_loop.core.manifest import Manifest
from twister_loop.core.types import Measure, Report, Score, SetKind
from twister_loop.errors import ConfigError
from twister_loop.evaluation.gates._base import Gate
from twister_loop.evaluation.measures import (
    ABBREVIATIONS,
    RATE_NAMES,
    choose_filter_measure,
    choose_measure,
    choose_measure_of_language,
    find_common_measure,
)
from twister_loop.evaluation.outcomes import (
    HeldOutSet,
    check_same_normalizer,
    find_invalid_sets,
    find_set_hidden_from_gates,
    find_small_parts,
    get_early_stopping_speech,
    load_outcomes,
    normalize_pair,
)
from twister_loop.text.normalizers.basic import Basic
from twister_loop.types import ErrorCount

NORMALIZER = Basic()


def make_score(name: str, kind: SetKind, **fields: Any) -> Score:
    return Score(
        name=name,
        kind=kind,
        decoding="clips",
        normalizer="basic",
        normalizer_digest=NORMALIZER.digest(),
        utterances=3,
        duration=3.0,
        words=ErrorCount(),
        characters=ErrorCount(),
        mixed=ErrorCount(),
        raw_words=ErrorCount(),
        **fields,
    )


@pytest.fixture
def report(tmp_path: Path) -> Report:
    """Report on three sets; the part in standard decoding has two of three utterances."""
    kinds: dict[str, SetKind] = {"phone": "development", "news": "retention", "secret": "test"}
    for name, kind in kinds.items():
        lines = [
            Utterance(id=number, text="uno due", pred_text=f"{word} due", lang="it", duration=1.0)
            for number, word in (("0", "uno"), ("1", "una"), ("2", ""))
        ]
        Manifest.write(lines, tmp_path / kind / name)
        windowed = [replace(line, pred_text="uno") for line in (lines[0], lines[2])]
        Manifest.write(windowed, tmp_path / kind / f"{name}-full-window")
    write_json({"phone": 1.5, "news-full-window": 2.5}, tmp_path / SPEED)
    scores = tuple(make_score(name, kind) for name, kind in kinds.items())
    windows = tuple(replace(score, decoding="windows") for score in scores)
    return Report(scores, windows, folder=tmp_path)


def test_each_decoding_is_read_from_its_own_transcripts_and_times(report: Report) -> None:
    own = load_outcomes(report, NORMALIZER)
    assert list(own) == ["phone", "news"]
    assert [(outcome.score.decoding, outcome.seconds) for outcome in own.values()] == [
        ("clips", 1.5),
        ("clips", None),
    ]
    assert own["news"].words == [
        ErrorCount(hits=2),
        ErrorCount(substitutions=1, hits=1),
        ErrorCount(deletions=1, hits=1),
    ]
    assert own["news"].characters[1] == ErrorCount(substitutions=1, hits=5)
    assert own["news"].mixed == own["news"].words
    assert own["news"].hypotheses == ["uno due", "una due", "due"]
    standard = load_outcomes(report, NORMALIZER, decoding="standard")
    assert [(outcome.score.decoding, outcome.seconds) for outcome in standard.values()] == [
        ("windows", None),
        ("windows", 2.5),
    ]
    assert standard["phone"].words == [ErrorCount(deletions=1, hits=1)] * 2


def test_test_sets_are_read_on_request_only(report: Report) -> None:
    assert list(load_outcomes(report, NORMALIZER, kinds=("test",))) == ["secret"]
    assert load_outcomes(report, NORMALIZER, kinds=()) == {}
    without = replace(report, full_window=())
    assert load_outcomes(without, NORMALIZER, decoding="standard") == {}


def test_a_report_without_times_has_none(report: Report) -> None:
    (report.folder / SPEED).unlink()
    assert {outcome.seconds for outcome in load_outcomes(report, NORMALIZER).values()} == {None}


def test_a_part_has_the_utterances_that_another_report_has_in_standard_decoding(
    report: Report,
) -> None:
    part = load_outcomes(report, NORMALIZER, part_of=report)
    for outcome in part.values():
        assert outcome.words == [ErrorCount(hits=2), ErrorCount(deletions=1, hits=1)]
        assert outcome.hypotheses == ["uno due", "due"]
        assert len(outcome.groups) == 2


@dataclass(frozen=True)
class OfSets(Gate):
    """Gate with the option `sets`."""

    sets: tuple[str, ...] = ()

    def objection(self, evidence: object) -> None:
        raise AssertionError("not asked here")


KINDS: dict[str, SetKind] = {
    "phone": "development",
    "calls": "development",
    "news": "retention",
    "secret": "test",
}


def find_invalid(gates: list[Gate], stop: str | None, kinds: dict[str, SetKind]) -> list[str]:
    return list(find_invalid_sets(gates, {name: (kind, 0) for name, kind in kinds.items()}, stop))


def test_sets_that_a_gate_may_look_at_are_fine() -> None:
    gates: list[Gate] = [OfSets(("phone", "news")), OfSets(), OfSets(("phone-long", "news-long"))]
    assert find_invalid(gates, None, KINDS) == []
    assert find_invalid(gates, "calls", KINDS) == []
    # The only development set is judged although it stops training.
    only = {name: kind for name, kind in KINDS.items() if name != "calls"}
    assert find_invalid(gates, "phone", only) == []


@pytest.mark.parametrize(
    ("named", "stop", "problem", "hint"),
    [
        ("secret", None, "is a test set, which gates never see", "phone"),
        ("phones", None, "does not exist", "'phone'"),
        ("secret-long", None, "does not exist", "phone"),
        ("phone", "phone", "is the early-stopping set, which is hidden from gates", "calls"),
        ("new", None, "does not exist", "'news'"),
    ],
)
def test_a_gate_that_names_another_set_is_told_why(
    named: str, stop: str | None, problem: str, hint: str
) -> None:
    gate = OfSets(("news", named))
    [error] = find_invalid([gate], stop, KINDS)
    assert error.startswith(f"gates: {gate.name}: the set {named!r} {problem}; ")
    assert hint in error.partition(problem)[2]


@pytest.mark.parametrize(
    ("stop", "problem"),
    [
        ("news", "is a retention set"),
        ("secret", "is a test set"),
        ("phones", "does not exist"),
    ],
)
def test_early_stopping_needs_a_development_set(stop: str, problem: str) -> None:
    [error] = find_invalid([], stop, KINDS)
    assert error.startswith(f"asr.stop.set: {stop!r} {problem}, but early stopping needs")
    assert find_invalid([], None, KINDS) == []


@pytest.mark.parametrize(
    ("kinds", "stop", "hidden"),
    [
        (KINDS, "phone", "phone"),
        (KINDS, None, None),
        ({"phone": "development", "news": "retention", "secret": "test"}, "phone", None),
        # Its own long recordings are too few to decide alone.
        ({"phone": "development", "phone-long": "development"}, "phone", None),
        ({"phone": "development", "calls-long": "development"}, "phone", "phone"),
    ],
)
def test_the_early_stopping_set_is_hidden_if_another_can_decide(
    kinds: dict[str, SetKind], stop: str | None, hidden: str | None
) -> None:
    assert find_set_hidden_from_gates(kinds, stop) == hidden


@pytest.mark.parametrize(
    ("sizes", "named", "joined"),
    [
        ({"phone": 20, "phone-long": 1}, ["phone"], {"phone-long": "phone"}),
        ({"phone": 1, "phone-long": 20}, ["phone"], {"phone-long": "phone"}),
        ({"phone": 20, "phone-long": 20}, ["phone"], {}),
        # Two sets of the plan, of which one is only called like a part of the other.
        ({"phone": 20, "phone-long": 1}, ["phone", "phone-long"], {}),
        # All of a set's recordings are long, which stays under its own name.
        ({"phone": 1, "calls-long": 1}, ["phone", "calls-long"], {}),
    ],
)
def test_a_part_with_few_recordings_does_not_decide_alone(
    sizes: dict[str, int], named: list[str], joined: dict[str, str], tmp_path: Path
) -> None:
    sets = {
        name: HeldOutSet(
            "development",
            Manifest.write([Utterance(id=str(n)) for n in range(count)], tmp_path / name),
        )
        for name, count in sizes.items()
    }
    assert find_small_parts(sets, named, smallest=20) == joined


def test_early_stopping_listens_to_its_own_set(tmp_path: Path) -> None:
    sets = {name: HeldOutSet("development", Manifest(tmp_path / name)) for name in ("a", "b")}
    assert get_early_stopping_speech("b", sets) == sets["b"].speech
    assert get_early_stopping_speech(None, sets) is None


def test_scores_of_another_normalizer_do_not_compare() -> None:
    score = make_score("phone", "development")
    check_same_normalizer(score, NORMALIZER)
    for other in (replace(score, normalizer="mixed"), replace(score, normalizer_digest="0")):
        with pytest.raises(ConfigError, match="phone was counted with the normalizer"):
            check_same_normalizer(other, NORMALIZER)


def test_reference_and_hypothesis_are_normalized_in_their_language() -> None:
    utterance = Utterance(id="1", text="Premi 2!", pred_text="PREMI tre", lang="it")
    assert normalize_pair(utterance, NORMALIZER) == ("premi due", "premi tre")
    english = replace(utterance, lang="en", pred_text=None)
    assert normalize_pair(english, NORMALIZER) == ("premi two", "")
    assert normalize_pair(replace(utterance, text=None), NORMALIZER) == ("", "premi tre")


@pytest.mark.parametrize(
    ("measures", "common"),
    [
        ([], "words"),
        (["characters"], "characters"),
        (["characters", "characters"], "characters"),
        (["words", "characters"], "mixed"),
        (["mixed", "mixed"], "mixed"),
        (["mixed", "words"], "mixed"),
    ],
)
def test_sets_of_different_measures_are_read_by_mixed_errors(
    measures: list[Measure], common: Measure
) -> None:
    assert find_common_measure(measures) == common


def test_abbreviations_are_those_of_the_names() -> None:
    for measure, name in RATE_NAMES.items():
        assert ABBREVIATIONS[measure] == "".join(word[0] for word in name.split()).upper()
        assert name.startswith(measure.removesuffix("s"))


def test_filters_count_words_only_where_they_are_separated() -> None:
    assert choose_filter_measure("characters", "the weather", "en") == "characters"
    assert choose_filter_measure("words", "the weather", "en") == "words"
    assert choose_filter_measure("words", "날씨가 좋네요", "ko") == "characters"
    assert choose_filter_measure("words", "今日は", None) == "characters"
    assert choose_filter_measure("words", "我買 iPhone 了", None) == "mixed"
    assert [choose_measure_of_language(lang) for lang in ("ko", "zh", "th", "it", "vi")] == [
        "characters",
        "characters",
        "characters",
        "words",
        "words",
    ]


def test_a_kind_of_script_counts_from_a_tenth_of_the_letters() -> None:
    tenth, less = [Utterance(id="1", text="a" * latin + "日" * (10 - 1)) for latin in (1, 0)]
    assert choose_measure([tenth]) == "mixed" and choose_measure([less]) == "characters"
    assert choose_measure([replace(tenth, text="a" * 10 + "日" * 91)]) == "characters"
    assert choose_measure([replace(tenth, text="a" * 91 + "日" * 10)]) == "words"
