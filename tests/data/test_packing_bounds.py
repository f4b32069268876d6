"""Packing at its limits: exactly 30 s, a label that is exactly full, and what a group tells."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from twister_loop import Utterance
from twister_loop.audio import io as audio
from twister_loop.core.types import Word
from twister_loop.data import packing
from twister_loop.data.packing import PackedGroup, Packer, PackOptions


def line(number: object, duration: float = 1.0, text: str = "due", **fields: Any) -> Utterance:
    defaults: dict[str, Any] = {"lang": "it", "origin": "pseudo"}
    return Utterance(id=str(number), duration=duration, text=text, **{**defaults, **fields})


def pack(
    options: PackOptions, *speech: Utterance, ratio: float = 0.0, seed: int = 3
) -> list[list[str]]:
    """Return the ids in every group, in the order in which groups are complete."""
    packer = Packer(options, lambda utterance: ratio, seed)
    return [[piece.id for piece in group.pieces] for group in packer.pack(speech)]


@pytest.mark.parametrize(
    ("durations", "groups"),
    [
        ((10.0, 19.5), [["0", "1"]]),  # with the gap it is 30 s exactly
        ((10.0, 19.75), [["1"], ["0"]]),  # the shorter one waits for what comes next
        ((19.75, 10.0), [["0"], ["1"]]),
        ((10.0, 10.0, 10.0), [["0", "1"], ["2"]]),
        ((9.5, 9.5, 10.0), [["0", "1", "2"]]),
        ((9.5, 9.5, 10.25), [["0", "1"], ["2"]]),
        ((31.0, 1.0), [["0"], ["1"]]),  # too long by itself, and by itself
        ((1.0, 31.0, 1.0), [["1"], ["0", "2"]]),
    ],
)
def test_a_group_is_full_at_thirty_seconds_exactly(
    durations: tuple[float, ...], groups: list[list[str]]
) -> None:
    speech = [line(number, seconds) for number, seconds in enumerate(durations)]
    assert pack(PackOptions(), *speech) == groups


def test_the_limit_is_counted_in_samples_of_the_audio() -> None:
    assert packing.SAMPLE_RATE == audio.SAMPLE_RATE


def test_limit_and_gap_are_those_of_the_options() -> None:
    speech = [line(number, 2.0) for number in range(4)]
    assert pack(PackOptions(limit=4.0, gap=0.0), *speech) == [["0", "1"], ["2", "3"]]
    assert pack(PackOptions(limit=5.0, gap=1.0), *speech) == [["0", "1"], ["2", "3"]]
    assert pack(PackOptions(limit=4.75, gap=1.0), *speech) == [[number] for number in "1230"]


@pytest.mark.parametrize(
    ("ratio", "groups"),
    [(0.5, [["0", "1"], ["2", "3"]]), (0.25, [["0", "1", "2", "3"]]), (1.5, [[n] for n in "1230"])],
)
def test_a_label_is_full_at_the_longest_label_exactly(
    ratio: float, groups: list[list[str]]
) -> None:
    assert pack(PackOptions(), *map(line, range(4)), ratio=ratio) == groups


def test_languages_origins_and_speakers_have_groups_of_their_own() -> None:
    speech = [
        line("a", speaker="ada"),
        line("b", lang="en"),
        line("c", origin="synthetic"),
        line("d", speaker="ben"),
        line("e", lang=None),
        line("f", lang=None),
    ]
    assert pack(PackOptions(), *speech) == [["a", "d"], ["b"], ["c"], ["e", "f"]]
    same = PackOptions(speakers="same")
    # Unknown speakers may be two people.
    assert pack(same, *speech) == [["b"], ["c"], ["e"], ["f"], ["a"], ["d"]]
    ada = [line(number, speaker="ada") for number in range(3)]
    assert pack(same, ada[0], line("x", speaker="ada+ben"), *ada[1:]) == [["x"], ["0", "1", "2"]]


def test_a_full_group_is_given_out_before_the_next_is_read() -> None:
    read: list[str] = []

    def stream() -> Iterator[Utterance]:
        for number in range(4):
            read.append(str(number))
            yield line(number, 20.0)

    groups = Packer(PackOptions(), lambda utterance: 0.0, 1).pack(stream())
    assert [piece.id for piece in next(groups).pieces] == ["1"] and read == ["0", "1", "2"]


def test_what_is_left_out_is_counted() -> None:
    packer = Packer(PackOptions(), lambda utterance: 0.0, 1)
    broken = replace(line("broken"), error="no file")
    speech = [line("a"), line("none", text=""), broken, line("blank", text=" \n")]
    silent = replace(line("silent", text=""), speechless=True)
    groups = list(packer.pack([*speech, silent, replace(silent, id="both", error="no file")]))
    assert [[piece.id for piece in group.pieces] for group in groups] == [["silent"], ["a"]]
    assert packer.left_out_count == 4 and packer.group_count == 2
    assert [group.speechless for group in groups] == [True, False]


GROUP = PackedGroup(
    [
        (0.0, line("a", 2.0, "uno")),
        (2.5, line("b", 4.0, "due", origin="synthetic", lang="en", speaker="ada")),
        (7.0, line("c", 1.0, "tre", origin="human")),
    ]
)


def test_a_group_tells_where_its_pieces_are() -> None:
    assert GROUP.end == 8.0 and GROUP.last.id == "c" and GROUP.text == "uno due tre"
    assert GROUP.languages == {"it", "en"} and GROUP.lang == "it"
    assert GROUP.origin == "synthetic", "the origin of most of its time"
    assert not GROUP.speechless and GROUP.speaker is None
    piece = GROUP.pieces[1]
    assert (piece.id, piece.origin, piece.lang, piece.text) == ("b", "synthetic", "en", "due")
    assert [(piece.start, piece.end) for piece in GROUP.pieces] == [
        (0.0, 2.0),
        (2.5, 6.5),
        (7.0, 8.0),
    ]
    third = PackedGroup([(0.0, line("x", 1 / 3)), (2 / 3, line("y", 1.0))])
    assert [(piece.start, piece.end) for piece in third.pieces] == [(0.0, 0.333), (0.667, 1.667)]
    assert PackedGroup().end == 0.0
    assert PackedGroup([(0.0, line("x", speaker="ada")), (1.0, line("y", speaker="ada"))]).speaker


def test_the_origin_is_that_of_most_seconds_and_not_of_most_pieces() -> None:
    pieces = [line("a", 1.0), line("b", 1.0), line("c", 3.0, origin="synthetic")]
    group = PackedGroup([(float(place), piece) for place, piece in enumerate(pieces)])
    assert group.origin == "synthetic"
    assert PackedGroup(group.placed[:2]).origin == "pseudo"


@pytest.mark.parametrize(
    ("places", "left", "end"),
    [
        ({0}, [("b", 0.0), ("c", 4.5)], 5.5),
        ({1}, [("a", 0.0), ("c", 2.5)], 3.5),
        ({2}, [("a", 0.0), ("b", 2.5)], 6.5),
        ({0, 1}, [("c", 0.0)], 1.0),
        ({1, 2}, [("a", 0.0)], 2.0),
        ({0, 2}, [("b", 0.0)], 4.0),
        ({0, 1, 2}, [], 0.0),
        (set(), [("a", 0.0), ("b", 2.5), ("c", 7.0)], 8.0),
    ],
)
def test_what_is_taken_out_of_a_group_leaves_no_hole(
    places: set[int], left: list[tuple[str, float]], end: float
) -> None:
    rest = GROUP.without(places)
    assert [(utterance.id, start) for start, utterance in rest.placed] == left
    assert rest.end == end and len(GROUP.placed) == 3


def aligned(id_: str, lang: str, text: str, **fields: Any) -> Utterance:
    words = tuple(
        Word(word=word, start=place + 0.25, end=place + 0.75, logprob=-0.1)
        for place, word in enumerate(text.split())
    )
    return line(id_, float(len(words)), text, lang=lang, words=words, **fields)


def test_word_times_are_needed_for_trimming_and_phrases_only() -> None:
    assert not PackOptions().needs_word_times
    assert not PackOptions(switched=0.5).needs_word_times
    assert PackOptions(trim=0.0).needs_word_times
    assert PackOptions(switched=0.5, inside=0.5).needs_word_times


def test_silence_around_the_words_is_trimmed_to_what_is_asked_for() -> None:
    options = PackOptions(trim=0.125, gap=0.0)
    [group] = Packer(options, lambda utterance: 0.0, 1).pack([aligned("a", "it", "uno due")])
    assert group.end == 1.75  # from 0.125 s before the first word to 0.125 s behind the last


def test_groups_that_switch_take_the_other_language_in_turn() -> None:
    speech = [line(number, 1.0, lang="it" if number < 3 else "en") for number in range(6)]
    switching = PackOptions(switched=1.0, gap=0.0)
    assert pack(switching, *speech) == [["0", "3"], ["1", "4"], ["2", "5"]]
    for options, switches in ((switching, True), (PackOptions(), False)):
        groups = list(Packer(options, lambda utterance: 0.0, 1).pack(speech))
        assert {group.switches_language for group in groups} == {switches}
        assert not any(group.awaits_phrase for group in groups)
    unknown = [line("a"), line("b", lang=None), line("c", lang="en"), line("d", lang="ko")]
    assert pack(switching, *unknown) == [["b"], ["a", "c"], ["d"]], "two languages, both known"
    long = [line("a", 20.0), line("b", 15.0, lang="en"), line("c", 1.0, lang="en")]
    assert pack(switching, *long) == [["a"], ["b"], ["c"]]
    speakers = [line("a", speaker="ada"), line("b", lang="en", speaker="ben")]
    assert pack(switching, *speakers) == [["a", "b"]]
    assert pack(replace(switching, speakers="same"), *speakers) == [["a"], ["b"]]
    same = [speakers[0], replace(speakers[1], speaker="ada")]
    assert pack(replace(switching, speakers="same"), *same) == [["a", "b"]]


def test_a_phrase_is_at_most_four_words_from_inside_the_other_sentence() -> None:
    options, lengths = PackOptions(switched=0.5, inside=1.0, gap=0.0), set[int]()
    places, phrases = set[int](), set[str]()
    for seed in range(60):
        donor = aligned("b", "en", "one two, three four five six.")
        speech = [aligned("a", "it", "uno due tre"), donor]
        packer = Packer(options, lambda utterance: 0.1, seed)
        [mixed] = [group for group in packer.pack(speech) if len(group.pieces) == 3]
        assert mixed.label_ratio == pytest.approx(0.3) and mixed.switches_language
        before, phrase, after = (piece.text for piece in mixed.pieces)
        assert before and after and f"{before} {after}" == "uno due tre"
        assert phrase[-1].isalpha() and phrase in (donor.text or "")
        assert mixed.end == pytest.approx(mixed.pieces[-1].end)
        lengths.add(len(phrase.split()))
        places.add(len(before.split()))
        phrases.add(phrase)
    assert lengths == {1, 2, 3, 4} and places == {1, 2}
    assert "one" in phrases and "six" in phrases


def test_a_sentence_takes_one_phrase_and_goes_on_in_the_other_language() -> None:
    options = PackOptions(switched=0.5, inside=1.0, gap=0.0)
    speech = [
        aligned("a", "it", "uno due tre"),
        aligned("b", "en", "one two"),
        aligned("c", "en", "three four"),
    ]
    assert sorted(pack(options, *speech)) == [["a", "b", "a", "c"], ["b"]]


def test_neighbors_of_a_sentence_that_begins_switching_are_not_lost() -> None:
    stretch = [cut(0, 0.0, 10.0), cut(1, 10.0, 5.0), cut(2, 15.0, 5.0)]
    packed = pack(PackOptions(switched=0.3), *stretch)
    assert sorted(number for group in packed for number in group) == ["r-0", "r-1", "r-2"]
    with_english = pack(PackOptions(switched=0.3), *stretch, line("e", 2.0, lang="en"))
    assert sorted(number for group in with_english for number in group) == [
        "e", "r-0", "r-1", "r-2",
    ]  # fmt: skip


def test_a_phrase_that_does_not_fit_is_not_put_in() -> None:
    sentence, donor = aligned("a", "it", "uno due tre"), aligned("b", "en", "one two three four")
    for options, ratio in (
        (PackOptions(limit=3.0, switched=0.5, inside=1.0), 0.1),
        (PackOptions(switched=0.5, inside=1.0), 0.4),
    ):
        assert sorted(pack(options, sentence, donor, ratio=ratio)) == [["a"], ["b"]]
    untimed = replace(donor, words=())
    assert sorted(pack(PackOptions(switched=0.5, inside=1.0), sentence, untimed)) == [["a"], ["b"]]
    one_word = aligned("a", "it", "uno")  # there is no place inside it
    options = PackOptions(switched=0.5, inside=1.0)
    assert pack(options, one_word, donor) == [["a", "b"]]


def cut(number: int, start: float, duration: float, **fields: Any) -> Utterance:
    """Return a part of a recording that follows the part with the number before it."""
    return line(
        f"r-{number}", duration, offset=start, **{"follows": f"r-{number - 1}", **fields}
    )  # fmt: skip


def places(options: PackOptions, *speech: Utterance) -> list[list[tuple[str, float]]]:
    groups = Packer(options, lambda utterance: 0.0, 1).pack(speech)
    return [[(piece.id, piece.start) for piece in group.pieces] for group in groups]


def test_neighbors_keep_the_pause_that_was_recorded_between_them() -> None:
    first, second, third = cut(0, 5.0, 2.0), cut(1, 7.25, 1.0), cut(2, 9.0, 1.0)
    assert places(PackOptions(), first, second, third) == [
        [("r-0", 0.0), ("r-1", 2.25), ("r-2", 4.0)]
    ]
    # Others have the gap of the options between them.
    strangers = [replace(second, follows=None), replace(second, follows="x-0")]
    strangers += [replace(second, audio_filepath=Path("b.wav")), replace(second, channel=1)]
    for stranger in strangers:
        assert places(PackOptions(gap=1.0), first, stranger) == [[("r-0", 0.0), ("r-1", 3.0)]]


@pytest.mark.parametrize(
    ("start", "place"),
    [(7.0, 2.0), (9.0, 4.0), (9.01, 2.5), (6.99, 2.5)],  # 0 s and 2 s are pauses
)
def test_a_pause_is_kept_up_to_two_seconds(start: float, place: float) -> None:
    [[_, second]] = places(PackOptions(), cut(0, 5.0, 2.0), cut(1, start, 1.0))
    assert second == ("r-1", place)


def test_a_stretch_of_neighbors_is_not_torn_apart_by_an_open_group() -> None:
    stretch = [cut(0, 0.0, 10.0), cut(1, 10.0, 10.0)]
    other = line("a", 15.0)
    assert pack(PackOptions(), other, *stretch) == [["r-0", "r-1"], ["a"]]
    assert pack(PackOptions(limit=15.0), *stretch) == [["r-1"], ["r-0"]]
    assert pack(PackOptions(), line("a", 9.5), *stretch) == [["a", "r-0", "r-1"]]
    long = [*stretch, cut(2, 20.0, 10.0), cut(3, 30.0, 1.0)]
    assert pack(PackOptions(), *long) == [["r-0", "r-1", "r-2"], ["r-3"]]
    # Their labels have to fit as well, and they have to be of one group.
    assert pack(PackOptions(), *stretch, ratio=0.75) == [["r-1"], ["r-0"]]
    origins = [stretch[0], replace(stretch[1], origin="synthetic")]
    assert pack(PackOptions(), *origins) == [["r-0"], ["r-1"]]
    unknown = [replace(utterance, speaker=None) for utterance in stretch]
    assert pack(PackOptions(speakers="same"), *unknown) == [["r-0"], ["r-1"]]


def test_a_neighbor_in_another_language_has_its_own_pause_too() -> None:
    """With the recorded pause it is 29.7 s, and with the gap of the options it would be 30.1 s."""
    switched = PackOptions(switched=1.0, gap=0.5)
    speech = [cut(0, 0.0, 10.0), cut(1, 10.1, 19.6, lang="en")]
    assert pack(switched, *speech) == [["r-0", "r-1"]]
    strangers = [speech[0], replace(speech[1], follows=None)]
    assert pack(switched, *strangers) == [["r-0"], ["r-1"]]


def test_what_was_said_before_a_group_is_what_was_said_before_its_first_cut() -> None:
    speech = [cut(0, 0.0, 2.0, previous_text="before"), cut(1, 2.0, 2.0, previous_text="due")]
    [group] = Packer(PackOptions(), lambda utterance: 0.0, 1).pack(speech)
    assert group.previous_text == "before"
