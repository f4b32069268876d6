"""Reading audio: what is no sound is refused, and channels that cancel are not averaged."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from twister_loop import Utterance
from twister_loop.audio import io as audio
from twister_loop.audio.augmentation import Augmentation, RandomEffect
from twister_loop.audio.effects.gain import Gain
from twister_loop.core.manifest import Manifest
from twister_loop.core.tallies import Funnel
from twister_loop.data.packing import PackOptions
from twister_loop.data.scanning import ScanOptions, scan_recording
from twister_loop.errors import AudioError
from twister_loop.pipeline.stages.listing import scan
from twister_loop.pipeline.stages.mixture import augment
from twister_loop.pipeline.stages.packing import pack
from twister_loop.reporting.dashboard.clips import _copy_clip

RATE = audio.SAMPLE_RATE


def tone(seconds: float = 1.0, level: float = 0.3, hertz: float = 220.0) -> audio.Samples:
    times = np.arange(round(seconds * RATE)) / RATE
    return (level * np.sin(2 * np.pi * hertz * times)).astype("f4")


def write_float(path: Path, samples: np.ndarray, rate: int = RATE) -> Path:
    soundfile.write(path, samples, rate, subtype="FLOAT")
    return path


def recording(path: Path, **fields: object) -> Utterance:
    duration = audio.read_duration(path)
    return Utterance(id=path.stem, audio_filepath=path, duration=duration, **fields)  # type: ignore[arg-type]


@pytest.fixture(params=[np.nan, np.inf, -np.inf])
def broken(request: pytest.FixtureRequest, tmp_path: Path) -> Utterance:
    """Return a second of sound with one sample that is no number."""
    samples = tone()
    samples[7000] = request.param
    return recording(write_float(tmp_path / "broken.wav", samples), text="a text")


def test_one_sample_that_is_not_finite_makes_a_file_unreadable(broken: Utterance) -> None:
    with pytest.raises(AudioError, match=r"broken\.wav: some samples are NaN or infinite"):
        audio.load_utterance(broken)


def test_a_segment_beside_the_bad_sample_is_read(broken: Utterance) -> None:
    assert len(audio.read(broken.audio_filepath, duration=0.4)) == 0.4 * RATE
    assert len(audio.read(broken.audio_filepath, offset=0.5)) == 0.5 * RATE


def test_a_bad_sample_of_one_channel_spoils_the_others_only_if_they_are_mixed(
    tmp_path: Path,
) -> None:
    stereo = np.stack([tone(), tone()], axis=1)
    stereo[3, 1] = np.nan
    path = write_float(tmp_path / "stereo.wav", stereo)
    np.testing.assert_array_equal(audio.read(path, channel=0), tone())
    for channel in (None, 1):
        with pytest.raises(AudioError, match="NaN"):
            audio.read(path, channel=channel)


def test_the_scan_rejects_and_counts_a_file_with_a_bad_sample(
    broken: Utterance, tmp_path: Path
) -> None:
    good = recording(write_float(tmp_path / "good.wav", tone()))
    listing = Manifest.write([broken, good], tmp_path / "listing")
    pool = scan(ScanOptions(), listing, out=tmp_path / "pool")
    assert [utterance.id for utterance in pool] == ["good"]
    assert Funnel.load(tmp_path / "pool").rejected["unreadable"].utterances == 1
    [rejected] = Manifest.load(tmp_path / "pool" / "rejected")
    assert "NaN" in (rejected.objection or "")


def test_packing_leaves_an_utterance_with_a_bad_sample_out(
    broken: Utterance, tmp_path: Path
) -> None:
    from twister_loop.asr.toy import ToyRecognizer

    good = recording(write_float(tmp_path / "good.wav", tone()), text="fine")
    mixture = Manifest.write([broken, good], tmp_path / "mixture")
    asr = ToyRecognizer()
    packed = pack(PackOptions(), mixture, asr, asr.initial_checkpoint(), 0, out=tmp_path / "packed")
    assert [utterance.text for utterance in packed] == ["fine"]
    assert np.abs(audio.load_utterance(next(iter(packed)))).max() < 0.4
    [rejected] = Manifest.load(tmp_path / "packed" / "rejected")
    assert rejected.id == "broken" and "NaN" in (rejected.objection or "")


def test_the_clip_maker_of_the_page_passes_over_a_bad_sample(
    broken: Utterance, tmp_path: Path
) -> None:
    assert not _copy_clip(broken, tmp_path / "clip.wav")
    assert not (tmp_path / "clip.wav").exists()


def test_samples_that_are_not_finite_are_never_written(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="not written"):
        audio.write(np.array([0.0, np.nan], np.float32), tmp_path / "out.wav")
    assert not (tmp_path / "out.wav").exists()


def test_an_effect_that_makes_samples_that_are_not_finite_is_not_applied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Gain, "apply", lambda self, samples, rng: samples * np.nan)
    good = recording(write_float(tmp_path / "good.wav", tone()))
    mixture = Manifest.write([good], tmp_path / "mixture")
    effects = Augmentation(effects=(RandomEffect(Gain(), 1.0),))
    [kept] = augment(effects, mixture, 0, out=tmp_path / "augmented")
    assert kept == good


@pytest.mark.parametrize("scale", [128, 32768, 2.0**31, 1e30])
def test_integers_in_a_float_file_are_refused_with_the_remedy(tmp_path: Path, scale: float) -> None:
    path = write_float(tmp_path / "integers.wav", tone() * np.float32(scale))
    [rejected] = scan_recording(ScanOptions(), recording(path))
    assert rejected.rejected_by == "unreadable"
    assert "scale them to between -1 and 1" in (rejected.objection or "")


def test_the_limit_is_twelve_decibels_above_full_scale(tmp_path: Path) -> None:
    samples = tone()
    samples[100] = audio.MAX_PEAK
    path = write_float(tmp_path / "loud.wav", samples)
    np.testing.assert_array_equal(audio.read(path), samples)
    samples[100] = -1.01 * audio.MAX_PEAK
    with pytest.raises(AudioError, match="full scale is 1"):
        audio.read(write_float(path, samples))


@pytest.mark.parametrize(
    ("gains", "expected"),
    [
        ((1.0, -1.0), 0),  # one microphone with inverted polarity
        ((0.8, -1.0), 1),
        ((1.0, -1.0, 0.9, -0.9), 0),
        ((-1.0, 1.0, 0.0), 0),
    ],
)
def test_the_loudest_of_channels_that_cancel_is_read(
    tmp_path: Path, gains: tuple[float, ...], expected: int
) -> None:
    channels = np.stack([tone(level=0.3 * gain) for gain in gains], axis=1)
    path = write_float(tmp_path / "cancel.wav", channels)
    np.testing.assert_array_equal(audio.read(path), channels[:, expected])
    # The same for a segment, and at another rate.
    np.testing.assert_array_equal(
        audio.read(path, offset=0.25, duration=0.5), channels[4000:12000, expected]
    )


def test_an_offset_common_to_all_channels_does_not_hide_that_they_cancel(tmp_path: Path) -> None:
    channels = np.stack([tone() + 0.1, 0.1 - tone()], axis=1).astype("f4")
    path = write_float(tmp_path / "offset.wav", channels)
    assert audio.read(path).std() > 0.2


@pytest.mark.parametrize(
    "gains", [(1.0, 1.0), (1.0, 0.0), (1.0, 0.5), (1.0, *[0.0] * 7), (1.0, -0.25), (0.0, 0.0)]
)
def test_channels_that_do_not_cancel_are_averaged_as_ever(
    tmp_path: Path, gains: tuple[float, ...]
) -> None:
    channels = np.stack([tone(level=0.3 * gain) for gain in gains], axis=1)
    path = write_float(tmp_path / "mixed.wav", channels)
    np.testing.assert_array_equal(audio.read(path), channels.mean(axis=1))


def test_channels_with_different_speech_are_averaged(tmp_path: Path) -> None:
    channels = np.random.default_rng(0).normal(0, 0.1, (RATE, 4)).astype("f4")
    path = write_float(tmp_path / "call.wav", channels)
    np.testing.assert_array_equal(audio.read(path), channels.mean(axis=1))
