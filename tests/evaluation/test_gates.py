"""Gates, on small counts and on a published table that hides a loss."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from twister_loop import ErrorCount
from twister_loop.core.types import Proportion, Score, SetKind
from twister_loop.evaluation.evidence import Evidence, Outcome
from twister_loop.evaluation.gates._base import Gate

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
    seconds = options.pop("seconds", None)
    return Outcome(replace(score, **options), counts, counts, counts, groups, seconds=seconds)


def evidence(
    champion: list[ErrorCount], candidate: list[ErrorCount], **more: Mapping[str, Any]
) -> Evidence:
    before, after = {"dev": outcome(champion)}, {"dev": outcome(candidate)}
    return Evidence(**{"untouched": before, "champion": before, **more}, candidate=after, seed=1)  # type: ignore[arg-type]


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


def test_the_number_of_missing_words_is_enough_to_decide() -> None:
    objection = gate("no_regression").objection(evidence(SAME, UNCLEAR))
    assert objection and objection.undecided and "600 tokens" in objection.reason
    more = int(objection.reason.partition("about ")[2].split()[0].replace(",", ""))
    times = (600 + more) // 600 + 2  # an estimate, so a little more
    assert 3 < times < 9
    assert gate("no_regression").objection(evidence(times * SAME, times * UNCLEAR)) is None


def test_a_limit_can_be_relative_to_the_error_rate() -> None:
    slightly_worse = [*SAME[:-1], counts_of(3, 10)]  # 0.2 points, 0.8 % of the errors
    assert (
        gate("no_regression", relative=True, at_most=0.05).objection(evidence(SAME, slightly_worse))
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
    alone = Evidence({"0": before["0"]}, {"0": before["0"]}, {"0": after["0"]}, seed=1)
    together = Evidence(before, before, after, seed=1)
    assert gate("no_regression", at_most=limit).objection(alone) is None
    objection = gate("no_regression", at_most=limit).objection(together)
    assert objection and objection.undecided


def test_a_gate_can_look_at_named_sets_only() -> None:
    before = {name: outcome(SAME, name=name) for name in ("calls", "radio")}
    after = {"calls": outcome(SAME, name="calls"), "radio": outcome(WORSE, name="radio")}
    both = Evidence(before, before, after, seed=1)
    assert gate("no_regression", sets=["calls"]).objection(both) is None
    assert gate("no_regression", sets=["radio"]).objection(both)


def test_retention_is_measured_from_the_untouched_model() -> None:
    """A small loss in every round adds up over many rounds."""

    def sets(counts: list[ErrorCount]) -> dict[str, Outcome]:
        return {"en": outcome(counts, "retention", "en"), "dev": outcome(BETTER)}

    many_rounds = Evidence(sets(BETTER), sets(SAME), sets(SAME), seed=1)
    assert gate("no_regression").objection(many_rounds) is None
    lost = gate("retention").objection(many_rounds)
    assert (
        lost
        and lost.reason.startswith("en: error rate +10.00 points on 600 tokens")
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
    sane = Evidence({}, {"dev": outcome(SAME)}, {"dev": outcome(BETTER)}, seed=1)
    assert gate("sane_output").objection(sane) is None
    hallucinating = replace(sane, candidate={"dev": outcome(BETTER, **options)})
    objection = gate("sane_output").objection(hallucinating)
    assert objection and objection.reason.startswith(f"dev: {symptom} 0.0% -> ")
    champion_too = replace(hallucinating, champion={"dev": outcome(SAME, **options)})
    assert gate("sane_output").objection(champion_too) is None


def test_a_slower_candidate_is_rejected_on_sets_timed_for_both() -> None:
    def timed(seconds: float | None) -> dict[str, Outcome]:
        return {"dev": outcome(SAME, seconds=seconds), "other": outcome(SAME, name="other")}

    for seconds, refused in ((2.9, False), (3.1, True), (None, False)):
        both = Evidence({}, timed(2.0), timed(seconds), seed=1)
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
    by_utterance = Evidence({}, {"dev": outcome(champion)}, {"dev": outcome(candidate)}, seed=1)
    by_speaker = replace(by_utterance, candidate={"dev": outcome(candidate, groups=speakers)})
    assert gate("significant").objection(by_utterance) is None
    objection = gate("significant").objection(by_speaker)
    assert objection and objection.undecided


def test_a_set_too_small_to_decide_gives_a_warning() -> None:
    [warning] = gate("no_regression").preflight_warnings({"dev": ("development", 492)})
    assert "dev has 492 words" in warning and "1,400 words" in warning
    assert not list(gate("no_regression").preflight_warnings({"dev": ("development", 2000)}))
    assert not list(gate("retention").preflight_warnings({"dev": ("development", 10)}))
    assert list(gate("retention").preflight_warnings({"en": ("retention", 10)}))


def published(column: int) -> dict[str, Outcome]:
    """Return one column of the table as outcomes; only the ratio of the counts is known."""
    return {
        name: outcome([counts_of(round(100 * rates[column]), 10_000)], name=name)
        for name, rates in TWISTER.items()
    }


def test_the_published_table_is_rejected() -> None:
    """A mean over the sets hides one that got worse, and one on which another model is better."""
    large_v2, large_v3, twister = (published(column) for column in range(3))
    table = Evidence(large_v2, large_v2, twister, seed=1, references={"large-v3": large_v3})
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
