"""Decoding: whole files, exact segments, true durations, and reasons where nothing can be read."""

from __future__ import annotations

import os
import struct
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.kinds import Samples, speak
from tests.kinds._write import encode
from twister_loop import Utterance
from twister_loop.audio import io as audio
from twister_loop.data.scanning import ScanOptions, scan_recording
from twister_loop.errors import AudioError

RATE = audio.SAMPLE_RATE
SECONDS = 6.3
SPEECH = speak(SECONDS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("decoding")


@pytest.fixture(scope="module")
def mp3(folder: Path) -> Path:
    return encode(folder / "speech.mp3", SPEECH, "libmp3lame", "mp3")


@pytest.fixture(scope="module")
def flac(folder: Path) -> Path:
    soundfile.write(folder / "speech.flac", SPEECH, RATE)
    return folder / "speech.flac"


@pytest.fixture(scope="module")
def wav(folder: Path) -> Path:
    soundfile.write(folder / "speech.wav", SPEECH, RATE)
    return folder / "speech.wav"


def check_duration(path: Path, seconds: float) -> Samples:
    """Check what is read and what is measured, and return the samples."""
    samples = audio.read(path)
    assert len(samples) / RATE == pytest.approx(seconds, abs=0.1)
    assert audio.measure_duration(path) == pytest.approx(len(samples) / RATE, abs=0.1)
    return samples


LOSSY = {
    "speech.mp3": ("libmp3lame", "mp3", 44_100),
    "slow.mp3": ("libmp3lame", "mp3", 8_000),
    "speech.m4a": ("aac", "ipod", 44_100),
    "low.m4a": ("aac", "ipod", 8_000),
    "speech.aac": ("aac", "adts", 16_000),
    "speech.opus": ("libopus", "opus", 16_000),
    "speech.webm": ("libopus", "webm", 48_000),
    "speech.wma": ("wmav2", "asf", 44_100),
    "speech.amr": ("libopencore_amrnb", "amr", 8_000),
    "speech.3gp": ("libopencore_amrnb", "3gp", 8_000),
    "speech.ac3": ("ac3", "ac3", 48_000),
    "flac.ogg": ("flac", "ogg", 22_050),
    "speech.ts": ("mp2", "mpegts", 48_000),
    "speech.flv": ("aac", "flv", 44_100),
    "in.caf": ("alac", "caf", 16_000),
    "mp3 in riff.wav": ("libmp3lame", "wav", 16_000),
    "speech.wv": ("wavpack", "wv", 16_000),
}


@pytest.mark.parametrize("name", LOSSY)
def test_a_file_is_read_whole_and_its_segments_are_slices_of_it(tmp_path: Path, name: str) -> None:
    codec, container, rate = LOSSY[name]
    bit_rate = 48_000 if codec.startswith("wma") else None
    path = encode(tmp_path / name, SPEECH, codec, container, rate, bit_rate=bit_rate)
    samples = check_duration(path, SECONDS)
    for offset, duration in ((0.0, 1.0), (1.017, 0.7), (4.444, 1.5), (5.9, 5.0)):
        start = round(offset * RATE)
        expected = samples[start : start + round(duration * RATE)]
        segment = audio.read(path, offset, duration)
        np.testing.assert_allclose(segment, expected, atol=1e-5)


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_100, 48_000, 192_000])
def test_segments_at_other_rates_are_slices_of_the_whole(tmp_path: Path, rate: int) -> None:
    path = tmp_path / "speech.wav"
    soundfile.write(path, audio.resample(SPEECH, RATE, rate), rate, subtype="FLOAT")
    samples = check_duration(path, SECONDS)
    for offset, duration in ((0.0, 1.0), (1.2345, 0.7), (5.9, 0.3)):
        start = round(offset * RATE)
        expected = samples[start : start + round(duration * RATE)]
        np.testing.assert_allclose(audio.read(path, offset, duration), expected, atol=1e-5)


def test_a_suffix_does_not_decide_how_a_file_is_read(tmp_path: Path, mp3: Path, wav: Path) -> None:
    for source, name in ((mp3, "speech.wav"), (wav, "speech.mp3"), (wav, "speech"), (mp3, "a.txt")):
        (tmp_path / name).write_bytes(source.read_bytes())
        np.testing.assert_array_equal(audio.read(tmp_path / name), audio.read(source))


def test_joined_mp3_files_are_read_without_the_padding_of_each(tmp_path: Path, mp3: Path) -> None:
    joined = tmp_path / "joined.mp3"
    joined.write_bytes(mp3.read_bytes() * 4)
    samples = check_duration(joined, 4 * SECONDS)
    # FFmpeg keeps the padding at the end of the first one, less than a frame.
    padding = len(samples) - round(4 * SECONDS * RATE)
    assert 0 <= padding < 576
    third = round(2 * SECONDS * RATE) + padding
    alone = audio.read(mp3)
    np.testing.assert_allclose(samples[third:][:RATE], alone[:RATE], atol=1e-3)


def test_an_mp3_without_a_tag_is_whole(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mp3", SPEECH, "libmp3lame", "mp3", 8_000, write_xing="0")
    check_duration(path, SECONDS)
    path.write_bytes(path.read_bytes() + b"TAG" + bytes(125) + path.read_bytes())
    check_duration(path, 2 * SECONDS)


def test_a_joined_ogg_file_is_read_whole(tmp_path: Path) -> None:
    opus = encode(tmp_path / "a.opus", SPEECH, "libopus", "opus").read_bytes()
    soundfile.write(tmp_path / "b.ogg", SPEECH[: 2 * RATE], RATE, format="OGG", subtype="OPUS")
    (tmp_path / "joined.opus").write_bytes(opus + (tmp_path / "b.ogg").read_bytes())
    check_duration(tmp_path / "joined.opus", SECONDS + 2)


def test_a_truncated_file_is_read_up_to_its_end(
    tmp_path: Path, mp3: Path, flac: Path, wav: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for source in (mp3, flac, wav):
        content = source.read_bytes()
        path = tmp_path / source.name
        path.write_bytes(content[: len(content) // 2 + 77])
        seconds = len(audio.read(path)) / RATE
        assert 0.4 * SECONDS < seconds < 0.6 * SECONDS
        assert audio.measure_duration(path) == pytest.approx(seconds, abs=0.1)
    assert "speech.flac: damaged in 1 place(s)" in caplog.text
    assert "speech.wav: its header promises" in caplog.text


def test_a_hole_in_a_file_is_silent_and_what_follows_keeps_its_time(
    tmp_path: Path, flac: Path
) -> None:
    content = bytearray(flac.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 2000] = bytes(2000)
    path = tmp_path / "hole.flac"
    path.write_bytes(content)
    samples = check_duration(path, SECONDS)
    np.testing.assert_allclose(samples[-RATE:], SPEECH[-RATE:], atol=1e-3)


@pytest.mark.parametrize("total", [0, 8000, 10**6, 2**36 - 1])
def test_the_header_of_a_flac_file_may_lie(tmp_path: Path, flac: Path, total: int) -> None:
    content = bytearray(flac.read_bytes())
    # 36 bits of STREAMINFO (RFC 9639, 8.2), behind 28 bits of rate, channels and sample size.
    fields = int.from_bytes(content[18:26], "big") >> 36 << 36 | total
    content[18:26] = fields.to_bytes(8, "big")
    path = tmp_path / "lies.flac"
    path.write_bytes(content)
    np.testing.assert_allclose(check_duration(path, SECONDS), audio.read(flac), atol=1e-6)
    assert audio.read_duration(path) == pytest.approx(SECONDS)


@pytest.mark.parametrize("size", [0, 10_000, 0x7FFFFFFF, 0xFFFFFFFF, 50_000_000])
def test_the_size_in_a_wav_file_may_lie(tmp_path: Path, wav: Path, size: int) -> None:
    content = bytearray(wav.read_bytes())
    content[40:44] = struct.pack("<I", size)
    path = tmp_path / "lies.wav"
    path.write_bytes(content)
    np.testing.assert_array_equal(check_duration(path, SECONDS), audio.read(wav))


def test_a_wav_file_with_notes_of_odd_size_and_without_padding_is_read(
    tmp_path: Path, wav: Path
) -> None:
    content = wav.read_bytes()
    for padding in (b"", b"\0"):
        notes = b"LIST" + struct.pack("<I", 5) + b"notes" + padding
        path = tmp_path / "notes.wav"
        path.write_bytes(content[:36] + notes + content[36:] + notes)
        np.testing.assert_array_equal(audio.read(path), audio.read(wav))


def test_joined_wav_files_are_read_whole(tmp_path: Path, wav: Path) -> None:
    path = tmp_path / "joined.wav"
    path.write_bytes(wav.read_bytes() * 3)
    samples = check_duration(path, 3 * SECONDS)
    np.testing.assert_array_equal(samples, np.tile(audio.read(wav), 3))
    segment = audio.read(path, offset=SECONDS - 0.5, duration=1.0)
    np.testing.assert_array_equal(segment, samples[round((SECONDS - 0.5) * RATE) :][:RATE])


def test_the_filling_of_the_last_block_of_a_codec_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "blocks.wav"
    soundfile.write(path, SPEECH[:RATE], RATE, subtype="IMA_ADPCM")
    content = bytearray(path.read_bytes())
    fact = content.index(b"fact")
    content[fact + 8 : fact + 12] = struct.pack("<I", RATE)
    path.write_bytes(content)
    assert len(audio.read(path)) == RATE


@pytest.mark.parametrize("rate", [1, 3_000, 1_000_000])
def test_a_rate_that_no_recording_has_is_refused(tmp_path: Path, rate: int) -> None:
    soundfile.write(tmp_path / "odd.wav", SPEECH[:3000], rate)
    for read in (audio.read, audio.read_duration, audio.measure_duration):
        with pytest.raises(AudioError, match=rf"odd\.wav: the sample rate is {rate} Hz"):
            read(tmp_path / "odd.wav")


def test_what_is_no_file_of_audio_is_refused_with_its_reason(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    os.mkfifo(tmp_path / "pipe.mp3")
    (tmp_path / "zero.wav").symlink_to("/dev/zero")
    (tmp_path / "folder.mp3").mkdir()
    (tmp_path / "empty.mp3").touch()
    (tmp_path / "page.mp3").write_text("<html>not found</html>" * 500)
    (tmp_path / "list.m3u8").write_text("#EXTM3U\n#EXTINF:9,\n/dev/zero\n")
    (tmp_path / "half.wav").write_bytes(b"RIFF\0\0\0\0WAVEfmt ")
    reasons = {
        "pipe.mp3": "a pipe or a device",
        "zero.wav": "a pipe or a device",
        "folder.mp3": "a folder",
        "empty.mp3": "the file is empty",
        "missing.mp3": "No such file",
        "page.mp3": "FFmpeg knows no audio format like it",
        "list.m3u8": "FFmpeg",
        "half.wav": "libsndfile: .*; FFmpeg knows no audio format like it",
        "nul\0.wav": "cannot read audio",
    }
    for name, reason in reasons.items():
        for read in (audio.read, audio.read_duration, audio.measure_duration):
            with pytest.raises(AudioError, match=reason):
                read(tmp_path / name)
    assert not capfd.readouterr().err  # the libraries print nothing


def test_a_sparse_file_of_zeros_is_refused_and_not_read_for_hours(tmp_path: Path) -> None:
    for name in ("zeros.mp3", "zeros.pcm"):
        with (tmp_path / name).open("wb") as file:
            file.truncate(2**42)
        with pytest.raises(AudioError):
            audio.measure_duration(tmp_path / name)
        with pytest.raises(AudioError):
            audio.read(tmp_path / name, offset=0.0, duration=1e6)


def test_a_file_whose_name_is_no_text_is_read(tmp_path: Path, mp3: Path, wav: Path) -> None:
    for source in (mp3, wav):
        path = Path(
            os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9 http:" + os.fsencode(source.suffix))
        )
        path.write_bytes(source.read_bytes())
        np.testing.assert_array_equal(audio.read(path), audio.read(source))


@pytest.mark.parametrize("channels", [2, 6])
def test_channels_of_lossy_files_are_read_one_by_one(tmp_path: Path, channels: int) -> None:
    layout = {2: "stereo", 6: "5.1"}[channels]
    path = encode(tmp_path / "a.m4a", SPEECH, "aac", "ipod", 48_000, layout)
    assert audio.count_channels(path) == channels
    assert len(audio.read(path, channel=channels - 1)) == len(audio.read(path))
    with pytest.raises(AudioError, match=f"no channel {channels}; it has {channels}"):
        audio.read(path, channel=channels)


def test_the_scan_corrects_a_listed_duration(tmp_path: Path, mp3: Path, wav: Path) -> None:
    cut = tmp_path / "cut.wav"
    cut.write_bytes(wav.read_bytes()[: 44 + 2 * 3 * RATE])
    for path, seconds in ((mp3, SECONDS), (cut, 3.0)):
        listed = Utterance(id="a", audio_filepath=path, duration=29.0)
        [utterance] = scan_recording(ScanOptions(), listed)
        assert utterance.duration == pytest.approx(seconds, abs=0.01)
        assert not utterance.rejected_by


@pytest.mark.model
def test_the_scan_of_a_long_recording_ends_where_the_file_ends(mp3: Path) -> None:
    listed = Utterance(id="a", audio_filepath=mp3, duration=3000.0)
    utterances = list(scan_recording(ScanOptions(at_most=5.0), listed))
    assert all(part.offset + part.duration < SECONDS + 0.1 for part in utterances)
    assert all(part.rejected_by != "unreadable" for part in utterances)
    beyond = Utterance(id="a", audio_filepath=mp3, duration=3000.0, offset=100.0)
    [rejected] = scan_recording(ScanOptions(), beyond)
    assert "it begins at 100 s, and the file ends at 6.3" in (rejected.objection or "")


def _read_length(path: Path) -> int:
    return len(audio.read(path, offset=0.5))


def test_threads_and_forked_processes_read_at_once(mp3: Path, flac: Path) -> None:
    paths = [mp3, flac] * 4
    lengths = [_read_length(path) for path in paths]
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(_read_length, paths)) == lengths
    with get_context("fork").Pool(2) as processes:
        assert processes.map(_read_length, paths) == lengths


def test_the_first_of_several_tracks_is_read_and_the_log_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    path = encode(tmp_path / "film.mkv", SPEECH, "pcm_s16le", "matroska", tracks=2)
    np.testing.assert_allclose(audio.read(path), SPEECH, atol=1e-4)
    assert "film.mkv: has 2 audio tracks, of which the first is read" in caplog.text


def test_an_encrypted_file_is_refused_for_what_it_is(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.m4a", SPEECH, "aac", "ipod")
    content = bytearray(path.read_bytes())
    start = content.index(b"mdat") + 4
    end = content.index(b"moov") - 4
    noise = np.random.default_rng(0).integers(0, 256, end - start, np.uint8)
    content[start:end] = noise.tobytes()
    path.write_bytes(content)
    try:
        samples = audio.read(path)
    except AudioError as error:
        assert "damaged or encrypted" in str(error)
    else:  # some packets of noise happen to decode
        assert len(samples) <= (SECONDS + 0.1) * RATE
