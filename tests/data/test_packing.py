"""Packing to 30 s: no speech is lost, no group is too long, no speaker gets another's text."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from twister_loop import Utterance, next_round
from twister_loop.asr.toy import ToyRecognizer
from twister_loop.audio import io as audio
from twister_loop.audio.augmentation import Augmentation, RandomEffect
from twister_loop.audio.effects._base import Effect
from twister_loop.core import schema
from twister_loop.core.errors import ConfigError
from twister_loop.core.manifest import Manifest
from twister_loop.core.segments import (
    cut_words,
    find_single_speaker,
    join_texts,
    timestamp_index,
    trim_silence,
)
from twister_loop.core.types import Origin, Word
from twister_loop.data.packed_group import PackedGroup
from twister_loop.data.packing import (
    MAX_SWITCHING_GROUPS,
    LabelLengthRatio,
    Packer,
    PackOptions,
)
from twister_loop.pipeline.stages.packing import pack
from twister_loop.types import Plan

WORDS = {
    "it": "premi due è così città".split(),
    "en": "press two it's done zebra".split(),
    "zh": "我 今天 開會 好 的".split(),
    "ko": "안녕 하세요 네 둘 셋".split(),
    None: "a i u e o".split(),
}
TOKENS = 448


def letters(utterance: Utterance) -> float:
    """Return the label length for a longest label of 448 letters."""
    return (len(utterance.text or "") + 2) / TOKENS


def to_utterances(
    fields: list[tuple[str | None, int, float, str | None, Origin, bool]],
) -> list[Utterance]:
    speech = []
    for number, (lang, count, duration, speaker, origin, aligned) in enumerate(fields):
        texts = [WORDS[lang][(number + place) % 5] for place in range(count)]
        length = duration / count
        words = tuple(
            Word(word=word, start=place * length, end=(place + 0.8) * length, logprob=-0.1)
            for place, word in enumerate(texts)
        )
        speech.append(
            Utterance(
                id=f"u{number}",
                duration=duration,
                text=join_texts((lang, word) for word in texts),
                lang=lang,
                speaker=speaker,
                origin=origin,
                words=words if aligned else (),
            )
        )
    return speech


utterances = some.lists(
    some.tuples(
        some.sampled_from([*WORDS]),
        some.integers(1, 60),
        some.integers(100, 32_000).map(lambda ms: ms / 1000),
        some.sampled_from(["ada", "ben", "ada+ben", None]),
        some.sampled_from(["pseudo", "synthetic"]),
        some.booleans(),
    ),
    min_size=1,
    max_size=30,
).map(to_utterances)

options = some.builds(
    PackOptions,
    limit=some.sampled_from([5.0, 30.0]),
    gap=some.sampled_from([0.0, 0.5, 1.0]),
    speakers=some.sampled_from(["any", "same"]),
    switched=some.sampled_from([0.5, 1.0]),
    inside=some.sampled_from([0.0, 0.5, 1.0]),
) | some.builds(PackOptions, gap=some.floats(0, 1), speakers=some.sampled_from(["any", "same"]))


def packed(
    options: PackOptions, speech: list[Utterance], label: LabelLengthRatio = letters
) -> list[PackedGroup]:
    return list(Packer(options, label, 7).pack(speech))


def spelled(text: str | None) -> str:
    return (text or "").replace(" ", "")


@given(options=options, speech=utterances)
def test_every_utterance_is_in_one_group_with_all_of_its_text(
    options: PackOptions, speech: list[Utterance]
) -> None:
    pieces_of = defaultdict[str, list[tuple[int, str]]](list)
    for number, group in enumerate(packed(options, speech)):
        assert spelled(group.text) == "".join(spelled(piece.text) for piece in group.pieces)
        for piece in group.pieces:
            pieces_of[piece.id].append((number, spelled(piece.text)))
    assert pieces_of.keys() == {utterance.id for utterance in speech}
    for utterance in speech:
        by_group = defaultdict[int, str](str)
        for number, text in pieces_of[utterance.id]:
            by_group[number] += text
        whole = [number for number, text in by_group.items() if text == spelled(utterance.text)]
        borrowed = [text for number, text in by_group.items() if number not in whole]
        assert whole and all(text in spelled(utterance.text) for text in borrowed)
        if not options.inside:
            assert len(pieces_of[utterance.id]) == 1


@given(options=options, speech=utterances)
def test_no_group_is_too_long_in_seconds_or_in_label(
    options: PackOptions, speech: list[Utterance]
) -> None:
    for group in packed(options, speech):
        if len(group.placed) > 1:
            assert group.end <= options.limit
            assert sum(letters(utterance) for _, utterance in group.placed) <= 1
        for before, after in pairwise(group.pieces):
            silence = after.start - before.end
            inside = options.inside and abs(silence) < 0.002
            assert inside or silence == pytest.approx(options.gap, abs=0.002)


@given(options=options, speech=utterances)
def test_timestamps_are_in_order_and_within_the_window(
    options: PackOptions, speech: list[Utterance]
) -> None:
    for group in packed(options, speech):
        times = [
            timestamp_index(seconds)
            for piece in group.pieces
            for seconds in (piece.start, piece.end)
        ]
        assert times == sorted(times)
        assert times[0] >= 0 and times[-1] <= 1500
        for index, piece in zip(times[::2], group.pieces, strict=True):
            assert abs(index * 0.02 - min(piece.start, 30)) <= 0.01 + 1e-9


@given(options=options, speech=utterances)
def test_previous_text_is_that_of_the_first_utterance(
    options: PackOptions, speech: list[Utterance]
) -> None:
    """Other packers attached it across speakers: flags read as 0 and 1 were not `False`."""
    speech = [replace(cut, previous_text=f"before {cut.id}") for cut in speech]
    for group in packed(options, speech):
        assert group.previous_text == f"before {group.pieces[0].id}"


@given(options=options, speech=utterances)
def test_groups_join_languages_origins_and_speakers_only_as_the_options_say(
    options: PackOptions, speech: list[Utterance]
) -> None:
    for group in packed(options, speech):
        assert len(group.languages) <= 2
        assert {piece.lang for piece in group.pieces} == group.languages
        if len(group.languages) == 2:
            assert options.switched and group.switches_language and None not in group.languages
        else:
            assert len({piece.origin for piece in group.pieces}) == 1
        if options.speakers == "same" and len({piece.id for piece in group.pieces}) > 1:
            assert group.speaker in {"ada", "ben"}


def test_a_clip_without_speech_is_packed_by_itself() -> None:
    speech = [
        Utterance(id=str(number), duration=3.0, text=text, lang="it", speaker="ada")
        for number, text in enumerate(["uno", "", "due", "", "tre"])
    ]
    # Of the two without a text only one is known to hold no speech.
    speech[3] = replace(speech[3], speechless=True)
    groups = packed(PackOptions(speakers="same", trim=0.1), speech)
    by_ids = {tuple(piece.id for piece in group.pieces): group for group in groups}
    assert by_ids.keys() == {("0", "2", "4"), ("3",)}
    assert by_ids["0", "2", "4"].text == "uno due tre"
    alone = by_ids[("3",)]
    assert alone.speechless and not alone.text
    assert not by_ids["0", "2", "4"].speechless


def cut_recording(
    name: str, lengths: list[float], pauses: list[float], speaker: str | None = "ada"
) -> list[Utterance]:
    """Return neighboring cuts of one recording, as the mixture lists them."""
    cuts, start = list[Utterance](), 0.0
    for number, (length, pause) in enumerate(zip(lengths, [*pauses, 0.0], strict=True)):
        cuts.append(
            Utterance(
                id=f"{name}-{number}",
                audio_filepath=Path(f"/{name}.wav"),
                offset=start,
                duration=length,
                text=f"{name} {number}",
                lang="it",
                speaker=speaker,
                follows=cuts[-1].id if cuts else None,
                previous_text=cuts[-1].text if cuts else None,
            )
        )
        start = round(start + length + pause, 3)
    return cuts


def ids(groups: list[PackedGroup]) -> list[list[str]]:
    return [[utterance.id for utterance in group.utterances] for group in groups]


def test_neighboring_cuts_keep_their_pauses_and_what_was_said_before() -> None:
    first = cut_recording("a", [6.0, 5.0, 4.0], [0.25, 1.999])
    second = cut_recording("b", [9.0, 9.0], [0.7], speaker="ben")
    [group, rest] = packed(PackOptions(), [*first[1:], *second])
    assert ids([group, rest]) == [["b-0", "b-1"], ["a-1", "a-2"]]
    assert [piece.start for piece in rest.pieces] == [0.0, 6.999]
    assert [piece.start for piece in group.pieces] == [0.0, 9.7]
    assert rest.previous_text == "a 0" and group.previous_text is None


@pytest.mark.parametrize("speaker", ["ada", None])
def test_groups_are_counted_as_they_are_begun(speaker: str | None) -> None:
    """The share of groups that switch languages is a share of these."""
    packer = Packer(PackOptions(speakers="same", limit=12.0), letters, 1)
    groups = list(packer.pack(cut_recording("a", [5.0, 5.0, 5.0, 5.0], [0.5] * 3, speaker)))
    assert packer.group_count == len(groups) == (2 if speaker else 4)


def test_a_stretch_stays_whole_and_the_emptier_group_waits() -> None:
    stretch = cut_recording("a", [9.0, 9.0, 9.0], [0.5, 0.5])
    short = [Utterance(id=str(n), duration=4.0, text="due", lang="it") for n in range(4)]
    groups = packed(PackOptions(gap=0.5), [short[0], *stretch, *short[1:]])
    assert ids(groups) == [["a-0", "a-1", "a-2"], ["0", "1", "2", "3"]]
    # A stretch that is longer than a group goes on in the next one.
    assert ids(packed(PackOptions(limit=20.0), stretch)) == [["a-0", "a-1"], ["a-2"]]
    [_, last] = packed(PackOptions(limit=20.0), stretch)
    assert last.previous_text == "a 1"


@pytest.mark.parametrize(
    ("change", "pause"),
    [
        ({}, 1.0),
        ({"offset": 6.0}, 0.0),
        ({"offset": 8.0}, 2.0),
        ({"offset": 8.001}, 0.5),
        ({"offset": 5.99}, 0.5),
        ({"follows": "a-1"}, 0.5),
        ({"follows": None}, 0.5),
        ({"channel": 1}, 0.5),
        ({"audio_filepath": Path("/b.wav")}, 0.5),
    ],
)
def test_only_a_short_pause_of_one_recording_is_kept(change: dict[str, Any], pause: float) -> None:
    first, second = cut_recording("a", [6.0, 5.0], [1.0])
    [group] = packed(PackOptions(gap=0.5), [first, replace(second, **change)])
    assert group.placed[1][0] == pytest.approx(6.0 + pause)


def test_cuts_of_other_speakers_or_origins_are_no_stretch() -> None:
    first, second = cut_recording("a", [6.0, 5.0], [1.0])
    speech = [first, replace(second, speaker="ben")]
    assert ids(packed(PackOptions(speakers="same"), speech)) == [["a-0"], ["a-1"]]
    assert ids(packed(PackOptions(), speech)) == [["a-0", "a-1"]]
    assert ids(packed(PackOptions(), [first, replace(second, origin="pseudo")])) == [
        ["a-0"],
        ["a-1"],
    ]


@pytest.mark.parametrize(
    ("lengths", "gap", "fits"),
    [
        ([10.0, 10.0, 9.0], 0.5, True),  # 30 s exactly
        ([10.0, 10.0, 9.0001], 0.5, False),
        ([0.1] * 200, 0.05, True),  # 29.95 s
        ([9.7, 10.1, 10.2], 0.0, True),  # a sum of 30.000000000000004 in floats
        ([29.5, 0.5], 0.0, True),
        ([29.5, 0.50007], 0.0, False),
    ],
)
def test_a_group_is_at_most_30_s(lengths: list[float], gap: float, fits: bool) -> None:
    speech = [
        Utterance(id=str(n), duration=length, text="due", lang="it")
        for n, length in enumerate(lengths)
    ]
    groups = packed(PackOptions(gap=gap), speech, label=lambda _: 0.0)
    assert len(groups) == (1 if fits else 2)
    assert all(round(group.end * 16_000) <= 480_000 for group in groups)


@pytest.mark.parametrize(
    ("shares", "fits"), [([1 / 3] * 3, True), ([1 / 9] * 9, True), ([0.5, 0.5 + 1 / 448], False)]
)
def test_a_label_may_be_exactly_as_long_as_the_longest(shares: list[float], fits: bool) -> None:
    speech = [Utterance(id=str(n), duration=1.0, text="due", lang="it") for n in range(len(shares))]
    groups = packed(PackOptions(), speech, label=lambda utterance: shares[int(utterance.id)])
    assert len(groups) == (1 if fits else 2)


def test_a_phrase_is_no_neighbor_of_the_sentence_that_it_is_put_into() -> None:
    words = tuple(Word(word=w, start=n, end=n + 0.8, logprob=0) for n, w in enumerate("abcd"))
    donor, sentence = (
        replace(cut, duration=4.0, text="a b c d", words=words, lang=lang)
        for cut, lang in zip(cut_recording("a", [4.0, 4.0], [0.5]), ("it", "en"), strict=True)
    )
    groups = packed(PackOptions(switched=1.0, inside=1.0), [sentence, donor])
    mixed = next(group for group in groups if len(group.placed) == 3)
    for (start, part), (next_start, _) in pairwise(mixed.placed):
        assert next_start == pytest.approx(start + part.duration)
    assert mixed.previous_text == "a 0"
    # Else the audio between would be taken for a pause, and the joins would not be faded.
    assert [part.follows for part in mixed.utterances] == [None, None, None]


def test_utterances_with_an_error_or_without_text_are_left_out() -> None:
    """Such speech would have no words in the label of its group."""
    fine = Utterance(id="fine", duration=1.0, text="due")
    packer = Packer(PackOptions(), letters, 1)
    bad = [
        replace(fine, id="a", text=None),
        replace(fine, id="b", error="no"),
        replace(fine, text=" "),
    ]
    [group] = packer.pack([*bad, fine])
    assert [piece.id for piece in group.pieces] == ["fine"] and packer.left_out_count == 3


def test_texts_in_scripts_without_letter_case_are_packed() -> None:
    """Another packer dropped them silently, by a check for capital letters."""
    for lang in ("zh", "ko"):
        speech = [
            Utterance(id=str(n), duration=1.0, text=text, lang=lang)
            for n, text in enumerate(WORDS[lang])
        ]
        [group] = packed(PackOptions(), speech)
        assert group.text == ("" if lang == "zh" else " ").join(WORDS[lang])


def test_memory_does_not_grow_with_the_stream() -> None:
    read = 0

    def stream() -> Iterator[Utterance]:
        nonlocal read
        for read in range(1, 10_001):
            lang = ("it", "en")[read % 7 == 0]
            yield Utterance(id=str(read), duration=4.0, text="due", lang=lang)

    packer = Packer(PackOptions(switched=0.3), letters, 1)
    held = [read - sum(len(g.placed) for g in done) for done in _so_far(packer.pack(stream()))]
    assert max(held) <= 8 * (MAX_SWITCHING_GROUPS + 3)


def _so_far(groups: Iterator[PackedGroup]) -> Iterator[list[PackedGroup]]:
    done: list[PackedGroup] = []
    for group in groups:
        done.append(group)
        yield done


@pytest.mark.parametrize("share", [0.2, 0.5, 1.0])
def test_the_share_of_switching_groups_is_as_in_the_options(share: float) -> None:
    speech = [
        Utterance(id=str(n), duration=2.0, text="due", lang=("it", "en")[n * 7919 % 13 % 2])
        for n in range(600)
    ]
    groups = packed(PackOptions(limit=8, switched=share), speech)
    switched = [group for group in groups if len(group.languages) == 2]
    assert len(switched) / len(groups) == pytest.approx(share, abs=0.1)
    for group in switched:
        assert all(a.lang != b.lang for a, b in pairwise(group.pieces))


def test_a_switch_inside_a_sentence_inserts_a_phrase_of_the_other_language() -> None:
    def aligned(id_: str, lang: str, text: str) -> Utterance:
        words = tuple(
            Word(word=word, start=n + 0.2, end=n + 0.8, logprob=-0.1)
            for n, word in enumerate(text.split())
        )
        length = float(len(words))
        return Utterance(id=id_, duration=length, text=text, lang=lang, words=words, offset=10.0)

    sentence = aligned("a", "it", "premi il tasto due")
    phrase = aligned("b", "en", "your, new, messages, please.")
    second, first = packed(PackOptions(switched=0.5, inside=1.0), [sentence, phrase])
    assert [piece.id for piece in first.pieces] == ["a", "b", "a"]
    assert [piece.lang for piece in first.pieces] == ["it", "en", "it"] and first.lang == "it"
    before, middle, after = (piece.text for piece in first.pieces)
    assert f"{before} {after}" == sentence.text and middle in (phrase.text or "")
    assert middle[-1].isalpha()
    assert first.text == f"{before} {middle} {after}"
    for (_, part), piece in zip(first.placed, first.pieces, strict=True):
        assert part.offset >= 10.0 and part.duration == pytest.approx(piece.end - piece.start)
        assert part.duration == pytest.approx(len(piece.text.split()) - 0.3, abs=0.01)
    assert second.text == phrase.text  # it was only borrowed


def test_trimming_an_utterance_shifts_its_word_times() -> None:
    words = (
        Word(word="due", start=1.0, end=1.4, logprob=0),
        Word(word="tre", start=1.5, end=2, logprob=0),
    )
    whole = Utterance(id="a", offset=5.0, duration=4.0, text="due tre", words=words)
    short = trim_silence(whole, 0.25)
    assert (short.offset, short.duration, short.text) == (5.75, 1.5, "due tre")
    assert [word.start for word in short.words] == [0.25, 0.75]
    assert trim_silence(replace(whole, words=()), 0.25).duration == 4.0
    last = cut_words(short, 1, 2)
    assert last.text == "tre" and last.offset == pytest.approx(6.45)
    assert last.duration == pytest.approx(0.6)


def test_joined_speakers_are_no_single_speaker() -> None:
    utterance = Utterance(id="a", speaker="ada")
    assert find_single_speaker(utterance) == "ada"
    assert find_single_speaker(replace(utterance, speaker="ada+ben")) is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"limit": 31}, "limit: must be a number above 0 and at most 30, not 31"),
        ({"gap": -1}, "gap: must be a number from 0"),
        ({"switched": 1.5}, "from 0 to 1"),
        ({"inside": 0.5}, "inside: a part of `switched`, which is 0"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        schema.parse_data(PackOptions, options)


def test_switching_with_one_language_is_refused_before_the_round(
    plan: Plan, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="all in 'en'; switching needs"):
        next_round(replace(plan, pack=PackOptions(switched=0.5)), tmp_path / "run")
    assert not list((tmp_path / "run").glob("round-*"))


def test_rejected_utterances_are_in_no_packed_utterance(plan: Plan, tmp_path: Path) -> None:
    """Filters come before packing, so that a noisy clip cannot hide in 30 s."""
    plan = replace(plan, pack=PackOptions(gap=0.05, trim=0.0))
    folder = next_round(plan, tmp_path / "run").folder
    pieces = Counter(piece.id for packed in Manifest(folder / "packed") for piece in packed.pieces)
    mixed = Counter(utterance.id for utterance in Manifest(folder / "mixture"))
    rejected = {utterance.id for utterance in Manifest(folder / "filtered_labels" / "rejected")}
    assert pieces == mixed and rejected and not pieces.keys() & rejected
    assert (folder / "aligned").is_dir() and (folder / "aligned_human").is_dir()


def recorded(folder: Path, lengths: list[float]) -> Manifest:
    def clips() -> Iterator[Utterance]:
        for number, length in enumerate(lengths):
            noise = np.random.default_rng(number).normal(0, 0.1, round(length * 16_000))
            path = folder / f"{number}.wav"
            duration = audio.write(noise.astype(np.float32), path)
            yield Utterance(
                id=str(number), audio_filepath=path, duration=duration, text=f"text {number}"
            )

    return Manifest.write(clips(), folder)


def joined(options: PackOptions, source: Manifest, out: Path) -> list[Utterance]:
    asr = ToyRecognizer()
    return list(pack(options, source, asr, asr.initial_checkpoint(), 3, out=out))


def test_pieces_are_where_their_audio_is(tmp_path: Path) -> None:
    source = recorded(tmp_path / "pseudo_labels", [12.0, 11.0, 10.0])
    first, second = joined(PackOptions(gap=0.5), source, tmp_path / "packed")
    assert [len(first.pieces), len(second.pieces)] == [2, 1]
    assert first.duration == pytest.approx(23.5) and first.text == "text 0 text 1"
    whole, alone = audio.load_utterance(first), audio.load_utterance(list(source)[1])
    start = round(first.pieces[1].start * 16_000)
    assert np.allclose(whole[start : start + len(alone)], alone, atol=1e-4)


def test_joins_without_silence_are_faded(tmp_path: Path) -> None:
    source = recorded(tmp_path / "pseudo_labels", [1.0, 1.0])
    [both] = joined(PackOptions(gap=0.0), source, tmp_path / "packed")
    samples = audio.load_utterance(both)
    assert abs(samples[15_998:16_002]).max() < 0.02 < abs(samples[15_000:15_900]).max()


def test_an_unreadable_clip_is_taken_out_of_its_group(tmp_path: Path) -> None:
    source = recorded(tmp_path / "pseudo_labels", [1.0, 2.0, 3.0])
    (tmp_path / "pseudo_labels" / "1.wav").write_text("no audio")
    [group] = joined(PackOptions(gap=0.5), source, tmp_path / "packed")
    assert [piece.id for piece in group.pieces] == ["0", "2"] and group.text == "text 0 text 2"
    assert group.duration == pytest.approx(4.5)
    whole, alone = audio.load_utterance(group), audio.load_utterance(list(source)[2])
    assert np.allclose(whole[24_000:], alone, atol=1e-4)


def test_a_pause_is_as_it_was_recorded_and_a_gap_is_room_tone(tmp_path: Path) -> None:
    """Digital silence would tell where clips were joined."""
    room = np.random.default_rng(5).normal(0, 0.01, 160_000).astype(np.float32)
    path = tmp_path / "calls" / "call.wav"
    audio.write(room, path)
    cuts = [
        replace(cut, audio_filepath=path) for cut in cut_recording("a", [2.0, 3.0, 1.0], [0.5, 2.5])
    ]
    source = Manifest.write(cuts, tmp_path / "calls")
    [group] = joined(PackOptions(gap=0.4), source, tmp_path / "packed")
    samples = audio.load_utterance(group)
    assert group.duration == pytest.approx(2.0 + 0.5 + 3.0 + 0.4 + 1.0)
    assert np.allclose(samples[:88_000], room[:88_000], atol=1e-4)  # two cuts and their pause
    gap = samples[88_000 : 88_000 + 6_400]  # the pause of 2.5 s is too long
    assert np.count_nonzero(gap) > 6_000 and gap.std() == pytest.approx(0.01, rel=0.15)
    assert not np.allclose(gap, room[88_000:94_400], atol=1e-3)
    again = joined(PackOptions(gap=0.4), source, tmp_path / "again")
    assert np.array_equal(audio.load_utterance(again[0]), samples)


def test_effects_cover_gaps_and_pauses(tmp_path: Path) -> None:
    source = recorded(tmp_path / "pseudo_labels", [1.0, 1.0])
    [both] = joined(PackOptions(gap=0.5), source, tmp_path / "packed")

    class Hum(Effect):
        def apply(self, samples: audio.Samples, rng: np.random.Generator) -> audio.Samples:
            return samples + np.float32(0.25)

    changed, after = Augmentation((RandomEffect(Hum(), 1.0),)).apply(both, 1, 0, 0)
    before = audio.load_utterance(both)
    gap = slice(16_000, 24_000)
    assert np.allclose(after[gap], before[gap] + 0.25, atol=1e-3)
    assert len(after) == len(before) and changed.pieces == both.pieces


def test_a_removed_neighbor_takes_its_pause_along(tmp_path: Path) -> None:
    path = tmp_path / "calls" / "call.wav"
    audio.write(np.full(160_000, 0.1, np.float32), path)
    cuts = [
        replace(cut, audio_filepath=path) for cut in cut_recording("a", [2.0, 2.0, 2.0], [0.5, 0.5])
    ]
    missing = replace(cuts[1], audio_filepath=tmp_path / "gone.wav")
    [group] = joined(
        PackOptions(gap=0.25), Manifest.write([cuts[0], missing, cuts[2]], path.parent),
        tmp_path / "packed",
    )  # fmt: skip
    assert [piece.id for piece in group.pieces] == ["a-0", "a-2"]
    assert [piece.start for piece in group.pieces] == [0.0, 2.25]


@pytest.mark.parametrize(("gap", "is_filled"), [(0.005, True), (0.0049, False)])
def test_the_shortest_gap_with_room_tone_is_as_long_as_a_fade(
    tmp_path: Path, gap: float, is_filled: bool
) -> None:
    source = recorded(tmp_path / "pseudo_labels", [1.0, 1.0])
    [both] = joined(PackOptions(gap=gap), source, tmp_path / "packed")
    between = audio.load_utterance(both)[16_000 : 16_000 + round(gap * 16_000)]
    assert between.any() == is_filled
