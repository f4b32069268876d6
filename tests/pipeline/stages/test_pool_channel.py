"""The pool's channel on synthetic speech: measured once, and drawn by the id of a text."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from tests import world as toy
from twister_loop import load, next_round
from twister_loop.audio import io as audio
from twister_loop.audio.recording_channel import average_channels, measure_channel, measure_distance
from twister_loop.core.manifest import Manifest
from twister_loop.core.types import Checkpoint, Utterance
from twister_loop.pipeline.stages import pool_channel
from twister_loop.pipeline.stages.pool_channel import (
    ChannelRecord,
    PoolChannel,
    apply_pool_channel,
    measure_pool_channel,
    pass_through_channel,
)
from twister_loop.pipeline.stages.voices import synthesize
from twister_loop.tts._drawing import make_generator
from twister_loop.tts._untrained import UntrainedSynthesizer
from twister_loop.tts.toy import ToySynthesizer

SECONDS = 1.5
TEXTS = [Utterance(id=f"text-{number}", text="a", lang="it") for number in range(12)]


@dataclass(frozen=True)
class NoiseSynthesizer(UntrainedSynthesizer):
    """Voice that speaks white noise with a pause, and cannot speak a `?`."""

    def synthesize(
        self, checkpoint: Checkpoint, texts: Iterable[Utterance], out: Path
    ) -> Iterator[Utterance]:
        for text in texts:
            if text.text == "?":
                yield replace(text, error="cannot be spoken")
                continue
            path = out / f"{text.id}.wav"
            duration = audio.write(make_noise(text.id, 0.2), path)
            yield replace(text, audio_filepath=path, duration=duration, made_by="noise")


VOICE = NoiseSynthesizer()


def make_noise(name: str, level: float) -> audio.Samples:
    samples = make_generator(name).normal(0, level, round(SECONDS * audio.SAMPLE_RATE))
    samples[8_000:12_000] *= 0.001
    return samples.astype(np.float32)


def record(folder: Path, count: int, origin: str = "pseudo") -> Manifest:
    """Write clips of a telephone: a third of the band, half of them 12 dB quieter."""
    labels = []
    for number in range(count):
        samples = make_noise(f"{origin}-{number}", 0.02 if number % 2 else 0.08)
        spectrum = np.fft.rfft(samples)
        spectrum[len(spectrum) // 3 :] = 0
        path = folder / "audio" / f"{origin}-{number}.wav"
        duration = audio.write(np.fft.irfft(spectrum, len(samples)).astype(np.float32), path)
        labels.append(
            Utterance(id=path.stem, audio_filepath=path, duration=duration, text="a", origin=origin)  # type: ignore[arg-type]
        )
    return Manifest.write(labels, folder)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("channel")
    (folder / "run.json").write_text("{}")
    return folder


@pytest.fixture(scope="module")
def texts(run: Path) -> Manifest:
    return Manifest.write(TEXTS, run / "texts")


@pytest.fixture(scope="module")
def labels(run: Path) -> Manifest:
    return record(run / "labels", 12)


def measure(texts: Manifest, labels: Manifest, out: Path) -> PoolChannel:
    return measure_pool_channel(VOICE, Checkpoint("noise", out), texts, labels, out=out)


@pytest.fixture(scope="module")
def channel(run: Path, texts: Manifest, labels: Manifest) -> PoolChannel:
    return measure(texts, labels, run / "a" / "channel")


def speak(channel: PoolChannel | None, texts: list[Utterance], out: Path) -> list[Utterance]:
    studio = VOICE.synthesize(Checkpoint("noise", out), texts, out / "studio")
    return list(pass_through_channel(channel, studio, out))


def test_speech_sounds_like_the_pool_afterwards(
    channel: PoolChannel, labels: Manifest, tmp_path: Path
) -> None:
    def mean(speech: Iterable[Utterance]) -> tuple[float, float]:
        clips = [measure_channel(audio.load_utterance(utterance)) for utterance in speech]
        average = average_channels([clip for clip in clips if clip])
        return measure_distance(average, pool), average.bandwidth

    measured = [measure_channel(audio.load_utterance(label)) for label in labels]
    pool = average_channels([clip for clip in measured if clip])
    before = mean(speak(None, TEXTS, tmp_path / "studio"))
    spoken = speak(channel, TEXTS, tmp_path / "pool")
    after = mean(spoken)
    assert before[0] > 20 and after[0] < 3
    assert before[1] > 7000 and after[1] == pytest.approx(pool.bandwidth, abs=200)
    assert {utterance.made_by for utterance in spoken} == {"noise+pool_channel"}
    # Clips are drawn, and so their levels: both kinds of the pool's clips are imitated.
    levels = [audio.measure_loudness(audio.load_utterance(utterance)) for utterance in spoken]
    assert max(levels) - min(levels) > 8


def test_no_audio_is_left_that_no_manifest_lists(channel: PoolChannel) -> None:
    names = {path.name for path in channel.folder.rglob("*")}
    assert names == {"channel_record.json", "made.json", "timing.json"}


def test_a_clip_depends_on_the_id_of_its_text_alone(channel: PoolChannel, tmp_path: Path) -> None:
    forward = speak(channel, TEXTS[:3], tmp_path / "forward")
    backward = speak(channel, TEXTS[2::-1], tmp_path / "backward")[::-1]
    for first, second in zip(forward, backward, strict=True):
        assert first.audio_filepath.read_bytes() == second.audio_filepath.read_bytes()


def test_a_worker_that_unpickles_the_voice_makes_the_same_files(
    channel: PoolChannel, texts: Manifest, run: Path
) -> None:
    voice = Checkpoint("noise", run)
    studio = synthesize(VOICE, voice, texts, 2, out=run / "alone" / "spoken")
    alone = list(apply_pool_channel(studio, channel, out=run / "alone" / "in_channel"))
    assert len(alone) == 24
    engine = pickle.loads(pickle.dumps(partial(pass_through_channel, channel)))
    shard = list(engine(list(studio)[7:10], run / "shard"))
    for first, second in zip(alone[7:10], shard, strict=True):
        assert first.audio_filepath.read_bytes() == second.audio_filepath.read_bytes()


def test_a_text_that_cannot_be_spoken_stays_an_error(channel: PoolChannel, tmp_path: Path) -> None:
    [spoken] = speak(channel, [replace(TEXTS[0], text="?")], tmp_path)
    assert spoken.error == "cannot be spoken" and spoken.made_by is None


@pytest.mark.parametrize(("clips", "origin"), [(7, "pseudo"), (12, "human")])
def test_too_few_clips_of_the_pool_leave_speech_as_it_is_and_are_told(
    clips: int, origin: str, texts: Manifest, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    labels = record(tmp_path / "labels", clips, origin)
    channel = measure(texts, labels, tmp_path / "neural" / "channel")
    assert ChannelRecord.load(channel.folder).pool == ()
    count = clips if origin == "pseudo" else 0
    assert (
        "voice neural: its speech does not get the channel of the pool, since 12 of its texts and "
        f"{count} clips of the pool could be measured, and 8 of each are needed"
    ) in caplog.text
    [spoken] = speak(channel, TEXTS[:1], tmp_path / "a")
    [studio] = speak(None, TEXTS[:1], tmp_path / "b")
    assert spoken.audio_filepath.read_bytes() == studio.audio_filepath.read_bytes()
    assert spoken.made_by == "noise"


def test_clips_are_averaged_with_those_of_their_own_kind(tmp_path: Path, texts: Manifest) -> None:
    """A pool of two channels keeps both, instead of one between them."""
    narrow = list(record(tmp_path / "narrow", 20))
    wide = []
    for number in range(20):
        path = tmp_path / "wide" / f"{number}.wav"
        duration = audio.write(make_noise(f"wide-{number}", 0.05), path)
        wide.append(
            Utterance(
                id=f"wide-{number}", audio_filepath=path, duration=duration, text="a",
                origin="pseudo",
            )
        )  # fmt: skip
    labels = Manifest.write([*narrow, *wide], tmp_path / "labels")
    measured = ChannelRecord.load(measure(texts, labels, tmp_path / "v" / "channel").folder)
    bandwidths = sorted(clip.bandwidth for clip in measured.pool)
    assert max(bandwidths[:20]) < 3000 and min(bandwidths[20:]) > 7000


@pytest.mark.parametrize(
    ("changes", "sounds_like_the_pool", "made_by"),
    [
        ({}, False, "toy+pool_channel"),
        ({"pool_channel": False}, False, "toy"),
        ({}, True, "toy"),
    ],
)
def test_the_trial_of_a_round_hears_speech_with_the_channel_that_it_needs(
    changes: dict[str, bool],
    sounds_like_the_pool: bool,
    made_by: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ToySynthesizer, "sounds_like_the_pool", sounds_like_the_pool)
    # The toy world has a few clips of a second.
    monkeypatch.setattr(pool_channel, "FEWEST_CLIPS", 1)
    monkeypatch.setattr(pool_channel, "SHORTEST_CLIP", 0.1)
    voices = {"voices": {"tones": {"use": "toy", **changes}}}
    done = next_round(load(toy.build(tmp_path), voices), tmp_path / "run")
    trial = Manifest.load(done.folder / "voices" / "tones" / "trial")
    assert {utterance.made_by for utterance in trial} == {made_by}
    assert (done.folder / "voices" / "tones" / "channel").exists() == ("+" in made_by)


def test_later_rounds_copy_the_speech_of_a_voice_that_learns_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(pool_channel, "FEWEST_CLIPS", 1)
    monkeypatch.setattr(pool_channel, "SHORTEST_CLIP", 0.1)
    folders = []
    speak_noise = NoiseSynthesizer.synthesize

    def note(
        self: NoiseSynthesizer, checkpoint: Checkpoint, texts: Iterable[Utterance], out: Path
    ) -> Iterator[Utterance]:
        folders.append(out.parent.name)
        yield from speak_noise(self, checkpoint, texts, out)

    monkeypatch.setattr(NoiseSynthesizer, "synthesize", note)
    caplog.set_level("INFO")
    settings = {"trial": {"at_most": 10}, "replay": []}
    plan = load(toy.build(tmp_path), settings)
    noise = replace(plan.voices[0], name="noise", synthesizer=VOICE)
    # Without gates the second round has another champion, and so other labels and another channel.
    plan = replace(plan, voices=(noise,), gates=())
    spoken = []
    for number in (1, 2):
        voice = next_round(plan, tmp_path / "run").folder / "voices" / "noise"
        assert (".spoken" in folders) == (number == 1), folders
        spoken.append([line.audio_filepath.read_bytes() for line in Manifest(voice / "spoken")])
        verified = Manifest(voice / "verified")
        assert {line.made_by for line in verified} == {"noise+pool_channel"}
        assert {line.audio_filepath.parents[1] for line in verified} == {voice / "in_channel"}
        assert not (voice / "voice").exists()
        folders.clear()
    assert spoken[0] == spoken[1]
    assert "voice noise: its speech is that of an earlier round" in caplog.text
    channels = {
        (tmp_path / "run" / f"round-0{number}/voices/noise/channel/channel_record.json").read_text()
        for number in (1, 2)
    }
    assert len(channels) == 2
