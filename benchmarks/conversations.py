"""Cuts and speaker names of conversations and broadcasts, generated from prompts by truth.

Speech, music and noise are put together by a seed, so it is known who speaks when. `dev` has the
speakers and the music on which the limits of `audio.speaker_changes` were chosen, `report` others:

    dev     Allison Smith (English), June Wallack (French), Carlo Flora (Italian) and IvrvoiceRU
            (Russian), CC-BY-SA 3.0; music of asterisk-moh-opsound-wav (CC-BY-SA 3.0), asc-music,
            frozen-bubble-data (GPL-2), two songs of drascula-music (Drascula-License)
    report  Menardi (Italian, CC-BY-SA 3.0), armelle (French, GPL-2+) and the two fish of Fish
            Fillets (Czech, GPL-2+); music of fillets-ng-data (GPL-2+), extremetuxracer-data
            (GPL-2+), three other songs of drascula-music

The packages are fetched with `apt-get download` into FOLDER and never passed on.

python benchmarks/conversations.py dev|report FOLDER [SHARE]     (Debian or Ubuntu; 2 GB of memory)

SHARE of the recordings of each kind, 1 by default, is less to wait for.
"""

from __future__ import annotations

import itertools
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.signal import butter, sosfilt

from twister_loop import Utterance
from twister_loop.audio import io as audio
from twister_loop.core.errors import AudioError
from twister_loop.core.manifest import Manifest
from twister_loop.data.scanning import ScanOptions, SpeakerClustering
from twister_loop.pipeline.stages.annotation import cluster_speakers, estimate_columns
from twister_loop.pipeline.stages.listing import scan

RATE = audio.SAMPLE_RATE
FRAME = RATE // 100
"""Samples of a frame of the truth, 10 ms."""
BED_GAIN = np.float32(0.12)
"""Level of music under speech: 18 dB below it, as in a broadcast."""
PURE = 0.95
"""Share of the speech in a cut that one speaker must have."""
SOUNDS = "usr/share/asterisk/sounds"
SPEAKERS = {
    "dev": {
        "allison": ("asterisk-core-sounds-en-wav", f"{SOUNDS}/**/*.wav"),
        "june": ("asterisk-core-sounds-fr-wav", f"{SOUNDS}/**/*.wav"),
        "carlo": ("asterisk-core-sounds-it-wav", f"{SOUNDS}/**/*.wav"),
        "ivrvoice": ("asterisk-core-sounds-ru-wav", f"{SOUNDS}/**/*.wav"),
    },
    "report": {
        "menardi": ("asterisk-prompt-it-menardi-wav", f"{SOUNDS}/**/*.wav"),
        "armelle": ("asterisk-prompt-fr-armelle", f"{SOUNDS}/**/*.gsm"),
        "small fish": ("fillets-ng-data-cs", "usr/share/games/**/*-m-*.ogg"),
        "big fish": ("fillets-ng-data-cs", "usr/share/games/**/*-v-*.ogg"),
    },
}
"""Packages of Debian, and the speaker's files in them."""
MUSIC = {
    "dev": (
        ("asterisk-moh-opsound-wav", "usr/share/asterisk/moh/*.wav"),
        ("asc-music", "usr/share/games/asc/music/*.mp3"),
        ("frozen-bubble-data", "usr/share/games/frozen-bubble/snd/*zik*.ogg"),
    ),
    "report": (
        ("fillets-ng-data", "usr/share/games/fillets-ng/music/*.ogg"),
        ("extremetuxracer-data", "usr/share/games/etr/music/*.ogg"),
    ),
}
SONGS = {
    "dev": (("drascula-music", "usr/share/scummvm/drascula/audio/track[13]0.ogg"),
            ("drascula-music", "usr/share/scummvm/drascula/audio/track1.ogg")),
    "report": (("drascula-music", "usr/share/scummvm/drascula/audio/track2.ogg"),
               ("drascula-music", "usr/share/scummvm/drascula/audio/track29.ogg"),
               ("drascula-music", "usr/share/scummvm/drascula/audio/track31.ogg")),
}  # fmt: skip
"""Music with voices that sing."""
SEEDS = {"dev": 1, "report": 2}


@dataclass(frozen=True)
class Kind:
    """Recordings of one kind."""

    count: int
    speakers: int
    """Number of people who take turns in one recording."""
    seconds: float
    gap: tuple[float, float]
    """Seconds between two turns; below 0 they overlap."""
    rate: int = 8_000
    """Sample rate of the file; 8,000 is telephone, through mu-law."""
    between: tuple[str, ...] = ()
    """Sounds that come between some turns: `music`, `song`, `noise`."""
    bed: bool = False
    """Half of the turns are spoken over quiet music."""


KINDS = {
    "call": Kind(3, 2, 180, (0.3, 1.2)),
    "quick": Kind(3, 3, 150, (0.0, 0.3)),
    "overlap": Kind(3, 2, 120, (-0.4, 0.1)),
    "broadcast": Kind(3, 4, 300, (0.2, 1.0), 44_100, ("music",), bed=True),
    "songs": Kind(2, 3, 240, (0.3, 1.0), 44_100, ("song",)),
    "noisy": Kind(2, 2, 180, (0.3, 1.2), 16_000, ("noise",)),
    "short": Kind(8, 2, 24, (0.2, 0.8), 16_000),
    "alone": Kind(8, 1, 90, (0.2, 0.9), 16_000),
    "note": Kind(12, 1, 14, (0.2, 0.7)),
}
"""`short` and `note` fit into one utterance; `alone` and `note` are messages of one person."""


@dataclass
class Truth:
    """Truth of a recording, by frames of 10 ms."""

    speech: dict[str, NDArray[np.bool_]] = field(default_factory=dict)
    """Speech of each person, (frames,)."""
    sounds: dict[str, NDArray[np.bool_]] = field(default_factory=dict)
    """Music, songs and noise where nobody speaks, (frames,)."""


def write(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def find_files(package: str, pattern: str, folder: Path) -> list[Path]:
    """Return files of a Debian package, which is fetched and unpacked if it is missing."""
    root = folder / package
    if not root.is_dir():
        subprocess.run(["apt-get", "download", "-q", package], cwd=folder, check=True)
        [archive] = folder.glob(f"{package}_*.deb")
        subprocess.run(["dpkg-deb", "-x", archive, root], check=True)
    return sorted(root.glob(pattern))


def read(path: Path) -> audio.Samples:
    """Return a file at 16 kHz, at most two minutes of it."""
    if path.suffix != ".gsm":
        return audio.read(path, 0, 120)
    # Debian's GSM files have no header.
    samples, rate = soundfile.read(
        path, samplerate=8_000, channels=1, format="RAW", subtype="GSM610", dtype="float32"
    )
    return audio.resample(samples, rate, RATE)


def find_speech(samples: audio.Samples) -> NDArray[np.bool_]:
    """Return the frames of a clean prompt that are not silent, pauses under 0.3 s included."""
    frames = samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME)
    level = 10 * np.log10((frames**2).mean(axis=1) + 1e-10)
    loud = np.flatnonzero(level > max(level.max() - 35, -60))
    speech = np.zeros(len(frames), bool)
    for before, after in itertools.pairwise(loud):
        if after - before <= 30:
            speech[before : after + 1] = True
    return speech


def make_noise(name: str, length: int, random: np.random.Generator) -> audio.Samples:
    """Return noise of one kind: a tone, hum, rain, or a crowd that cannot be understood."""
    times = np.arange(length) / RATE
    white = random.standard_normal(length)
    if name == "tone":
        return np.float32(0.1) * np.sin(2 * np.pi * random.uniform(300, 1200) * times)
    if name == "hum":
        return np.asarray(sum(0.05 / n * np.sin(2 * np.pi * 50 * n * times) for n in (1, 2, 3, 5)))
    if name == "rain":
        return np.asarray(0.03 * sosfilt(butter(2, 1000, "high", fs=RATE, output="sos"), white))
    band = sosfilt(butter(2, (200, 2000), "band", fs=RATE, output="sos"), white)
    return np.asarray(0.1 * band * (1 + 0.5 * np.sin(2 * np.pi * 0.7 * times)))


class Studio:
    """Speech and music of one condition, from which recordings are put together."""

    def __init__(self, condition: str, folder: Path) -> None:
        self.random = np.random.default_rng(SEEDS[condition])
        self.prompts: dict[str, list[audio.Samples]] = {}
        for speaker, (package, pattern) in SPEAKERS[condition].items():
            files = find_files(package, pattern, folder)
            self.random.shuffle(files)  # type: ignore[arg-type]
            self.prompts[speaker] = self._read_prompts(files)
        self.music = [
            read(path) for source in MUSIC[condition] for path in find_files(*source, folder)
        ]
        self.songs = [
            read(path) for source in SONGS[condition] for path in find_files(*source, folder)
        ]
        self.used = Counter[str]()

    def _read_prompts(self, files: Iterable[Path]) -> list[audio.Samples]:
        """Return up to 15 minutes of prompts of 1 to 12 s, without silence at their ends."""
        prompts, total = list[audio.Samples](), 0
        for path in files:
            try:
                samples = read(path)
            except AudioError:  # an empty file
                continue
            spoken = np.flatnonzero(find_speech(samples))
            if len(spoken) < 100 or not RATE < len(samples) < 12 * RATE:
                continue  # a beep, a click, or a sentence that fills a recording
            samples = samples[spoken[0] * FRAME : (spoken[-1] + 1) * FRAME]
            prompts.append(samples * np.float32(0.08 / max(1e-4, samples.std())))
            total += len(samples)
            if total > 900 * RATE:
                break
        return prompts

    def record(self, kind: Kind) -> tuple[audio.Samples, Truth]:
        """Return a recording at 16 kHz and who speaks in it when."""
        random = self.random
        people = list(random.permutation(list(self.prompts))[: kind.speakers])
        gains = {person: 10 ** (random.uniform(-6, 6) / 20) for person in people}
        length = int((kind.seconds + 60) * RATE)
        mixed, truth = np.zeros(length, np.float32), Truth()
        place, person, turn = RATE // 2, people[0], 0
        while place < kind.seconds * RATE:
            others = [other for other in people if other != person]
            person = str(random.choice(others)) if others else person
            if kind.between and turn % 3 == 2:
                place = self._add_sound(str(random.choice(kind.between)), mixed, truth, place)
            start = place
            for _ in range(random.integers(1, 4)):
                prompt = self.prompts[person][self.used[person] % len(self.prompts[person])]
                self.used[person] += 1
                mixed[place : place + len(prompt)] += gains[person] * prompt
                mark(truth.speech, person, length, place, find_speech(prompt))
                place += len(prompt) + int(random.uniform(0.1, 0.6) * RATE)
                if place > kind.seconds * RATE:
                    break
            end = place = place - int(0.1 * RATE)
            if kind.bed and random.random() < 0.5:
                mixed[start:end] += BED_GAIN * self._take(self.music, end - start)
            place = max(start, place + int(random.uniform(*kind.gap) * RATE))
            turn += 1
        mixed = mixed[: place + RATE // 2]
        return mixed + 1e-4 * random.standard_normal(len(mixed)).astype(np.float32), truth

    def _add_sound(self, name: str, mixed: audio.Samples, truth: Truth, place: int) -> int:
        """Mix 5 to 20 s of music, song or noise; return where it ends."""
        place += RATE // 5
        length = int(self.random.uniform(5, 20) * RATE) // FRAME * FRAME
        if name == "noise":
            noise = str(self.random.choice(["tone", "hum", "rain", "crowd"]))
            sound = make_noise(noise, length, self.random).astype(np.float32)
        else:
            sound = self._take(self.songs if name == "song" else self.music, length)
        mixed[place : place + length] += sound
        mark(truth.sounds, name, len(mixed), place, np.ones(length // FRAME, bool))
        return place + length + RATE // 5

    def _take(self, tracks: Sequence[audio.Samples], length: int) -> audio.Samples:
        """Return a random part of a random track, as loud as speech."""
        track = tracks[self.random.integers(len(tracks))]
        track = np.tile(track, -(-length // len(track)))
        start = self.random.integers(len(track) - length + 1)
        part = track[start : start + length]
        return part * np.float32(0.08 / max(1e-4, part.std()))


def mark(
    masks: dict[str, NDArray[np.bool_]], name: str, length: int, place: int, mask: NDArray[np.bool_]
) -> None:
    """Set frames from a sample on in the mask of a name."""
    frames = masks.setdefault(name, np.zeros(length // FRAME, bool))
    frames[place // FRAME : place // FRAME + len(mask)] |= mask


def write_recordings(condition: str, source: Path, folder: Path, share: float) -> dict[str, Truth]:
    """Write the recordings of a condition; return the truth by the name of the file."""
    studio, truths = Studio(condition, source), dict[str, Truth]()
    for name, kind in KINDS.items():
        for number in range(max(1, round(share * kind.count))):
            samples, truth = studio.record(kind)
            path = folder / f"{name}-{number}.wav"
            subtype = "ULAW" if kind.rate == 8_000 else "PCM_16"
            resampled = audio.resample(samples, RATE, kind.rate)
            soundfile.write(path, resampled.clip(-1, 1), kind.rate, subtype)
            truths[path.stem] = truth
    return truths


class Score:
    """Figures of the cuts of some recordings."""

    def __init__(self) -> None:
        self.cuts = self.recordings = self.marked = self.mixed = self.marked_rightly = 0
        self.speech = self.inside = self.pure = self.named = 0.0
        self.by_name: dict[str | None, Counter[str]] = defaultdict(Counter)
        self.sounds: dict[str, list[int]] = defaultdict(lambda: [0, 0])

    def add(self, truth: Truth, cuts: Iterable[Utterance]) -> None:
        """Count the cuts of one recording."""
        self.recordings += 1
        people = list(truth.speech)
        masks = np.stack(list(truth.speech.values()))
        inside = np.zeros(masks.shape[1], bool)
        for cut in cuts:
            self.cuts += 1
            start, end = round(100 * cut.offset), round(100 * (cut.offset + cut.duration))
            inside[start:end] = True
            spoken = masks[:, start:end].sum(axis=1)
            share = spoken.max() / max(1, spoken.sum())
            self.pure += spoken.sum() if share >= PURE else 0
            is_marked = (getattr(cut, "voices", None) or 1) > 1
            self.marked += is_marked
            self.mixed += share < PURE
            self.marked_rightly += is_marked and share < PURE
            for person, frames in zip(people, spoken, strict=True):
                self.by_name[cut.speaker][person] += int(frames)
        self.speech += masks.sum()
        self.inside += masks[:, inside].sum()
        for name, mask in truth.sounds.items():
            self.sounds[name][0] += int(mask[inside].sum())
            self.sounds[name][1] += int(mask.sum())

    def describe(self, mapping: dict[str | None, str]) -> str:
        """Return the figures in one line; `mapping` gives the person of each name."""
        right = sum(people[mapping.get(name, "")] for name, people in self.by_name.items())
        total = sum(sum(people.values()) for people in self.by_name.values())
        sounds = ", ".join(
            f"{name} {kept / total:.1%}" for name, (kept, total) in sorted(self.sounds.items())
        )
        return (
            f"{self.cuts / self.recordings:5.1f} cuts each | speech in cuts "
            f"{self.inside / self.speech:6.1%} | of one speaker {self.pure / max(1, total):6.1%} | "
            f"names right {right / max(1, total):6.1%} | {self.mixed} mixed, {self.marked} marked, "
            f"{self.marked_rightly} both | kept: {sounds or '-'}"
        )


def map_names(scores: Iterable[Score]) -> dict[str | None, str]:
    """Return the best one-to-one mapping of names to people, by time over all recordings."""
    overlap = defaultdict[str | None, Counter[str]](Counter)
    for score in scores:
        for name, people in score.by_name.items():
            overlap[name].update(people)
    names = [name for name in overlap if name]
    people = sorted({person for counts in overlap.values() for person in counts})
    matrix = np.array([[overlap[name][person] for person in people] for name in names])
    rows, columns = linear_sum_assignment(-matrix)
    return {names[row]: people[column] for row, column in zip(rows, columns, strict=True)}


def measure(stage: Callable[[], Manifest], seconds: float, name: str) -> Manifest:
    """Run a stage and print its speed."""
    began = time.process_time()
    manifest = stage()
    write(f"{name}: {seconds / (time.process_time() - began):.0f} x real time of processor time")
    return manifest


def main() -> None:
    condition, source = sys.argv[1], Path(sys.argv[2])
    share = float(sys.argv[3]) if len(sys.argv) > 3 else 1.0
    source.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "recordings").mkdir()
        truths = write_recordings(condition, source.resolve(), folder / "recordings", share)
        recordings = [
            Utterance(id=path.stem, audio_filepath=path, duration=audio.read_duration(path))
            for path in sorted((folder / "recordings").iterdir())
        ]
        options = ScanOptions(speakers=SpeakerClustering())
        listing = Manifest.write(
            (replace(recording, corpus="pool") for recording in recordings), folder / "listing"
        )
        seconds = listing.duration
        write(f"{condition}: {len(listing)} recordings, {seconds / 60:.0f} min")
        cuts = measure(lambda: scan(options, listing, out=folder / "cuts"), seconds, "cutting")
        embedded = measure(
            lambda: estimate_columns(["embedding"], cuts, out=folder / "embedded"),
            seconds,
            "embeddings",
        )
        named = cluster_speakers(SpeakerClustering(), embedded, out=folder / "named")
        by_file = defaultdict[str, list[Utterance]](list)
        for cut in named:
            by_file[cut.audio_filepath.stem].append(cut)
        scores, total = {name: Score() for name in KINDS}, Score()
        for stem, truth in truths.items():
            for score in (scores[stem.rpartition("-")[0]], total):
                score.add(truth, by_file[stem])
        mapping = map_names([total])
        write(f"{len(set(total.by_name))} names; {mapping}")
        for name, score in [*scores.items(), ("all", total)]:
            write(f"{name:9} {score.describe(mapping)}")


if __name__ == "__main__":
    main()
