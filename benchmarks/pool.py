"""What is found out of a pool before anybody hears it: speakers, quality, bandwidth, duplicates.

Speeds are by processor time of one thread.

python benchmarks/pool.py [alone | turns | quality | duplicates]      (fetches the prompts)
"""

from __future__ import annotations

import itertools
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from fingerprints import CODECS, through

from twister_loop import Utterance
from twister_loop.audio import io as audio
from twister_loop.core.manifest import Manifest
from twister_loop.data.corpora.ivr import Ivr
from twister_loop.data.scanning import Column, ScanOptions, SpeakerClustering
from twister_loop.pipeline.stages.annotation import cluster_speakers, estimate_columns
from twister_loop.pipeline.stages.listing import scan

SPLITS = (
    Ivr("pool", "it"),
    Ivr("second_speaker", "it"),
    Ivr("pool", "fr"),
    Ivr("retention"),
)
"""Four people, in three languages; all over the telephone."""
TURN = 60.0
"""Seconds that one speaks in a made conversation."""
TURNS = 10
LIMITS = ((0.15, 0.1), (0.175, 0.08), (0.175, 0.1), (0.175, 0.12), (0.2, 0.1), (0.25, 0.1))
"""The first are the defaults."""
COPIED = 5
"""One prompt in so many is copied by each codec."""


def said(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def prompts() -> list[Utterance]:
    return [each for split in SPLITS for each in split.utterances()]


def conversations(
    speech: Iterable[Utterance], folder: Path
) -> Iterator[tuple[Utterance, list[str]]]:
    """Recordings in which all take turns, and who speaks in every second of them."""
    turns = defaultdict[str, list[list[audio.Samples]]](list)
    for each in speech:
        mine = turns[each.speaker or ""]
        if not mine or sum(map(len, mine[-1])) > TURN * audio.SAMPLE_RATE:
            mine.append([])
        pause = np.zeros(audio.SAMPLE_RATE // 2, np.float32)
        mine[-1] += [audio.load_utterance(each), pause]
    by_turn = itertools.zip_longest(*([(who, turn) for turn in turns[who]] for who in turns))
    spoken = [turn for each in by_turn for turn in each if turn]
    for number, begin in enumerate(range(0, len(spoken), TURNS)):
        taken = spoken[begin : begin + TURNS]
        whole = np.concatenate([part for _, parts in taken for part in parts])
        who = [
            name
            for name, parts in taken
            for _ in range(round(sum(map(len, parts)) / audio.SAMPLE_RATE))
        ]
        path = folder / f"{number}.wav"
        length = audio.write(whole, path)
        yield Utterance(id=path.stem, audio_filepath=path, duration=length, corpus="calls"), who


def told(whose: dict[str, str], found: Manifest) -> str:
    """By time: how pure the speakers are, and how much of each person is in one of them."""
    of = defaultdict[str, Counter[str]](Counter)
    everything = unknown = 0.0
    for each in found:
        everything += each.duration
        if each.speaker:
            of[each.speaker][whose[each.id]] += each.duration  # type: ignore[assignment]
        else:
            unknown += each.duration
    named = everything - unknown
    pure = sum(max(people.values()) for people in of.values())
    largest = sum(max(of[name][who] for name in of) for who in set(whose.values()))
    large = sum(1 for people in of.values() if sum(people.values()) > 0.01 * everything)
    return (
        f"{len(of)} speakers, {large} with over 1 % of the time; purity {pure / named:.1%}; "
        f"{largest / named:.1%} in the one where most of the same person is; "
        f"{unknown / everything:.0%} of the time not told"
    )


def speakers(name: str, speech: Manifest, whose: dict[str, str], out: Path) -> None:
    began = time.process_time()
    estimated = estimate_columns(["embedding"], speech, out=out / "annotated")
    embedded = time.process_time() - began
    seconds = speech.duration
    about = f"{len(speech)} utterances, {seconds / 60:.0f} min"
    said(f"{name}: {about}; embeddings {seconds / embedded:.0f} x real time")
    for distance, of_means in LIMITS:
        out_ = out / f"{distance}-{of_means}"
        found = cluster_speakers(SpeakerClustering(distance, of_means), estimated, out=out_)
        said(f"  {distance} and {of_means}: {told(whose, found)}")


def by_themselves(every: list[Utterance], home: Path) -> None:
    """Speakers of prompts, each of which is a recording."""
    whose = {each.audio_filepath: each.speaker or "" for each in every}
    listing = Manifest.write((replace(each, speaker=None) for each in every), home / "listing")
    pool = scan(ScanOptions(), listing, out=home / "pool")
    who = {each.id: whose[each.audio_filepath] for each in pool}
    speakers("every prompt by itself", pool, who, home / "alone")


def in_turns(every: list[Utterance], home: Path) -> None:
    """Speakers of long recordings, cut at pauses."""
    (home / "calls").mkdir()
    made = list(conversations(every, home / "calls"))
    listing = Manifest.write((each for each, _ in made), home / "made")
    calls = scan(ScanOptions(at_most=10), listing, out=home / "cut")
    turns = {each.id: who for each, who in made}
    who = {
        each.id: turns[each.audio_filepath.stem][round(each.offset + each.duration / 2) - 1]
        for each in calls
    }
    speakers("recordings of 10 min", calls, who, home / "turns")


def quality(every: list[Utterance], home: Path) -> None:
    """Bandwidth and DNSMOS of some prompts."""
    some = Manifest.write(every[:: len(every) // 60], home / "some")
    columns: tuple[Column, ...] = ("bandwidth", "dnsmos")
    for column in columns:
        began = time.process_time()
        found = list(estimate_columns([column], some, out=home / column))
        speed = some.duration / (time.process_time() - began)
        low, mid, high = np.percentile([getattr(each, column) for each in found], [5, 50, 95])
        said(f"{column}: {low:.4g} to {high:.4g}, median {mid:.4g}; {speed:.0f} x real time")


def duplicates(every: list[Utterance], home: Path) -> None:
    """Copies of some prompts, and how many of them are found."""
    (home / "copies").mkdir()
    chosen = [each for each in every if each.duration >= 1][::COPIED]
    copies = [
        replace(
            through(
                each, rate, form, codec, home / "copies" / f"{number}-{codec}-{rate}.{form.lower()}"
            ),
            id=name,
        )
        for name, (rate, form, codec) in CODECS.items()
        for number, each in enumerate(chosen)
    ]
    listing = Manifest.write([*every, *copies], home / "twice")
    began = time.process_time()
    once = scan(ScanOptions(duplicates="drop"), listing, out=home / "once")
    took = time.process_time() - began
    gone = [
        each for each in Manifest(once.folder / "rejected") if each.rejected_by == "near_duplicate"
    ]
    found = Counter(each.id for each in gone)
    said(f"{len(listing)} recordings scanned in {took:.0f} s; found of {len(chosen)} copies each:")
    said(", ".join(f"{name} {found[name]}" for name in CODECS))
    for each in gone:
        if each.id not in CODECS:
            said(f"  {each.audio_filepath.name}: {each.objection}")


PARTS = {
    "alone": by_themselves,
    "turns": in_turns,
    "quality": quality,
    "duplicates": duplicates,
}


def main() -> None:
    every = [replace(each, corpus="calls") for each in prompts()]
    for part in sys.argv[1:] or PARTS:
        with tempfile.TemporaryDirectory() as scratch:
            PARTS[part](every, Path(scratch))


if __name__ == "__main__":
    main()
