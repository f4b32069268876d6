"""Speed of reading: whole files of several formats, and 200 segments of a one-hour MP3.

    python benchmarks/decoding.py [FOLDER]

Times are of the processor, so that other work on the machine does not count. The files hold the
same hour of a voice-like sound and are made first, which takes a minute or two. With another
version of the package on PYTHONPATH, what that one cannot read is named.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np

from twister_loop.audio import io as audio
from twister_loop.errors import AudioError

MINUTE, MINUTES, SEGMENTS = 60, 60, 200
FORMATS = {
    "wav": ("pcm_s16le", "wav"),
    "flac": ("flac", "flac"),
    "mp3": ("libmp3lame", "mp3"),
    "m4a": ("aac", "ipod"),
    "ogg": ("libopus", "ogg"),
}
"""Encoder and container, by suffix."""


def write_hour(folder: Path, suffix: str) -> Path:
    """Write an hour of a gliding tone with noise at 16 kHz, unless it is there."""
    path = folder / f"hour.{suffix}"
    if path.exists():
        return path
    rng = np.random.default_rng(0)
    codec, container = FORMATS[suffix]
    times = np.arange(MINUTE * audio.SAMPLE_RATE) / audio.SAMPLE_RATE
    with av.open(str(path), "w", format=container) as file:
        rate = 48_000 if codec == "libopus" else audio.SAMPLE_RATE
        stream = file.add_stream(codec, rate=rate, layout="mono")
        for minute in range(MINUTES):
            pitch = 200 + 80 * np.sin(times * (1 + minute / 10))
            voice = np.sin(2 * np.pi * np.cumsum(pitch) / audio.SAMPLE_RATE)
            voice *= 0.3 * (np.sin(times * 9) > -0.5)
            sound = (voice + rng.normal(0, 0.01, len(times))).astype(np.float32)
            frame = av.AudioFrame.from_ndarray(sound[None], format="flt", layout="mono")
            frame.sample_rate, frame.pts = audio.SAMPLE_RATE, minute * len(times)
            for packet in stream.encode(frame):
                file.mux(packet)
        for packet in stream.encode(None):
            file.mux(packet)
    return path


def measure(name: str, action: Callable[[], float]) -> None:
    """Run an action, and write its seconds of CPU time and the seconds of audio that it gave."""
    begin = time.process_time()
    try:
        seconds = action()
    except (AudioError, AttributeError) as error:
        sys.stdout.write(f"{name:24} cannot be read: {error}\n")
        return
    took = time.process_time() - begin
    sys.stdout.write(
        f"{name:24} {took:8.2f} s, {seconds:8.1f} s of audio, {seconds / took:6.0f} x real time\n"
    )
    sys.stdout.flush()


def read_segments(path: Path, count: int) -> float:
    """Read segments of 5 s at random places, and return the seconds of all of them."""
    offsets = np.random.default_rng(1).uniform(0, MINUTES * MINUTE - 5, count)
    return sum(len(audio.read(path, offset, 5.0)) for offset in offsets) / audio.SAMPLE_RATE


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", default=Path("/tmp/decoding"))
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["TWISTER_CACHE"] = str(folder / "cache")
    for suffix in FORMATS:
        path = write_hour(folder, suffix)
        measure(f"{suffix}: whole", lambda path=path: len(audio.read(path)) / audio.SAMPLE_RATE)
        measure(f"{suffix}: duration", lambda path=path: audio.measure_duration(path))
    mp3 = folder / "hour.mp3"
    measure("mp3: first late segment", lambda: read_segments(mp3, 1))
    measure(f"mp3: {SEGMENTS} segments", lambda: read_segments(mp3, SEGMENTS))


if __name__ == "__main__":
    main()
