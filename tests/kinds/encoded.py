"""Kinds that encoders make: containers, codecs, sample rates, channels and bit depths."""

from __future__ import annotations

from collections.abc import Iterator

from . import Kind
from ._write import encode, sndfile

RATES = (8_000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000, 192_000)
CHANNELS = (1, 2, 6, 8)
BIT_RATES = {"wmav1": 32_000, "wmav2": 48_000}
"""Bits per second of encoders whose own choice fits 44.1 kHz in stereo only."""
PADDING = {"ima adpcm 8k.wav": 0.25}
"""Seconds by which the last block of an encoder is too long, and no header tells."""
OPTIONS = {"vorbis": {"strict": "experimental"}}
LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}

# Name of the file: encoder, muxer, sample rate, channels.
ENCODED = {
    "vbr.mp3": ("libmp3lame", "mp3", 16_000, 1),
    "8k.mp3": ("libmp3lame", "mp3", 8_000, 1),
    "11k.mp3": ("libmp3lame", "mp3", 11_025, 1),
    "22k.mp3": ("libmp3lame", "mp3", 22_050, 1),
    "44k stereo.mp3": ("libmp3lame", "mp3", 44_100, 2),
    "48k.mp2": ("mp2", "mp2", 48_000, 1),
    "16k.m4a": ("aac", "ipod", 16_000, 1),
    "8k.m4a": ("aac", "ipod", 8_000, 1),
    "44k stereo.m4a": ("aac", "ipod", 44_100, 2),
    "5.1.m4a": ("aac", "ipod", 48_000, 6),
    "lossless.m4a": ("alac", "ipod", 16_000, 1),
    "lossless stereo.m4a": ("alac", "ipod", 44_100, 2),
    "sound.m4b": ("aac", "ipod", 22_050, 1),
    "sound.mp4": ("aac", "mp4", 44_100, 1),
    "opus.mp4": ("libopus", "mp4", 48_000, 1),
    "flac.mp4": ("flac", "mp4", 48_000, 1),
    "pcm.mov": ("pcm_s16le", "mov", 16_000, 1),
    "ulaw.mov": ("pcm_mulaw", "mov", 8_000, 1),
    "aac.mov": ("aac", "mov", 48_000, 2),
    "amr.3gp": ("libopencore_amrnb", "3gp", 8_000, 1),
    "aac.3gp": ("aac", "3gp", 16_000, 1),
    "amr.3g2": ("libopencore_amrnb", "3g2", 8_000, 1),
    "call.amr": ("libopencore_amrnb", "amr", 8_000, 1),
    "16k.aac": ("aac", "adts", 16_000, 1),
    "44k.aac": ("aac", "adts", 44_100, 2),
    "48k.aac": ("aac", "adts", 48_000, 1),
    "note.opus": ("libopus", "opus", 16_000, 1),
    "8k.opus": ("libopus", "opus", 8_000, 1),
    "48k stereo.opus": ("libopus", "opus", 48_000, 2),
    "5.1.opus": ("libopus", "opus", 48_000, 6),
    "voice.oga": ("libopus", "oga", 48_000, 1),
    "flac.ogg": ("flac", "ogg", 16_000, 1),
    "opus.webm": ("libopus", "webm", 48_000, 1),
    "vorbis.webm": ("vorbis", "webm", 44_100, 2),
    "opus.mka": ("libopus", "matroska", 48_000, 1),
    "aac.mkv": ("aac", "matroska", 44_100, 1),
    "pcm.mkv": ("pcm_s16le", "matroska", 16_000, 1),
    "mp3.mkv": ("libmp3lame", "matroska", 44_100, 1),
    "v2.wma": ("wmav2", "asf", 44_100, 2),
    "v1.wma": ("wmav1", "asf", 22_050, 1),
    "16k.wma": ("wmav2", "asf", 16_000, 1),
    "48k.ac3": ("ac3", "ac3", 48_000, 1),
    "48k.eac3": ("eac3", "eac3", 48_000, 1),
    "mp3.avi": ("libmp3lame", "avi", 44_100, 1),
    "pcm.avi": ("pcm_s16le", "avi", 16_000, 1),
    "mp2.ts": ("mp2", "mpegts", 48_000, 1),
    "aac.ts": ("aac", "mpegts", 48_000, 1),
    "mp2.mpg": ("mp2", "mpeg", 48_000, 1),
    "mp3.flv": ("libmp3lame", "flv", 44_100, 1),
    "aac.flv": ("aac", "flv", 44_100, 1),
    "pack.wv": ("wavpack", "wv", 16_000, 1),
    "true.tta": ("tta", "tta", 16_000, 1),
    "g722.wav": ("g722", "wav", 16_000, 1),
    "g726.wav": ("g726", "wav", 8_000, 1),
    "ms adpcm 44k.wav": ("adpcm_ms", "wav", 44_100, 2),
    "ima adpcm 8k.wav": ("adpcm_ima_wav", "wav", 8_000, 1),
    "wma in.wav": ("wmav2", "wav", 44_100, 1),
    "mp3 in.wav": ("libmp3lame", "wav", 44_100, 1),
    "mu-law in.caf": ("pcm_mulaw", "caf", 8_000, 1),
    "adpcm in.caf": ("adpcm_ima_qt", "caf", 22_050, 1),
    "amr in.caf": ("libopencore_amrnb", "caf", 8_000, 1),
    "24 bit.aiff": ("pcm_s24be", "aiff", 48_000, 2),
    "8 bit.voc": ("pcm_u8", "voc", 8_000, 1),
}
# Name of the file: libsndfile's container and codec, sample rate, channels.
WRITTEN = {
    "8 bit.wav": ("WAV", "PCM_U8", 16_000, 1),
    "24 bit.wav": ("WAV", "PCM_24", 48_000, 1),
    "32 bit.wav": ("WAV", "PCM_32", 48_000, 1),
    "float.wav": ("WAV", "FLOAT", 16_000, 1),
    "double.wav": ("WAV", "DOUBLE", 16_000, 1),
    "mu-law.wav": ("WAV", "ULAW", 8_000, 1),
    "a-law.wav": ("WAV", "ALAW", 8_000, 1),
    "gsm.wav": ("WAV", "GSM610", 8_000, 1),
    "g721.wav": ("WAV", "G721_32", 8_000, 1),
    "extensible.wav": ("WAVEX", "PCM_16", 48_000, 2),
    "16 bit.flac": ("FLAC", "PCM_16", 16_000, 1),
    "24 bit stereo.flac": ("FLAC", "PCM_24", 48_000, 2),
    "8 channels.flac": ("FLAC", "PCM_16", 48_000, 8),
    "vorbis.ogg": ("OGG", "VORBIS", 16_000, 1),
    "vorbis stereo.ogg": ("OGG", "VORBIS", 44_100, 2),
    "opus.ogg": ("OGG", "OPUS", 16_000, 1),
    "by libsndfile.mp3": ("MP3", "MPEG_LAYER_III", 16_000, 1),
    "a.aiff": ("AIFF", "PCM_16", 44_100, 1),
    "a.aifc": ("AIFF", "ULAW", 8_000, 1),
    "a.au": ("AU", "ULAW", 8_000, 1),
    "a.snd": ("AU", "PCM_16", 16_000, 1),
    "a.w64": ("W64", "PCM_16", 16_000, 1),
    "a.rf64": ("RF64", "PCM_16", 16_000, 1),
    "rf64 named.wav": ("RF64", "PCM_24", 48_000, 2),
    "a.caf": ("CAF", "PCM_16", 16_000, 1),
    "lossless.caf": ("CAF", "ALAC_16", 16_000, 1),
    "a.sph": ("NIST", "PCM_16", 16_000, 1),
    "mu-law.sph": ("NIST", "ULAW", 8_000, 2),
    "a.gsm": ("RAW", "GSM610", 8_000, 1),
    "a.pcm": ("RAW", "PCM_16", 16_000, 1),
    "a.voc": ("VOC", "PCM_16", 16_000, 1),
}


def _kinds() -> Iterator[Kind]:
    for rate in RATES:
        yield _written(f"{rate} Hz.wav", "WAV", "PCM_16", rate, 1)
    for channels in CHANNELS[1:]:
        yield _written(f"{channels} channels.wav", "WAV", "PCM_16", 16_000, channels)
    for name, (form, codec, rate, channels) in WRITTEN.items():
        yield _written(name, form, codec, rate, channels)
    for name, (codec, container, rate, channels) in ENCODED.items():
        yield _encoded(name, codec, container, rate, channels)


def _written(name: str, form: str, codec: str, rate: int, channels: int) -> Kind:
    return Kind(
        name,
        lambda folder, speech: sndfile(folder / name, speech, form, codec, rate, channels),
    )


def _encoded(name: str, codec: str, container: str, rate: int, channels: int) -> Kind:
    return Kind(
        name,
        lambda folder, speech: encode(
            folder / name,
            speech,
            codec,
            container,
            rate,
            LAYOUTS[channels],
            bit_rate=BIT_RATES.get(codec),
            codec_options=OPTIONS.get(codec),
        ),
        padding=PADDING.get(name, 0.0),
    )


KINDS = list(_kinds())
