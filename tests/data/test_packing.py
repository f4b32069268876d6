"""Joining to 30 s: nothing lost, nothing too long, no speaker given another's words."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from twister_loop import Plan, Utterance, next_round
from twister_loop.asr.toy import ToyRecognizer
from twister_loop.audio import io as audio
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
from twister_loop.data.packing import (
    MAX_SWITCHING_GROUPS,
    LabelLengthRatio,
    PackedGroup,
    Packer,
    PackOptions,
)
from twister_loop.pipeline.stages.mixture import pack

WORDS = {
    "it": "premi due è così città".split(),
    "en": "press two it's done zebra".split(),
    "zh": "我 今天 開會 好 的".split(),
    "ko": "안녕 하세요 네 둘 셋".split(),
    None: "a i u e o".split(),
}
TOKENS = 448


def letters(utterance: Utterance) -> float:
    """A label of at most 448 letters."""
    return (len(utterance.text or "") + 2) / TOKENS


def uttered(
    drawn: list[tuple[str | None, int, float, str | None, Origin, bool]],
) -> list[Utterance]:
    made = []
    for number, (lang, count, duration, speaker, origin, aligned) in enumerate(drawn):
        said = [WORDS[lang][(number + place) % 5] for place in range(count)]
        length = duration / count
        words = tuple(
            Word(word=word, start=place * length, end=(place + 0.8) * length, logprob=-0.1)
            for place, word in enumerate(said)
        )
        made.append(
            Utterance(
                id=f"u{number}",
                duration=duration,
                text=join_texts((lang, word) for word in said),
                lang=lang,
                speaker=speaker,
                origin=origin,
                words=words if aligned else (),
            )
        )
    return made


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
).map(uttered)

terms = some.builds(
    PackOptions,
    limit=some.sampled_from([5.0, 30.0]),
    gap=some.sampled_from([0.0, 0.5, 1.0]),
    speakers=some.sampled_from(["any", "same"]),
    switched=some.sampled_from([0.5, 1.0]),
    inside=some.sampled_from([0.0, 0.5, 1.0]),
) | some.builds(PackOptions, gap=some.floats(0, 1), speakers=some.sampled_from(["any", "same"]))


def packed(
    terms: PackOptions, speech: list[Utterance], label: LabelLengthRatio = letters
) -> list[PackedGroup]:
    return list(Packer(terms, label, 7).pack(speech))


def spelled(text: str | None) -> str:
    return (text or "").replace(" ", "")


@given(terms=terms, speech=utterances)
def test_every_utterance_is_in_one_group_with_all_of_its_text(
    terms: PackOptions, speech: list[Utterance]
) -> None:
    said = defaultdict[str, list[tuple[int, str]]](list)
    for number, group in enumerate(packed(terms, speech)):
        assert spelled(group.text) == "".join(spelled(each.text) for each in group.pieces)
        for piece in group.pieces:
            said[piece.id].append((number, spelled(piece.text)))
    assert said.keys() == {each.id for each in speech}
    for utterance in speech:
        by_group = defaultdict[int, str](str)
        for number, text in said[utterance.id]:
            by_group[number] += text
        whole = [number for number, text in by_group.items() if text == spelled(utterance.text)]
        borrowed = [text for number, text in by_group.items() if number not in whole]
        assert whole and all(text in spelled(utterance.text) for text in borrowed)
        if not terms.inside:
            assert len(said[utterance.id]) == 1


@given(terms=terms, speech=utterances)
def test_no_group_is_too_long_in_seconds_or_in_label(
    terms: PackOptions, speech: list[Utterance]
) -> None:
    for group in packed(terms, speech):
        if len(group.placed) > 1:
            assert group.end <= terms.limit
            assert sum(letters(each) for _, each in group.placed) <= 1
        for before, after in pairwise(group.pieces):
            silence = after.start - before.end
            inside = terms.inside and abs(silence) < 0.002
            assert inside or silence == pytest.approx(terms.gap, abs=0.002)


@given(terms=terms, speech=utterances)
def test_timestamps_stay_on_the_grid_in_order_and_within_the_window(
    terms: PackOptions, speech: list[Utterance]
) -> None:
    for group in packed(terms, speech):
        times = [timestamp_index(at) for piece in group.pieces for at in (piece.start, piece.end)]
        assert times == sorted(times)
        assert times[0] >= 0 and times[-1] <= 1500
        for at, piece in zip(times[::2], group.pieces, strict=True):
            assert abs(at * 0.02 - min(piece.start, 30)) <= 0.01 + 1e-9


@given(terms=terms, speech=utterances)
def test_previous_text_was_said_before_by_the_same_known_speaker(
    terms: PackOptions, speech: list[Utterance]
) -> None:
    """Peers attached it across speakers: flags came back as 0 and 1, and were no `False`."""
    before = set[tuple[str | None, str | None, str]]()
    for group in packed(terms, speech):
        if group.previous_text is not None:
            assert group.speaker is not None
            assert (group.speaker, group.lang, group.previous_text) in before
        before.add((group.speaker, group.lang, group.text))


@given(terms=terms, speech=utterances)
def test_groups_keep_languages_origins_and_speakers_apart_as_asked(
    terms: PackOptions, speech: list[Utterance]
) -> None:
    for group in packed(terms, speech):
        assert len(group.languages) <= 2
        assert {each.lang for each in group.pieces} == group.languages
        if len(group.languages) == 2:
            assert terms.switched and group.switches_language and None not in group.languages
        else:
            assert len({each.origin for each in group.pieces}) == 1
        if terms.speakers == "same" and len({each.id for each in group.pieces}) > 1:
            assert group.speaker in {"ada", "ben"}


def test_previous_text_stays_with_its_speaker() -> None:
    speech = [
        Utterance(id=str(n), duration=20.0, text=f"text {n}", lang="it", speaker=speaker)
        for n, speaker in enumerate(["ada", "ben", "ada", None, None, "ada+ben", "ada+ben", "ben"])
    ]
    groups = packed(PackOptions(speakers="same"), speech)
    found = {group.text: group.previous_text for group in groups}
    assert {text: before for text, before in found.items() if before} == {
        "text 2": "text 0",
        "text 7": "text 1",
    }


def test_what_failed_or_has_no_text_is_not_packed() -> None:
    """In a group it would be speech that nobody labeled."""
    fine = Utterance(id="fine", duration=1.0, text="due")
    packer = Packer(PackOptions(), letters, 1)
    bad = [
        replace(fine, id="a", text=None),
        replace(fine, id="b", error="no"),
        replace(fine, text=" "),
    ]
    [group] = packer.pack([*bad, fine])
    assert [each.id for each in group.pieces] == ["fine"] and packer.left_out_count == 3


def test_texts_of_scripts_without_letter_case_are_kept() -> None:
    """A case check of a peer dropped them in silence."""
    for lang in ("zh", "ko"):
        speech = [
            Utterance(id=str(n), duration=1.0, text=text, lang=lang)
            for n, text in enumerate(WORDS[lang])
        ]
        [group] = packed(PackOptions(), speech)
        assert group.text == ("" if lang == "zh" else " ").join(WORDS[lang])


def test_a_stream_is_never_held_whole() -> None:
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
def test_the_part_that_switches_is_the_one_that_was_asked_for(share: float) -> None:
    speech = [
        Utterance(id=str(n), duration=2.0, text="due", lang=("it", "en")[n * 7919 % 13 % 2])
        for n in range(600)
    ]
    groups = packed(PackOptions(limit=8, switched=share), speech)
    switched = [group for group in groups if len(group.languages) == 2]
    assert len(switched) / len(groups) == pytest.approx(share, abs=0.1)
    for group in switched:
        assert all(a.lang != b.lang for a, b in pairwise(group.pieces))


def test_a_switch_inside_a_sentence_puts_words_of_the_other_language_into_its_middle() -> None:
    def said(id_: str, lang: str, text: str) -> Utterance:
        words = tuple(
            Word(word=word, start=n + 0.2, end=n + 0.8, logprob=-0.1)
            for n, word in enumerate(text.split())
        )
        length = float(len(words))
        return Utterance(id=id_, duration=length, text=text, lang=lang, words=words, offset=10.0)

    sentence = said("a", "it", "premi il tasto due")
    phrase = said("b", "en", "your, new, messages, please.")
    second, first = packed(PackOptions(switched=0.5, inside=1.0), [sentence, phrase])
    assert [each.id for each in first.pieces] == ["a", "b", "a"]
    assert [each.lang for each in first.pieces] == ["it", "en", "it"] and first.lang == "it"
    before, middle, after = (each.text for each in first.pieces)
    assert f"{before} {after}" == sentence.text and middle in (phrase.text or "")
    assert middle[-1].isalpha()
    assert first.text == f"{before} {middle} {after}"
    for (_, part), piece in zip(first.placed, first.pieces, strict=True):
        assert part.offset >= 10.0 and part.duration == pytest.approx(piece.end - piece.start)
        assert part.duration == pytest.approx(len(piece.text.split()) - 0.3, abs=0.01)
    assert second.text == phrase.text  # it was only borrowed


def test_an_utterance_is_trimmed_to_its_words_and_these_move_along() -> None:
    words = (
        Word(word="due", start=1.0, end=1.4, logprob=0),
        Word(word="tre", start=1.5, end=2, logprob=0),
    )
    whole = Utterance(id="a", offset=5.0, duration=4.0, text="due tre", words=words)
    short = trim_silence(whole, 0.25)
    assert (short.offset, short.duration, short.text) == (5.75, 1.5, "due tre")
    assert [each.start for each in short.words] == [0.25, 0.75]
    assert trim_silence(replace(whole, words=()), 0.25).duration == 4.0
    last = cut_words(short, 1, 2)
    assert last.text == "tre" and last.offset == pytest.approx(6.45)
    assert last.duration == pytest.approx(0.6)


def test_a_joined_speaker_is_nobody() -> None:
    one = Utterance(id="a", speaker="ada")
    assert (
        find_single_speaker(one) == "ada"
        and find_single_speaker(replace(one, speaker="ada+ben")) is None
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"limit": 31}, "limit: more than 0 and at most 30 s, not 31"),
        ({"gap": -1}, "gap, trim"),
        ({"switched": 1.5}, "from 0 to 1"),
        ({"inside": 0.5}, "inside: a part of `switched`, which is 0"),
    ],
)
def test_terms_that_make_no_sense_are_refused(options: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PackOptions(**options)  # type: ignore[arg-type]


def test_switching_where_there_is_one_language_is_refused_before_the_round(
    plan: Plan, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="all in 'en'; switching needs"):
        next_round(replace(plan, pack=PackOptions(switched=0.5)), tmp_path / "run")
    assert not list((tmp_path / "run").glob("round-*"))


def test_no_filter_comes_after_packing(plan: Plan, tmp_path: Path) -> None:
    """A noisy clip must not hide in 30 s: what was rejected is in no packed utterance."""
    plan = replace(plan, pack=PackOptions(gap=0.05, trim=0.0))
    at = next_round(plan, tmp_path / "run").folder
    parts = Counter(piece.id for each in Manifest(at / "packed") for piece in each.pieces)
    kept = Counter(each.id for each in Manifest(at / "mixture"))
    rejected = {each.id for each in Manifest(at / "filtered_labels" / "rejected")}
    assert parts == kept and rejected and not parts.keys() & rejected
    assert (at / "aligned").is_dir() and (at / "aligned_human").is_dir()


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


def joined(terms: PackOptions, source: Manifest, out: Path) -> list[Utterance]:
    asr = ToyRecognizer()
    return list(pack(terms, source, asr, asr.initial_checkpoint(), 3, out=out))


def test_packed_speech_lists_its_pieces_where_they_are_heard(tmp_path: Path) -> None:
    source = recorded(tmp_path / "pseudo_labels", [12.0, 11.0, 10.0])
    first, second = joined(PackOptions(gap=0.5), source, tmp_path / "packed")
    assert [len(first.pieces), len(second.pieces)] == [2, 1]
    assert first.duration == pytest.approx(23.5) and first.text == "text 0 text 1"
    whole, alone = audio.load_utterance(first), audio.load_utterance(list(source)[1])
    start = round(first.pieces[1].start * 16_000)
    assert np.allclose(whole[start : start + len(alone)], alone, atol=1e-4)


def test_what_meets_without_silence_is_faded(tmp_path: Path) -> None:
    source = recorded(tmp_path / "pseudo_labels", [1.0, 1.0])
    [both] = joined(PackOptions(gap=0.0), source, tmp_path / "packed")
    samples = audio.load_utterance(both)
    assert abs(samples[15_998:16_002]).max() < 0.02 < abs(samples[15_000:15_900]).max()


def test_a_clip_that_cannot_be_read_leaves_its_group_and_nothing_else(tmp_path: Path) -> None:
    source = recorded(tmp_path / "pseudo_labels", [1.0, 2.0, 3.0])
    (tmp_path / "pseudo_labels" / "1.wav").write_text("no audio")
    [group] = joined(PackOptions(gap=0.5), source, tmp_path / "packed")
    assert [each.id for each in group.pieces] == ["0", "2"] and group.text == "text 0 text 2"
    assert group.duration == pytest.approx(4.5)
    whole, alone = audio.load_utterance(group), audio.load_utterance(list(source)[2])
    assert np.allclose(whole[24_000:], alone, atol=1e-4)
