"""Kinds of damage: headers that lie or are missing, files that are cut off or joined."""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import partial
from pathlib import Path

import av

from . import RATE, Kind, Samples
from ._write import Pipe, encode, sndfile, to_pcm16, wav_bytes, wav_header

Writer = Callable[[Path, Samples], object]
STREAMINFO = 8
"""First byte of the STREAMINFO block in a FLAC file."""


def _wav(name: str, data_bytes: int | None = None, **header: int) -> Kind:
    """Return a WAV file whose header says something else than what follows it."""

    def write(folder: Path, speech: Samples) -> None:
        pcm = to_pcm16(speech)
        size = len(pcm) if data_bytes is None else data_bytes
        (folder / name).write_bytes(wav_header(size, **header) + pcm)

    return Kind(name, write)


def _raw(name: str, content: Callable[[Samples], bytes], **right: object) -> Kind:
    def write(folder: Path, speech: Samples) -> None:
        (folder / name).write_bytes(content(speech))

    return Kind(name, write, **right)  # type: ignore[arg-type]


def _rejected(kind: Kind, reason: str) -> Kind:
    return Kind(kind.name, kind.write, None, reason)


def _with_chunks(speech: Samples) -> bytes:
    wav = wav_bytes(speech)
    note = b"LIST" + struct.pack("<I", 14) + b"INFOICMT\x02\0\0\0hi"
    return wav[:12] + b"bext" + struct.pack("<I", 602) + bytes(602) + wav[12:] + note


def _flac(name: str, length: Callable[[int], int]) -> Kind:
    """Return a FLAC file whose header has another number of samples, in 36 bits."""

    def write(folder: Path, speech: Samples) -> None:
        path = sndfile(folder / name, speech, "FLAC", "PCM_16")
        content = bytearray(path.read_bytes())
        field = slice(STREAMINFO + 10, STREAMINFO + 18)
        bits = int.from_bytes(content[field])
        content[field] = (bits >> 36 << 36 | length(len(speech))).to_bytes(8)
        path.write_bytes(content)

    return Kind(name, write)


def _mp3(
    path: Path, speech: Samples, bit_rate: int = 64_000, rate: int = RATE, xing: int = 0
) -> bytes:
    """Return an MP3 file of a constant bit rate, with a Xing header or without."""
    encode(path, speech, "libmp3lame", "mp3", rate, bit_rate=bit_rate, write_xing=str(xing))
    content = path.read_bytes()
    path.unlink()
    return content


def _vbr(folder: Path, speech: Samples) -> None:
    """Write frames of many sizes: a reader that takes the first for all is wrong."""
    # The quality is that of LAME's -V 4; FFmpeg counts it in steps of 118.
    quality = {"flags": "+qscale", "global_quality": str(4 * 118)}
    encode(
        folder / "vbr without xing.mp3",
        speech,
        "libmp3lame",
        "mp3",
        codec_options=quality,
        write_xing="0",
    )


def _lying_xing(name: str, factor: float) -> Kind:
    def write(folder: Path, speech: Samples) -> None:
        content = bytearray(_mp3(folder / "a", speech, xing=1))
        place = max(content.find(b"Xing"), content.find(b"Info")) + 8
        count = int.from_bytes(content[place : place + 4])
        content[place : place + 4] = round(count * factor).to_bytes(4)
        (folder / name).write_bytes(content)

    return Kind(name, write)


def _half(name: str, write: Callable[[Path, Samples], object], slack: float = 0.0) -> Kind:
    """Return the first half of the bytes of a file; whole packets of it can be read."""

    def write_half(folder: Path, speech: Samples) -> float:
        path = folder / name
        write(path, speech)
        content = path.read_bytes()
        seconds = _seconds_before(path, len(content) // 2)
        path.write_bytes(content[: len(content) // 2])
        return seconds

    return Kind(name, write_half, slack=slack)


def _half_of_samples(name: str, form: str) -> Kind:
    """Return the first half of the bytes of a file of samples."""

    def write(folder: Path, speech: Samples) -> None:
        content = sndfile(folder / name, speech, form, "PCM_16").read_bytes()
        (folder / name).write_bytes(content[: len(content) // 2])

    return Kind(name, write, share=0.5)


def _seconds_before(path: Path, size: int) -> float:
    """Return when the last packet ends that lies before some byte of a file."""
    with av.open(str(path)) as file:
        [stream] = file.streams.audio[:1]
        packets = [packet for packet in file.demux(stream) if packet.pts is not None]
        ends = [
            float((packet.pts + (packet.duration or 0)) * packet.time_base)
            for packet in packets
            if packet.pos is not None and packet.pos + packet.size <= size
        ]
    return max(ends, default=0.0)


def _joined(name: str, first: Writer, second: Writer, **right: object) -> Kind:
    def write(folder: Path, speech: Samples) -> None:
        contents = []
        for writer in (first, second):
            writer(folder / name, speech)
            contents.append((folder / name).read_bytes())
        (folder / name).write_bytes(b"".join(contents))

    return Kind(name, write, **{"share": 2.0, **right})  # type: ignore[arg-type]


def _by(codec: str, container: str, rate: int = RATE, **options: str) -> Writer:
    return lambda path, speech: encode(path, speech, codec, container, rate, **options)


def _by_sndfile(form: str, codec: str, rate: int = RATE) -> Writer:
    return partial(sndfile, form=form, codec=codec, rate=rate)


_MP3 = _by("libmp3lame", "mp3", id3v2_version="0")
_OPUS = _by("libopus", "opus", 48_000, page_duration="100000")
HEADERS = [
    _wav("data size 0.wav", 0),
    _wav("data size FFFFFFFF.wav", 0xFFFFFFFF),
    _wav("data size beyond the file.wav", 10_000_000),
    _raw("other chunks.wav", _with_chunks),
    _rejected(_wav("0 Hz.wav", rate=0), "rate|cannot read"),
    _rejected(_wav("1 Hz.wav", rate=1), "rate"),
    _rejected(_wav("0 channels.wav", channels=0), "channel|format|header"),
    _rejected(_wav("unknown codec.wav", tag=0x7777), "codec|format|decode"),
    _raw(
        "header only.wav",
        lambda speech: wav_header(0),
        share=None,
        reason="no samples|no audio|0 s of audio",
    ),
    _raw("half a header.wav", lambda speech: wav_header(0)[:20], share=None, reason="cannot read"),
    _flac("length unknown.flac", lambda count: 0),
    _flac("length ten times.flac", lambda count: 10 * count),
    _flac("length a tenth.flac", lambda count: count // 10),
    _flac("length of years.flac", lambda count: 2**36 - 1),
    Kind("vbr without xing.mp3", _vbr, padding=0.2),
    _lying_xing("xing a quarter.mp3", 0.25),
    _lying_xing("xing ten times.mp3", 10.0),
    Kind(
        "noise before.mp3",
        lambda folder, speech: (folder / "noise before.mp3").write_bytes(
            bytes(range(128)) * 20 + _mp3(folder / "a", speech)
        ),
        padding=0.1,
    ),
    Kind(
        "tag behind.mp3",
        lambda folder, speech: (folder / "tag behind.mp3").write_bytes(
            _mp3(folder / "a", speech) + b"TAG" + bytes(125)
        ),
        padding=0.1,
    ),
]
TRUNCATED = [
    _half_of_samples("half.wav", "WAV"),
    _half_of_samples("half.aiff", "AIFF"),
    _half_of_samples("half.au", "AU"),
    _half("half.flac", _by_sndfile("FLAC", "PCM_16")),
    _half("half.mp3", _MP3),
    _half("half.ogg", _by("flac", "ogg", page_duration="100000"), 0.2),
    _half("half.opus", _OPUS, 0.2),
    _half("half.webm", _by("libopus", "webm", 48_000)),
    _half("half.mkv", _by("aac", "matroska", 44_100)),
    _half("half with index first.m4a", _by("aac", "ipod", 44_100, movflags="+faststart")),
    _half("half.aac", _by("aac", "adts", 44_100)),
    _half("half.amr", _by("libopencore_amrnb", "amr", 8_000)),
    _half("half.ts", _by("mp2", "mpegts", 48_000), 0.2),
    _half("half.avi", _by("libmp3lame", "avi", 44_100)),
    _rejected(_half("half without index.m4a", _by("aac", "ipod", 44_100)), "index|moov|incomplete"),
]
JOINED = [
    _joined("mp3 and mp3.mp3", _MP3, _MP3, padding=0.2),
    _joined("mp3 of other rates.mp3", _MP3, _by("libmp3lame", "mp3", 44_100), padding=0.2),
    _joined("chained.opus", _OPUS, _OPUS),
    _joined("chained.ogg", _by_sndfile("OGG", "VORBIS"), _by_sndfile("OGG", "VORBIS")),
    _joined("aac and aac.aac", _by("aac", "adts", 44_100), _by("aac", "adts", 44_100), padding=0.1),
    _joined(
        "wav and wav.wav",
        lambda path, speech: path.write_bytes(wav_bytes(speech)),
        lambda path, speech: path.write_bytes(wav_bytes(speech)),
    ),
]


def _piped(
    name: str, codec: str, container: str, rate: int = RATE, padding: float = 0.0, **options: str
) -> Kind:
    """Return a file that was written to a pipe: its header could not be corrected at the end."""
    return Kind(
        name,
        lambda folder, speech: encode(
            Pipe(folder / name), speech, codec, container, rate, **options
        ),
        padding=padding,
    )


PIPED = [
    _piped("piped.wav", "pcm_s16le", "wav"),
    _piped("piped.flac", "flac", "flac"),
    _piped("piped.mp3", "libmp3lame", "mp3", padding=0.1),
    _piped("piped.au", "pcm_s16be", "au"),
    _piped("piped.caf", "pcm_s16le", "caf"),
    _piped("piped.mkv", "aac", "matroska", 44_100),
    _piped("from a browser.webm", "libopus", "webm", 48_000, live="1"),
    _piped("piped.ogg", "libopus", "ogg", 48_000),
    _piped("piped.wv", "wavpack", "wv"),
    _piped("piped.tta", "tta", "tta"),
    _piped("fragments.mp4", "aac", "mp4", 44_100, movflags="frag_keyframe+empty_moov"),
    _piped("fragments.m4a", "aac", "mp4", 44_100, movflags="dash+frag_every_frame+empty_moov"),
]


def _tag(size: int) -> bytes:
    """Return an ID3 tag of some size, as of a large picture."""
    places = bytes(size >> 7 * place & 127 for place in (3, 2, 1, 0))
    return b"ID3\x03\0\0" + places + bytes(size)


def _tagged(name: str, write: Writer, before: bytes = b"", behind: bytes = b"") -> Kind:
    def write_tagged(folder: Path, speech: Samples) -> None:
        write(folder / name, speech)
        (folder / name).write_bytes(before + (folder / name).read_bytes() + behind)

    return Kind(name, write_tagged, padding=0.1)


TAGGED = [
    _tagged("large tag.mp3", _MP3, _tag(300_000)),
    _tagged("tag before.flac", _by_sndfile("FLAC", "PCM_16"), _tag(2_000)),
    _tagged("tag before.aac", _by("aac", "adts", 44_100), _tag(2_000)),
    _tagged(
        "tag behind.wav",
        lambda path, speech: path.write_bytes(wav_bytes(speech)),
        behind=b"id3 " + struct.pack("<I", 100) + bytes(100),
    ),
    _tagged("zeros behind.mp3", _MP3, behind=bytes(20_000)),
    _tagged("zeros behind.flac", _by_sndfile("FLAC", "PCM_16"), behind=bytes(20_000)),
    _tagged("zeros behind.m4a", _by("aac", "ipod", 44_100), behind=bytes(20_000)),
    _tagged("zeros behind.opus", _OPUS, behind=bytes(20_000)),
]
KINDS = [*HEADERS, *TRUNCATED, *JOINED, *PIPED, *TAGGED]
