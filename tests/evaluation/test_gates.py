"""Gates, on small counts and on a published table that hides a loss."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from twister_loop import Utterance
from twister_loop.core.types import Measure, Proportion, Score, SetKind
from twister_loop.evaluation import metrics
from twister_loop.evaluation.evidence import Evidence, Outcome, SetSize
from twister_loop.evaluation.gates._base import Gate
from twister_loop.evaluation.measures import choose_measure
from twister_loop.evaluation.scoreboard import MEASURES
from twister_loop.types import ErrorCount

TWISTER = {
    # set: large-v2, large-v3, Twister; mixed error rates in percent, language detected
    "ASCEND": (21.14, 23.22, 17.74),
    "CommonVoice16 zh-TW": (9.84, 8.95, 7.97),
    "CSZS zh-en": (29.49, 26.43, 13.01),
    "ML-lecture-2021": (6.13, 6.41, 4.98),
    "Formosa-Go": (15.03, 14.90, 13.61),
    "Formosa-Show": (29.18, 27.80, 27.58),
    "Formosa-Course": (9.50, 9.67, 9.94),
    "Formosa-General": (11.45, 11.46, 11.37),
    "FormosaSpeech": (22.34, 21.22, 22.09),
}
"""arXiv 2506.11130."""


def gate(use: str, **options: Any) -> Gate:
    return Gate.build({"use": use, **options})


def counts_of(errors: int, words: int) -> ErrorCount:
    return ErrorCount(substitutions=errors, hits=words - errors)


def outcome(
    counts: list[ErrorCount], kind: SetKind = "development", name: str = "dev", **options: Any
) -> Outcome:
    total = sum(counts, ErrorCount())
    score = Score(
        name=name,
        kind=kind,
        decoding="",
        normalizer="basic",
        normalizer_digest="",
        utterances=len(counts),
        duration=1.0,
        words=total,
        characters=total,
        mixed=total,
        raw_words=total,
    )
    groups = options.pop("groups", [str(number) for number in range(len(counts))])
    unit = "utterances" if len(set(groups)) == len(groups) else "speakers"
    seconds = options.pop("seconds", None)
    return Outcome(replace(score, **options), counts, counts, counts, groups, unit, seconds=seconds)


def evidence(
    champion: list[ErrorCount], candidate: list[ErrorCount], **most: Mapping[str, Any]
) -> Evidence:
    before, after = {"dev": outcome(champion)}, {"dev": outcome(candidate)}
    return Evidence(**{"untouched": before, "champion": before, **most}, candidate=after)  # type: ignore[arg-type]


def size(
    words: int, kind: SetKind = "development", measure: Measure = "words", **options: Any
) -> SetSize:
    """Return a set of ten characters a word, half of which is transcribed in standard decoding."""
    tokens: dict[Measure, int] = {"words": words, "characters": 10 * words, "mixed": words}
    half: dict[Measure, int] = {name: count // 2 for name, count in tokens.items()}
    utterances = options.pop("utterances", words // 10)
    return SetSize(kind, measure, {"clip": tokens, "standard": half}, utterances, **options)


WORSE, SAME, BETTER = [counts_of(3, 10)] * 60, [counts_of(2, 10)] * 60, [counts_of(1, 10)] * 60
UNCLEAR = [counts_of(1, 10), counts_of(3, 10), counts_of(2, 10)] * 20
"""As many errors as SAME, on other utterances."""


@pytest.mark.parametrize(
    ("use", "candidate", "undecided"),
    [
        ("no_regression", BETTER, None),
        ("no_regression", SAME, None),
        ("no_regression", WORSE, False),
        ("no_regression", UNCLEAR, True),
        ("significant", BETTER, None),
        ("significant", SAME, False),
        ("significant", [*SAME[:-3], *BETTER[:2], counts_of(3, 10)], True),
        ("minimum_gain", BETTER, None),
        ("minimum_gain", SAME, False),
    ],
)
def test_a_gate_accepts_rejects_or_is_undecided(
    use: str, candidate: list[ErrorCount], undecided: bool | None
) -> None:
    objection = gate(use).objection(evidence(SAME, candidate))
    assert (objection and objection.undecided) == undecided


def test_the_named_amount_of_speech_decides_and_does_not_depend_on_the_luck_of_the_change() -> None:
    objection = gate("no_regression").objection(evidence(SAME, UNCLEAR))
    assert objection and objection.undecided and "600 words" in objection.reason
    assert "undecided from 60 utterances" in objection.reason
    fewest, most = named_words(objection.reason)
    # At least twice the speech that did not decide.
    assert fewest == 1200 and 4000 < most < 4500
    # With a standard error that shrinks with the speech, the larger amount is enough.
    times = most // 600 + 1
    assert gate("no_regression").objection(evidence(times * SAME, times * UNCLEAR)) is None
    # Another measured change with the same spread, and the same amounts are named.
    luckier = [*UNCLEAR[:-1], counts_of(1, 10)]
    other = gate("no_regression").objection(evidence(SAME, luckier))
    assert other and other.undecided and named_words(other.reason)[1] < 1.1 * most


def named_words(reason: str) -> tuple[int, int]:
    """Return the two amounts of speech that an undecided verdict names."""
    amounts = re.search(r"([\d,]+) (?:to|or) ([\d,]+) words", reason)
    assert amounts
    fewest, most = (int(amount.replace(",", "")) for amount in amounts.groups())
    return fewest, most


def test_a_limit_can_be_relative_to_the_error_rate() -> None:
    slightly_worse = [*SAME[:-1], counts_of(3, 10)]  # 0.2 points, 0.8 % of the errors
    assert (
        gate("no_regression", relative=True, at_most=0.1).objection(evidence(SAME, slightly_worse))
        is None
    )
    assert gate("no_regression", relative=True, at_most=0.005).objection(
        evidence(SAME, slightly_worse)
    )


def test_more_sets_need_more_confidence_on_each() -> None:
    """Holm: a set that passes alone at 95 % is not clear enough among many sets."""
    before = {str(n): outcome(SAME, name=str(n)) for n in range(12)}
    after = {str(n): outcome(UNCLEAR, name=str(n)) for n in range(12)}
    limit = 0.021
    alone = Evidence({"0": before["0"]}, {"0": before["0"]}, {"0": after["0"]})
    together = Evidence(before, before, after)
    assert gate("no_regression", at_most=limit).objection(alone) is None
    objection = gate("no_regression", at_most=limit).objection(together)
    assert objection and objection.undecided


def test_a_gate_can_look_at_named_sets_only() -> None:
    before = {name: outcome(SAME, name=name) for name in ("calls", "radio")}
    after = {"calls": outcome(SAME, name="calls"), "radio": outcome(WORSE, name="radio")}
    both = Evidence(before, before, after)
    assert gate("no_regression", sets=["calls"]).objection(both) is None
    assert gate("no_regression", sets=["radio"]).objection(both)


def test_retention_is_measured_from_the_untouched_model() -> None:
    """A small loss in every round adds up over many rounds."""

    def sets(counts: list[ErrorCount]) -> dict[str, Outcome]:
        return {"en": outcome(counts, "retention", "en"), "dev": outcome(BETTER)}

    many_rounds = Evidence(sets(BETTER), sets(SAME), sets(SAME))
    assert gate("no_regression").objection(many_rounds) is None
    lost = gate("retention").objection(many_rounds)
    assert (
        lost
        and lost.reason.startswith("en: error rate +10.00 points on 600 words")
        and not lost.undecided
    )


@pytest.mark.parametrize(
    ("symptom", "options"),
    [
        ("repeated 5-grams", {"repeated_ngrams": Proportion(5, 100)}),
        ("letters of a foreign script", {"foreign_script": Proportion(30, 1000)}),
        ("empty transcripts", {"empty": 3}),
        ("transcripts cut off at the length limit", {"hit_limit": 2}),
        ("inserted words", {"words": ErrorCount(insertions=30, hits=600)}),
    ],
)
def test_hallucination_is_rejected_though_the_error_rate_is_fine(
    symptom: str, options: dict[str, Any]
) -> None:
    before = {"dev": outcome(SAME)}
    sane = Evidence(before, before, {"dev": outcome(BETTER)})
    assert gate("sane_output").objection(sane) is None
    hallucinating = replace(sane, candidate={"dev": outcome(BETTER, **options)})
    objection = gate("sane_output").objection(hallucinating)
    assert objection and objection.reason.startswith(f"dev: {symptom} 0.0% -> ")
    # A rise below the limit in every round would add up, so the untouched model counts too.
    likewise = {"dev": outcome(SAME, **options)}
    drifted = gate("sane_output").objection(replace(hallucinating, champion=likewise))
    assert drifted and "over the untouched model" in drifted.reason
    by_nature = replace(hallucinating, champion=likewise, untouched=likewise)
    assert gate("sane_output").objection(by_nature) is None


def test_a_slower_candidate_is_rejected_on_sets_timed_for_both() -> None:
    def timed(seconds: float | None) -> dict[str, Outcome]:
        return {"dev": outcome(SAME, seconds=seconds), "other": outcome(SAME, name="other")}

    for seconds, refused in ((2.9, False), (3.1, True), (None, False)):
        both = Evidence(timed(2.0), timed(2.0), timed(seconds))
        assert bool(gate("speed").objection(both)) == refused


def test_the_labeler_must_give_the_same_transcripts_with_the_same_weights() -> None:
    recognizer = replace(outcome(SAME), hypotheses=["one two three"] * 60)
    similar = replace(recognizer, hypotheses=["one two three"] * 59 + ["one two tree"])
    different = replace(recognizer, hypotheses=["one two three"] * 50 + [""] * 10)
    decoded = replace(evidence(SAME, SAME), candidate={"dev": recognizer})
    parity = gate("parity", at_most=0.01)
    assert parity.objection(replace(decoded, labeler={"dev": similar})) is None
    objection = parity.objection(replace(decoded, labeler={"dev": different}))
    assert (
        objection
        and "10 of 60 clips differently" in objection.reason
        and "16.67%" in objection.reason
    )


def test_speakers_are_drawn_whole() -> None:
    """Twelve speakers, each better or worse throughout, are weaker evidence than 600 utterances."""
    champion = [counts_of(2, 10)] * 600
    candidate = [counts_of(1 if n // 50 % 3 else 3, 10) for n in range(600)]
    speakers = [str(n // 50) for n in range(600)]
    before = {"dev": outcome(champion)}
    by_utterance = Evidence(before, before, {"dev": outcome(candidate)})
    by_speaker = replace(by_utterance, candidate={"dev": outcome(candidate, groups=speakers)})
    assert gate("significant").objection(by_utterance) is None
    objection = gate("significant").objection(by_speaker)
    assert objection and objection.undecided


def test_a_set_too_small_to_decide_gives_a_warning() -> None:
    [warning] = gate("no_regression").preflight_warnings({"dev": size(492)})
    assert "dev has 492 words" in warning and "2,500 to 6,200 words" in warning
    assert not list(gate("no_regression").preflight_warnings({"dev": size(2500)}))
    # Development sets are held against the untouched model too.
    sets = {"dev": size(10), "en": size(10, kind="retention")}
    assert len(list(gate("retention").preflight_warnings(sets))) == 2
    # Where the untouched model is measured, its error rate takes the place of the assumed one.
    measured = size(492, error_rates={"clip": {"words": 0.015}})
    assert not list(gate("no_regression").preflight_warnings({"dev": measured}))
    # A limit that is relative needs no error rate: 2,500 words have 250 errors.
    [warning] = gate("no_regression", relative=True, at_most=0.05).preflight_warnings(
        {"dev": size(2500)}
    )
    assert "at a limit of +5 %" in warning


def test_the_size_of_a_set_is_counted_by_its_measure_in_the_decoding_that_is_read() -> None:
    [warning] = gate("no_regression").preflight_warnings({"ja": size(60, measure="characters")})
    assert warning.startswith("ja has 600 characters") and "1,900 to 13,000 characters" in warning
    assert not list(gate("no_regression").preflight_warnings({"dev": size(3000)}))
    [warning] = gate("no_regression", decoding="standard").preflight_warnings({"dev": size(3000)})
    assert warning.startswith("dev in standard decoding has 1500 words")
    [warning] = gate("no_regression", measure="mixed").preflight_warnings({"dev": size(700)})
    assert warning.startswith("dev has 700 words and characters")


def transcribed(name: str, lang: str | None, pairs: list[tuple[str, str]]) -> Outcome:
    """Return the outcome of references and hypotheses, by the measure of the set."""
    speech = [Utterance(id=str(n), text=text, lang=lang) for n, (text, _) in enumerate(pairs)]
    measure = choose_measure(speech)
    words, characters, mixed = (
        [metrics.count_errors(*pair, counted_by) for pair in pairs] for counted_by in MEASURES
    )
    total = sum(characters, ErrorCount())
    whole = outcome(characters, name=name, measure=measure, words=sum(words, ErrorCount()))
    return replace(
        whole,
        score=replace(whole.score, characters=total, mixed=sum(mixed, ErrorCount())),
        words=words,
        mixed=mixed,
    )


SENTENCES = {
    "ja": ("きょうはいいてんきですね", "ぁ"),
    "zh": ("今天天气很好我们出去玩吧", "坏"),
    "yue": ("今日天氣好好我哋出去玩啦", "壞"),
    "th": ("วันนี้อากาศดีมากครับ", "ฮ"),
    "lo": ("ມື້ນີ້ອາກາດດີຫຼາຍ", "ຮ"),
    "km": ("ថ្ងៃនេះអាកាសធាតុល្អណាស់", "ឡ"),
    "my": ("ဒီနေ့ရာသီဥတုကောင်းတယ်", "ဠ"),
    "ko": ("오늘 날씨가 정말 좋네요", "흙"),
}
"""By language: a sentence, and a character that it does not contain."""


@pytest.mark.parametrize("lang", SENTENCES)
@pytest.mark.parametrize("is_detected", [False, True])
def test_a_set_without_words_is_judged_by_its_characters(lang: str, is_detected: bool) -> None:
    """Counted by word, an utterance with any error is one error, so most changes go unseen."""
    sentence, wrong = SENTENCES[lang]
    language = None if is_detected else lang

    def sets(errors: int) -> dict[str, Outcome]:
        pairs = [(sentence, wrong * errors + sentence[errors:])] * 60
        return {"dev": transcribed("dev", language, pairs)}

    slightly_wrong, worse = sets(1), sets(4)
    for use in ("no_regression", "significant", "best_untouched", "minimum_gain"):
        rejected = Evidence(slightly_wrong, slightly_wrong, worse)
        objection = gate(use).objection(rejected)
        assert objection and not objection.undecided
        assert " words" not in objection.reason and "characters" in objection.reason
        accepted = Evidence(worse, worse, slightly_wrong)
        assert gate(use).objection(accepted) is None
    # By word both are wrong everywhere, except in Korean, which has spaces.
    by_word = Evidence(slightly_wrong, slightly_wrong, worse)
    assert (gate("no_regression", measure="words").objection(by_word) is None) == (lang != "ko")


def test_development_sets_of_different_measures_are_pooled_by_mixed_errors() -> None:
    """A word and a character are no equal errors, so such counts are not added up."""
    japanese, wrong = SENTENCES["ja"]
    italian = "oggi il tempo è molto bello"

    def sets(japanese_errors: int, italian_text: str) -> dict[str, Outcome]:
        hypothesis = wrong * japanese_errors + japanese[japanese_errors:]
        return {
            "ja": transcribed("ja", "ja", [(japanese, hypothesis)] * 60),
            "it": transcribed("it", "it", [(italian, italian_text)] * 60),
        }

    before, after = sets(1, italian), sets(1, "oggi il")
    pooled = Evidence(before, before, after).pool_development_counts()
    assert pooled.measure == "mixed"
    tokens = len(japanese) + len(italian.split())
    assert {count.length for count in pooled.candidate} == {len(japanese), len(italian.split())}
    objection = gate("significant").objection(Evidence(before, before, after))
    assert objection and f"{60 * tokens} words and characters" in objection.reason
    alone = {"it": before["it"]}
    assert Evidence(alone, alone, alone).pool_development_counts().measure == "words"


@pytest.mark.parametrize("use", ["no_regression", "significant", "minimum_gain", "best_untouched"])
def test_a_gate_reads_the_decoding_that_it_names(use: str) -> None:
    better_in_clips = evidence(SAME, BETTER)
    both = replace(better_in_clips, standard=evidence(SAME, WORSE))
    assert gate(use).objection(both) is None
    objection = gate(use, decoding="standard").objection(both)
    assert objection and not objection.undecided
    assert " in standard decoding" in objection.reason
    # A recognizer without another decoding is read in its own one.
    assert gate(use, decoding="standard").objection(better_in_clips) is None


def test_hallucination_in_standard_decoding_is_seen_by_the_gate_that_reads_it() -> None:
    silent = replace(evidence(SAME, SAME), candidate={"dev": outcome(SAME, empty=30)})
    both = replace(evidence(SAME, SAME), standard=silent)
    assert gate("sane_output").objection(both) is None
    assert gate("sane_output", decoding="standard").objection(both)


def published(column: int) -> dict[str, Outcome]:
    """Return one column of the table as outcomes; only the ratio of the counts is known."""
    return {name: outcome(spread(rates[column]), name=name) for name, rates in TWISTER.items()}


def spread(rate: float) -> list[ErrorCount]:
    """Return a hundred utterances of a hundred words that have an error rate in percent."""
    errors = round(100 * rate)
    return [counts_of(errors // 100 + (n < errors % 100), 100) for n in range(100)]


def test_the_published_table_is_rejected() -> None:
    """A mean over the sets hides one that got worse, and one on which another model is better."""
    large_v2, large_v3, twister = (published(column) for column in range(3))
    table = Evidence(large_v2, large_v2, twister, references={"large-v3": large_v3})
    assert gate("significant", measure="mixed").objection(table) is None
    options = {"measure": "mixed", "relative": True, "at_most": 0.02}
    worse = gate("no_regression", **options).objection(table)
    assert (
        worse
        and worse.reason.startswith("Formosa-Course: error rate +0.44 points")
        and ";" not in worse.reason
    )
    beaten = gate("best_untouched", **options).objection(table)
    assert beaten and "FormosaSpeech: error rate +0.87 points" in beaten.reason
    alone = replace(table, references={})
    assert "FormosaSpeech" not in str(gate("best_untouched", **options).objection(alone))
