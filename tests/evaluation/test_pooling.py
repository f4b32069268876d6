"""Pooling: counts of several sets add up, and what differs between sets is left out."""

from __future__ import annotations

from dataclasses import replace

from twister_loop.core.types import Proportion, Score
from twister_loop.evaluation.evidence import Evidence, Outcome
from twister_loop.evaluation.pooling import add_pooled_sets, join_parts, pool_scores
from twister_loop.types import ErrorCount

FIRST = Score(
    name="phone",
    kind="development",
    decoding="clips",
    lang="it",
    normalizer="basic",
    normalizer_digest="abc",
    utterances=2,
    duration=3.5,
    words=ErrorCount(1, 2, 3, 4),
    characters=ErrorCount(10, 20, 30, 40),
    mixed=ErrorCount(5, 6, 7, 8),
    measure="words",
    raw_words=ErrorCount(2, 2, 3, 3),
    repeated_ngrams=Proportion(1, 9),
    foreign_script=Proportion(2, 50),
    empty=1,
    hit_limit=2,
    fallback=3,
    timestamps=Proportion(1, 2),
)
SECOND = replace(
    FIRST,
    name="calls",
    utterances=5,
    duration=10.0,
    words=ErrorCount(100, 0, 0, 100),
    characters=ErrorCount(hits=1000),
    mixed=ErrorCount(deletions=7),
    raw_words=ErrorCount(insertions=9),
    repeated_ngrams=Proportion(3, 10),
    foreign_script=Proportion(0, 30),
    empty=0,
    hit_limit=10,
    fallback=20,
    timestamps=Proportion(4, 5),
)


def test_counts_and_seconds_add_up() -> None:
    assert pool_scores([FIRST, SECOND], "all") == replace(
        FIRST,
        name="all",
        utterances=7,
        duration=13.5,
        words=ErrorCount(101, 2, 3, 104),
        characters=ErrorCount(10, 20, 30, 1040),
        mixed=ErrorCount(5, 13, 7, 8),
        raw_words=ErrorCount(2, 2, 12, 3),
        repeated_ngrams=Proportion(4, 19),
        foreign_script=Proportion(2, 80),
        empty=1,
        hit_limit=12,
        fallback=23,
        timestamps=Proportion(5, 7),
    )
    assert pool_scores([FIRST], "alone") == replace(FIRST, name="alone")


def test_a_language_and_a_measure_stay_only_if_the_sets_agree() -> None:
    korean = replace(SECOND, lang="ko", measure="characters")
    for scores in ([FIRST, korean], [korean, FIRST], [FIRST, SECOND, korean]):
        pooled = pool_scores(scores, "all")
        assert (pooled.lang, pooled.measure) == (None, "mixed")
    same = pool_scores([korean, korean], "all")
    assert (same.lang, same.measure) == ("ko", "characters")


def outcome(score: Score, *groups: str, unit: str = "speakers") -> Outcome:
    number = int(groups[0][1:])
    return Outcome(
        score,
        words=[ErrorCount(hits=number)] * len(groups),
        characters=[ErrorCount(hits=10 * number)] * len(groups),
        mixed=[ErrorCount(hits=100 * number)] * len(groups),
        groups=groups,
        resampling_unit=unit,
    )


def test_every_kind_of_several_sets_gets_a_pooled_one() -> None:
    phone, calls = outcome(FIRST, "s1", "s2"), outcome(SECOND, "s2", unit="recordings")
    news = outcome(replace(FIRST, name="news", kind="retention"), "s4")
    tests = [
        outcome(replace(FIRST, name=name, kind="test"), group) for name, group in
        (("a", "s5"), ("b", "s6"))
    ]  # fmt: skip
    sets = {"phone": phone, "news": news, "calls": calls, "a": tests[0], "b": tests[1]}
    pooled = add_pooled_sets(sets)
    assert list(pooled) == [*sets, "all development sets", "all test sets"]
    assert all(pooled[name] is sets[name] for name in sets), "a retention set alone stays alone"
    both = pooled["all development sets"]
    assert both.score == pool_scores([FIRST, SECOND], "all development sets")
    assert [count.hits for count in both.words] == [1, 1, 2]
    assert [count.hits for count in both.characters] == [10, 10, 20]
    assert [count.hits for count in both.mixed] == [100, 100, 200]
    # Two sets may call different speakers by one name.
    assert both.groups == ["phone/s1", "phone/s2", "calls/s2"]
    assert both.resampling_unit == "recordings and speakers"
    assert pooled["all test sets"].resampling_unit == "speakers"
    units = {
        unit: outcome(FIRST, "s1", unit=unit) for unit in ("utterances", "speakers", "recordings")
    }
    of_all = add_pooled_sets(units)["all development sets"].resampling_unit
    assert of_all == "recordings and speakers and utterances"
    assert [count.hits for count in pooled["all test sets"].words] == [5, 6]


def test_a_small_part_is_counted_in_its_set() -> None:
    short, long = outcome(FIRST, "s1", "s2"), outcome(replace(FIRST, name="phone-long"), "s2")
    news = outcome(replace(FIRST, name="news"), "s2")
    sets = {"phone": short, "phone-long": long, "news": news}
    joined = join_parts(sets, {"phone-long": "phone"})
    assert list(joined) == ["phone", "news"] and joined["news"] is news
    whole = joined["phone"]
    assert whole.score == pool_scores([short.score, long.score], "phone")
    assert whole.words == [*short.words, *long.words]
    assert whole.groups == ["s1", "s2", "s2"], "one speaker of both parts"
    assert whole.resampling_unit == short.resampling_unit
    # Of unlike units, one may be called as another is.
    unlike = {"phone": short, "phone-long": replace(long, resampling_unit="utterances")}
    groups = join_parts(unlike, {"phone-long": "phone"})["phone"].groups
    assert groups == ["phone/s1", "phone/s2", "phone-long/s2"]
    assert join_parts(sets, {}) == sets


def test_gates_pool_development_sets_only() -> None:
    def outcomes(hits: int) -> dict[str, Outcome]:
        counts = ("words", "characters", "mixed")
        return {
            name: replace(
                outcome(replace(score, name=name), "s1"),
                **{count: [ErrorCount(hits=hits + place)] for place, count in enumerate(counts)},
            )
            for name, score in (
                ("phone", FIRST),
                ("news", replace(FIRST, kind="retention")),
                ("calls", SECOND),
            )
        }

    evidence = Evidence(outcomes(30), champion=outcomes(10), candidate=outcomes(20))
    pooled = evidence.pool_development_counts()
    assert pooled.measure == "words" and pooled.groups == ["phone/s1", "calls/s1"]
    assert [count.hits for count in pooled.champion] == [10, 10]
    assert [count.hits for count in pooled.candidate] == [20, 20]
    assert [count.hits for count in pooled.untouched] == [30, 30]
    assert pooled.resampling_unit == "speakers"
    assert evidence.pool_development_counts("mixed").candidate[0].hits == 22
    assert evidence.set_names() == ["phone", "news", "calls"]
    assert evidence.set_names("retention") == ["news"]
    assert evidence.set_names("development", only=("calls", "news")) == ["calls"]
    assert evidence.set_names(only=("news", "no such set")) == ["news"]
    assert evidence.decoded("clip") is evidence and evidence.decoded("standard") is evidence
    looked_at = replace(evidence, looks={"phone": 2, "news": 5})
    both = replace(looked_at, standard=evidence)
    assert both.decoded("clip") is both
    assert both.decoded("standard") == looked_at, "a look counts for all that was decoded"
    assert [both.look(names) for names in ([], ["calls"], ["phone"], ["news", "phone"])] == [
        1,
        1,
        2,
        5,
    ]
