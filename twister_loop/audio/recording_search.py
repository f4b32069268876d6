"""Search for known recordings, or parts of them, in other audio.

They are found within longer recordings, faster or slower, at another level or rate, and in another
codec. As in Haitsma and Kalker (2002), frames with the same 32 bits are found in an index, and then
all frames at that place are compared (see `fingerprint`). The index also holds the bits that the
known recordings would have at other speeds, so that what is searched is read only once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..core.errors import AudioError
from ..core.types import Seconds, Share, Utterance
from . import io as audio
from .fingerprint import BANDS, FRAME, HOP, RATE
from .io import Samples

MAX_CHANGE: Share = 0.1
"""The most that a copy may be faster or slower."""
TEMPO_STEP, SPEED_STEP = 0.025, 0.01
"""Steps between the searched tempos (faster at the same pitch) and speeds (as a tape runs faster).
A step of the pitch changes more bits than one of the tempo."""
SHORT: Seconds = 0.75
"""Recordings under this length have too few frames for a fingerprint. Their waveforms are compared,
with recordings of about the same length alone."""
SAME_WAVEFORM = 0.85
"""Correlation of the waveforms of two short recordings that are the same."""
BLOCK: Seconds = 60.0
"""Length of audio that is searched at once."""
OVERLAP: Seconds = 4.0
WINDOW = 96
"""Frames, 1.3 s, in which the bits of a copy must agree."""
MAX_BIT_ERRORS: Share = 0.16
MAX_BIT_ERRORS_WHOLE: Share = 0.22
"""The same for recordings that are about as long as each other, over all of their frames."""
MIN_FRAMES_WHOLE = 64
"""Frames of the shortest recordings that are compared as a whole, 1.25 s."""
MIN_FRAMES = 24
"""Frames, 0.7 s of audio with the length of a frame, from which two recordings are compared."""
MAX_BIT_ERRORS_SHORT: Share = 0.1
"""Share of bits that may differ in `MIN_FRAMES`; in between it is interpolated."""
MIN_LEVEL = 1e-4
"""Energy, to that of the loudest frame, of a frame that is compared: -40 dB. Quieter ones hold
noise, or what a codec made of silence."""
MIN_HITS = 2
"""Frames with the same bits at one place from which the others are compared."""
MAX_PLACES = 150
"""Places in known recordings that a block of audio is compared with; those with the most hits."""
BINS = int(BANDS[-1] / (1 - MAX_CHANGE) * FRAME / RATE) + 3
"""Bins of a spectrum up to the highest band edge at the lowest pitch."""
STRIDE = 3
"""Frames between those in the index: neighbors overlap, and have nearly the same bits."""
MAX_ALIKE = 200
"""Frames in the index with the same bits; more of them are hum or a tone, and left out."""

Bits = NDArray[np.uint32]
"""Shape (frames,): the 32 bits of each frame."""
Energies = NDArray[np.float32]


@dataclass(frozen=True)
class RecordingMatch:
    """Known recording, or a part of it, that was found in other audio."""

    number: int
    """Number of the known recording, counted from 0."""
    recording: Utterance
    begin: Seconds
    """Begin in the audio file that was searched."""


@dataclass(frozen=True)
class _Spectra:
    """Power up to each frequency, of each frame: bands of any width can be taken from it."""

    cumulative: NDArray[np.float32]
    """Shape (frames, bins)."""

    @staticmethod
    def of(samples: Samples) -> _Spectra:
        """Return the spectra of samples (n_samples,) at 16 kHz."""
        samples = audio.resample(samples, audio.SAMPLE_RATE, RATE)
        samples = np.pad(samples, (0, max(0, FRAME + HOP - len(samples))))
        frames = np.lib.stride_tricks.sliding_window_view(samples, FRAME)[::HOP]
        window = np.hanning(FRAME).astype(np.float32)
        # In parts, because frames overlap so much that all of them need 30 times the memory.
        parts = [
            _accumulate(np.fft.rfft(part * window)[:, :BINS])
            for part in np.array_split(frames, len(frames) // 512 + 1)
        ]
        return _Spectra(np.concatenate(parts))

    def bits(self, tempo: float = 1.0, pitch: float = 1.0) -> tuple[Bits, NDArray[np.bool_]]:
        """Return the bits of each frame, and whether it is loud enough to be compared.

        Args:
            tempo: How many times faster the recording would be.
            pitch: By how much its frequencies would be multiplied.
        """
        places = np.arange(0, len(self.cumulative) - 1 + 1e-6, tempo)
        before = np.minimum(places.astype(int), len(self.cumulative) - 2)
        share = (places - before)[:, None].astype(np.float32)
        edges = BANDS / pitch * FRAME / RATE
        bins = edges.astype(int)
        part = (edges - bins).astype(np.float32)
        power = self.cumulative[:, bins] * (1 - part) + self.cumulative[:, bins + 1] * part
        energies = np.diff(power, axis=1)  # (frames, 33)
        energies = energies[before] * (1 - share) + energies[before + 1] * share
        is_set = np.diff(np.diff(energies, axis=1), axis=0) > 0  # (frames, 32)
        level = energies.sum(axis=1)[1:]
        is_loud = level > max(MIN_LEVEL * float(level.max(initial=0)), 1e-9)
        return np.packbits(is_set, axis=1).view(np.uint32)[:, 0], is_loud


def _accumulate(spectra: NDArray[np.complexfloating]) -> NDArray[np.float32]:
    """Return the power up to each bin, shape (frames, bins)."""
    power = spectra.real**2 + spectra.imag**2
    return np.cumsum(power, axis=1, dtype=np.float64).astype(np.float32)


class RecordingIndex:
    """Index of known recordings in which other audio is looked up."""

    def __init__(self, recordings: Iterable[Utterance]) -> None:
        """Read and index the recordings; unreadable ones are found nowhere."""
        self.recordings = list(recordings)
        self._short: list[tuple[int, Samples]] = []
        hashes, sources, frames = [], [], []
        self._bits = dict[tuple[int, int], tuple[Bits, NDArray[np.bool_]]]()
        self._versions = list(_list_versions())
        for number, recording in enumerate(self.recordings):
            try:
                samples = _read(recording)
            except AudioError:
                continue
            if recording.duration < SHORT:
                self._short.append((number, audio.resample(samples, audio.SAMPLE_RATE, RATE)))
                continue
            spectra = _Spectra.of(samples)
            for version, (tempo, pitch) in enumerate(self._versions):
                bits, is_loud = spectra.bits(tempo, pitch)
                self._bits[number, version] = bits, is_loud
                # Codecs such as GSM leave few frames as they were, so no frame is left out.
                places = np.flatnonzero(is_loud)[:: STRIDE if version else 1]
                hashes.append(bits[places])
                frames.append(places.astype(np.int32))
                source = number * len(self._versions) + version
                sources.append(np.full(len(places), source, np.int32))
        all_hashes = np.concatenate([*hashes, np.empty(0, np.uint32)])
        # What many recordings have, such as hum, would make all audio a candidate.
        _, inverse, counts = np.unique(all_hashes, return_inverse=True, return_counts=True)
        kept = np.flatnonzero(counts[inverse] <= MAX_ALIKE)
        order = kept[np.argsort(all_hashes[kept], kind="stable")]
        self._hashes = all_hashes[order]
        self._sources = np.concatenate([*sources, np.empty(0, np.int32)])[order]
        self._frames = np.concatenate([*frames, np.empty(0, np.int32)])[order]

    def find(self, utterance: Utterance) -> list[RecordingMatch]:
        """Return the known recordings that an utterance holds; none if it cannot be read."""
        matches = dict[int, RecordingMatch]()
        try:
            for begin, samples in _read_blocks(utterance):
                for number, place in self._find_in(samples, utterance.duration):
                    recording = self.recordings[number]
                    match = RecordingMatch(number, recording, begin + place)
                    matches.setdefault(number, match)
        except AudioError:
            pass  # others report it: what cannot be read is not trained on
        return list(matches.values())

    def _find_in(self, samples: Samples, duration: Seconds) -> Iterator[tuple[int, Seconds]]:
        """Yield the numbers of known recordings in a block, and where they begin in it."""
        short_ones = [
            (number, waveform)
            for number, waveform in self._short
            if abs(duration - len(waveform) / RATE) < SHORT
        ]
        if short_ones:
            block = audio.resample(samples, audio.SAMPLE_RATE, RATE)
            for number, waveform in short_ones:
                if correlate(block, waveform) > SAME_WAVEFORM:
                    yield number, 0.0
        if not len(self._hashes) or duration < SHORT:
            return
        bits, is_loud = _Spectra.of(samples).bits()
        for source, shift in self._choose_places(bits, is_loud):
            number, version = divmod(source, len(self._versions))
            known_bits, known_loud = self._bits[number, version]
            # Shifts were rounded to four frames, and a step of tempo drifts by a frame or two.
            for small_shift in range(shift - 2, shift + 3):
                if (
                    first := _find_same(bits, is_loud, known_bits, known_loud, small_shift)
                ) is not None:
                    yield number, first * HOP / RATE
                    break

    def _choose_places(self, bits: Bits, is_loud: NDArray[np.bool_]) -> list[tuple[int, int]]:
        """Return known recordings at a speed, and how many frames later they begin in the audio."""
        frames = np.flatnonzero(is_loud)
        begins = np.searchsorted(self._hashes, bits[frames], "left")
        ends = np.searchsorted(self._hashes, bits[frames], "right")
        lengths = ends - begins
        starts = np.cumsum(lengths) - lengths
        entries = np.arange(lengths.sum()) + np.repeat(begins - starts, lengths)
        shifts = np.repeat(frames, lengths) - self._frames[entries]
        # Frames that are a few apart have the same shift but for rounding.
        places = self._sources[entries].astype(np.int64) << 32 | (shifts + (1 << 31)) >> 2
        places, counts = np.unique(places, return_counts=True)
        best = np.argsort(-counts, kind="stable")[:MAX_PLACES]
        return [
            (int(place >> 32), int(((place & 0xFFFFFFFF) << 2) - (1 << 31)) + 2)
            for place, count in zip(places[best].tolist(), counts[best].tolist(), strict=True)
            if count >= MIN_HITS
        ]


def correlate(samples: Samples, known: Samples) -> float:
    """Return the largest correlation of a waveform with a shorter or longer one, over all shifts.

    Args:
        samples: Shape (n_samples,).
        known: Shape (n_known,), at the same rate.
    """
    size = 1 << (len(samples) + len(known)).bit_length()
    product = np.fft.irfft(np.fft.rfft(samples, size) * np.conj(np.fft.rfft(known, size)), size)
    norm = float(np.linalg.norm(samples) * np.linalg.norm(known))
    return float(product.max() / norm) if norm else 0.0


def _find_same(
    bits: Bits,
    is_loud: NDArray[np.bool_],
    known_bits: Bits,
    known_loud: NDArray[np.bool_],
    shift: int,
) -> int | None:
    """Return the first frame from which two recordings have the same bits for long, at one shift.

    Args:
        bits: Bits of the audio.
        is_loud: Its frames to be compared.
        known_bits: Bits of the known recording.
        known_loud: Its frames to be compared.
        shift: Frames that the known recording begins later.
    """
    first, end = max(0, shift), min(len(bits), len(known_bits) + shift)
    if end - first < MIN_FRAMES:
        return None
    both = is_loud[first:end] & known_loud[first - shift : end - shift]
    places = np.flatnonzero(both)
    if len(places) < MIN_FRAMES:
        return None
    differing = bits[first:end][places] ^ known_bits[first - shift : end - shift][places]
    errors = np.unpackbits(differing.view(np.uint8)).reshape(-1, 32).mean(axis=1)
    is_whole = end - first >= max(MIN_FRAMES_WHOLE, 0.8 * max(len(bits), len(known_bits)))
    if is_whole and errors.mean() < MAX_BIT_ERRORS_WHOLE:
        return first
    window = min(WINDOW, len(errors))
    sums = np.convolve(errors, np.ones(window), "valid") / window
    best = int(sums.argmin())
    share = (window - MIN_FRAMES) / (WINDOW - MIN_FRAMES)
    limit = MAX_BIT_ERRORS_SHORT + share * (MAX_BIT_ERRORS - MAX_BIT_ERRORS_SHORT)
    return first + int(places[best]) if sums[best] < limit else None


def _list_versions() -> Iterator[tuple[float, float]]:
    """Yield the tempo and the pitch of all searched versions of a recording, its own first."""
    yield 1.0, 1.0
    for step, moves_pitch in ((TEMPO_STEP, False), (SPEED_STEP, True)):
        steps = round(MAX_CHANGE / step)
        for number in range(-steps, steps + 1):
            if number:
                factor = 1 + number * step
                yield factor, factor if moves_pitch else 1.0


def _read(utterance: Utterance) -> Samples:
    return audio.read(
        utterance.audio_filepath, utterance.offset, utterance.duration, utterance.channel
    )


def _read_blocks(utterance: Utterance) -> Iterator[tuple[Seconds, Samples]]:
    """Yield the begin of each block in the file, and its samples."""
    begin = 0.0
    while begin == 0 or begin + OVERLAP < utterance.duration:
        start, length = utterance.offset + begin, min(BLOCK, utterance.duration - begin)
        yield start, audio.read(utterance.audio_filepath, start, length, utterance.channel)
        begin += BLOCK - OVERLAP
