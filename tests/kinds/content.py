"""Kinds of content: names that lie, films, several tracks, and what is no sound."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import soundfile

from . import RATE, Kind, Samples
from ._write import encode, encode_video, sndfile, wav_bytes

PAGE = b"<!doctype html><html><body>404: this recording has moved</body></html>\n" * 9
UNKNOWN = "unknown kinds|neither its ending nor"
NOT_AUDIO = "cannot read audio"


def _bytes(name: str, content: Callable[[Samples], bytes], **right: object) -> Kind:
    def write(folder: Path, speech: Samples) -> None:
        (folder / name).write_bytes(content(speech))

    return Kind(name, write, **right)  # type: ignore[arg-type]


def _no_audio(name: str, content: bytes, reason: str) -> Kind:
    return _bytes(name, lambda speech: content, share=None, reason=reason)


def _renamed(name: str, codec: str, container: str, rate: int = RATE) -> Kind:
    return Kind(name, lambda folder, speech: encode(folder / name, speech, codec, container, rate))


def _film(name: str, container: str, codec: str, picture: str = "mpeg4") -> Kind:
    return Kind(
        name,
        lambda folder, speech: encode_video(folder / name, speech, container, codec, picture),
    )


def _silent_film(name: str, container: str) -> Kind:
    return Kind(
        name,
        lambda folder, speech: encode_video(folder / name, None, container, None),
        None,
        "no audio|no sound",
    )


def _image(form: str = "png") -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format="image2pipe") as images:
        stream = images.add_stream("png" if form == "png" else "mjpeg", rate=1)
        stream.width, stream.height = 32, 32
        stream.pix_fmt = "rgb24" if form == "png" else "yuvj420p"
        picture = av.VideoFrame.from_ndarray(np.full((32, 32, 3), 90, np.uint8), format="rgb24")
        for packet in [
            *stream.encode(picture.reformat(format=stream.pix_fmt)),
            *stream.encode(None),
        ]:
            images.mux(packet)
    return file.getvalue()


def _zip(speech: Samples) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("call.wav", wav_bytes(speech))
    return file.getvalue()


def _with_cover(name: str, codec: str, container: str) -> Kind:
    """Return a file with a picture beside the sound, as music players write it."""

    def write(folder: Path, speech: Samples) -> None:
        plain = encode(folder / "plain", speech, codec, container, 44_100)
        with (
            av.open(str(plain)) as sound,
            av.open(str(folder / name), "w", format=container) as file,
        ):
            [source] = sound.streams.audio
            stream = file.add_stream_from_template(source)
            cover = file.add_stream("mjpeg", rate=1)
            cover.width, cover.height, cover.pix_fmt = 32, 32, "yuvj420p"
            cover.disposition = av.stream.Disposition.attached_pic
            picture = av.VideoFrame.from_ndarray(np.full((32, 32, 3), 9, np.uint8), format="rgb24")
            for packet in cover.encode(picture.reformat(format="yuvj420p")):
                file.mux(packet)
            for packet in sound.demux(source):
                if packet.dts is not None:
                    packet.stream = stream
                    file.mux(packet)
        plain.unlink()

    return Kind(name, write)


def _replaced(name: str, codec: str, container: str, old: bytes, new: bytes) -> Kind:
    """Return a file whose codec is one that nobody knows, and whose sound is encrypted."""

    def write(folder: Path, speech: Samples) -> None:
        path = encode(folder / name, speech, codec, container, 48_000)
        content = path.read_bytes().replace(old, new)
        start = content.find(b"mdat") + 4
        if start > 4:
            size = int.from_bytes(content[start - 8 : start - 4]) - 8
            noise = np.random.default_rng(6).bytes(size)
            content = content[:start] + noise + content[start + size :]
        path.write_bytes(content)

    return Kind(name, write, None, "codec|decode|cannot read|no audio")


def _floats(name: str, change: Callable[[Samples], Samples], **right: object) -> Kind:
    def write(folder: Path, speech: Samples) -> None:
        soundfile.write(folder / name, change(speech), RATE, subtype="FLOAT")

    return Kind(name, write, **right)  # type: ignore[arg-type]


def _with_one(bad: float) -> Callable[[Samples], Samples]:
    def change(speech: Samples) -> Samples:
        changed = speech.copy()
        changed[len(changed) // 2] = bad
        return changed

    return change


NAMED = [
    _no_audio("empty.wav", b"", "empty"),
    _no_audio("empty.mp3", b"", "empty"),
    _no_audio("empty", b"", "unknown kinds|empty"),
    _no_audio("text.wav", b"Dear colleagues,\nthe file is attached.\n" * 20, NOT_AUDIO),
    _no_audio("page.mp3", PAGE, NOT_AUDIO),
    _bytes("zip.wav", _zip, share=None, reason=NOT_AUDIO),
    _bytes("calls.zip", _zip, share=None, reason="unpack"),
    _no_audio("picture.wav", _image(), "cannot read|no audio"),
    _no_audio("picture.png", _image(), "without sound"),
    _no_audio("photo.jpg", _image("jpeg"), "without sound"),
    _no_audio("notes.txt", b"not read, and counted\n", "without sound"),
    _no_audio("captions.srt", b"1\n00:00:00,000 --> 00:00:02,000\nhi\n", "without sound"),
    _no_audio("noise.xyz", np.random.default_rng(1).bytes(4000), UNKNOWN),
    _no_audio("noise.wav", np.random.default_rng(2).bytes(4000), NOT_AUDIO),
    _no_audio("noise.m4a", np.random.default_rng(3).bytes(4000), NOT_AUDIO),
    _no_audio("noise", np.random.default_rng(4).bytes(4000), UNKNOWN),
    _no_audio("call.ulaw", np.random.default_rng(5).bytes(4000), UNKNOWN),
    _bytes("wav named.mp3", wav_bytes),
    _bytes("wav named.xyz", wav_bytes),
    _bytes("wav named.txt", wav_bytes),
    _bytes("wav without an ending", wav_bytes),
    _bytes("wav named.pcm", wav_bytes),
    _bytes("LOUD.WAV", wav_bytes),
    _renamed("mp3 named.wav", "libmp3lame", "mp3"),
    _renamed("mp3 named.ogg", "libmp3lame", "mp3"),
    _renamed("mp3 without an ending", "libmp3lame", "mp3"),
    _renamed("m4a without an ending", "aac", "ipod", 44_100),
    _renamed("m4a named.mp3", "aac", "ipod", 44_100),
    _renamed("opus named.ogg", "libopus", "ogg", 48_000),
    _renamed("amr named.3gp.part", "libopencore_amrnb", "amr", 8_000),
    _renamed("SHOUT.MP3", "libmp3lame", "mp3"),
    _renamed("Memo.M4A", "aac", "ipod", 44_100),
    Kind(
        "flac named.wav",
        lambda folder, speech: sndfile(folder / "flac named.wav", speech, "FLAC", "PCM_16"),
    ),
]
FILMS = [
    _film("film.mp4", "mp4", "aac"),
    _film("film.mov", "mov", "aac"),
    _film("film.mkv", "matroska", "libopus"),
    _film("film.webm", "webm", "libopus", "libvpx"),
    _film("film.avi", "avi", "libmp3lame"),
    _film("film.3gp", "3gp", "aac"),
    _film("film.mpg", "mpeg", "mp2", "mpeg1video"),
    _silent_film("silent.mp4", "mp4"),
    _silent_film("silent.mkv", "matroska"),
    _silent_film("silent.avi", "avi"),
    Kind(
        "two tracks.mka",
        lambda folder, speech: encode(
            folder / "two tracks.mka", speech, "libopus", "matroska", 48_000, tracks=2
        ),
    ),
    _with_cover("cover.mp3", "libmp3lame", "mp3"),
    _with_cover("cover.m4a", "aac", "mp4"),
    _replaced("protected.m4a", "aac", "ipod", b"mp4a", b"drms"),
    _replaced("unknown codec.mka", "libopus", "matroska", b"A_OPUS", b"A_XYZZ"),
]
SAMPLES = [
    _floats("nan.wav", _with_one(np.nan), share=None, reason="NaN"),
    _floats("infinite.wav", _with_one(np.inf), share=None, reason="NaN or infinite"),
    _floats("integers in floats.wav", lambda speech: 32767 * speech, share=None, reason="scale"),
    _floats("antiphase.wav", lambda speech: np.stack([speech, -speech], axis=1)),
    _floats("one channel silent.wav", lambda speech: np.stack([speech, 0 * speech], axis=1)),
    _floats("offset.wav", lambda speech: speech + np.float32(0.2), clean=False),
    _floats("digital silence.wav", lambda speech: 0 * speech, share=None, reason="dB"),
    _floats(
        "only an offset.wav", lambda speech: 0 * speech + np.float32(0.5), share=None, reason="dB"
    ),
    _floats("too short.wav", lambda speech: speech[:800], share=None, reason="0.05 s"),
]
KINDS = [*NAMED, *FILMS, *SAMPLES]
