"""Scan of a pool: speaker clustering, sound quality, bandwidth and near-duplicates.

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
from fingerprints import CODECS, write_copy

from twister_loop import Utterance
from twister_loop.audio import io as audio
from twister_loop.core.manifest import Manifest
from twister_loop.data.corpora.ivr import Ivr
from twister_loop.data.scanning import EstimatedColumn, ScanOptions, SpeakerClustering
from twister_loop.pipeline.stages.annotation import cluster_speakers, estimate_columns
from twister_loop.pipeline.stages.listing import scan

SPLITS = (
    Ivr("pool", "it"),
    Ivr("second_speaker", "it"),
    Ivr("pool", "fr"),
    Ivr("retention"),
)
"""Telephone prompts of four people, in three languages."""
TURN_SECONDS = 60.0
"""Length of a turn in a synthetic conversation."""
TURNS = 10
"""Turns in a conversation."""
THRESHOLDS = ((0.15, 0.1), (0.175, 0.08), (0.175, 0.1), (0.175, 0.12), (0.2, 0.1), (0.25, 0.1))
"""Values of `distance` and `of_means` to compare."""
COPY_EVERY = 5
"""One prompt in so many is copied by each codec."""


def write(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def build_conversations(
    prompts: Iterable[Utterance], folder: Path
) -> Iterator[tuple[Utterance, list[str]]]:
    """Yield recordings in which the speakers take turns, and the speaker of every second."""
    turns = defaultdict[str, list[list[audio.Samples]]](list)
    pause = np.zeros(audio.SAMPLE_RATE // 2, np.float32)
    for prompt in prompts:
        own_turns = turns[prompt.speaker or ""]
        if not own_turns or sum(map(len, own_turns[-1])) > TURN_SECONDS * audio.SAMPLE_RATE:
            own_turns.append([])
        own_turns[-1] += [audio.load_utterance(prompt), pause]
    by_speaker = ([(speaker, turn) for turn in turns[speaker]] for speaker in turns)
    alternating = [turn for round_ in itertools.zip_longest(*by_speaker) for turn in round_ if turn]
    for number, begin in enumerate(range(0, len(alternating), TURNS)):
        conversation = alternating[begin : begin + TURNS]
        samples = np.concatenate([part for _, parts in conversation for part in parts])
        speaker_by_second = [
            speaker
            for speaker, parts in conversation
            for _ in range(round(sum(map(len, parts)) / audio.SAMPLE_RATE))
        ]
        path = folder / f"{number}.wav"
        duration = audio.write(samples, path)
        recording = Utterance(id=path.stem, audio_filepath=path, duration=duration, corpus="calls")
        yield recording, speaker_by_second


def describe_clusters(person_of: dict[str, str], clustered: Manifest) -> str:
    """Return the purity of the clusters and the coverage of the people, by time."""
    time_by_cluster = defaultdict[str, Counter[str]](Counter)
    total = unknown = 0.0
    for utterance in clustered:
        total += utterance.duration
        if utterance.speaker:
            person = person_of[utterance.id]
            time_by_cluster[utterance.speaker][person] += utterance.duration  # type: ignore[assignment]
        else:
            unknown += utterance.duration
    clusters = list(time_by_cluster.values())
    named = total - unknown
    pure = sum(max(people.values()) for people in clusters)
    largest = sum(max(people[person] for people in clusters) for person in set(person_of.values()))
    large = sum(sum(people.values()) > 0.01 * total for people in clusters)
    return (
        f"{len(clusters)} speakers, {large} with over 1 % of the time; purity {pure / named:.1%}; "
        f"{largest / named:.1%} in the speaker with most of the same person; "
        f"{unknown / total:.0%} of the time without a speaker"
    )


def compare_thresholds(
    name: str, utterances: Manifest, person_of: dict[str, str], out: Path
) -> None:
    """Cluster the speakers of utterances with all thresholds, and print the results."""
    began = time.process_time()
    with_embeddings = estimate_columns(["embedding"], utterances, out=out / "annotated")
    embedding_seconds = time.process_time() - began
    seconds = utterances.duration
    write(
        f"{name}: {len(utterances)} utterances, {seconds / 60:.0f} min; "
        f"embeddings {seconds / embedding_seconds:.0f} x real time"
    )
    for distance, of_means in THRESHOLDS:
        clustered = cluster_speakers(
            SpeakerClustering(distance, of_means),
            with_embeddings,
            out=out / f"{distance}-{of_means}",
        )
        write(f"  {distance} and {of_means}: {describe_clusters(person_of, clustered)}")


def cluster_prompts(prompts: list[Utterance], folder: Path) -> None:
    """Cluster the speakers of prompts, each of which is a recording of its own."""
    person_by_file = {prompt.audio_filepath: prompt.speaker or "" for prompt in prompts}
    unnamed = (replace(prompt, speaker=None) for prompt in prompts)
    listing = Manifest.write(unnamed, folder / "listing")
    pool = scan(ScanOptions(), listing, out=folder / "pool")
    person_of = {utterance.id: person_by_file[utterance.audio_filepath] for utterance in pool}
    compare_thresholds("every prompt by itself", pool, person_of, folder / "alone")


def cluster_conversations(prompts: list[Utterance], folder: Path) -> None:
    """Cluster the speakers of long recordings, cut at pauses."""
    (folder / "calls").mkdir()
    conversations = list(build_conversations(prompts, folder / "calls"))
    listing = Manifest.write((recording for recording, _ in conversations), folder / "made")
    cuts = scan(ScanOptions(at_most=10), listing, out=folder / "cut")
    speakers = {recording.id: by_second for recording, by_second in conversations}
    # The middle of a cut decides, since its edges may reach into the next turn.
    person_of = {
        cut.id: speakers[cut.audio_filepath.stem][round(cut.offset + cut.duration / 2) - 1]
        for cut in cuts
    }
    compare_thresholds("recordings of 10 min", cuts, person_of, folder / "turns")


def estimate_quality(prompts: list[Utterance], folder: Path) -> None:
    """Estimate bandwidth and DNSMOS of some prompts."""
    sample = Manifest.write(prompts[:: len(prompts) // 60], folder / "some")
    columns: tuple[EstimatedColumn, ...] = ("bandwidth", "dnsmos")
    for column in columns:
        began = time.process_time()
        estimated = list(estimate_columns([column], sample, out=folder / column))
        speed = sample.duration / (time.process_time() - began)
        estimates = [getattr(utterance, column) for utterance in estimated]
        low, median, high = np.percentile(estimates, [5, 50, 95])
        write(f"{column}: {low:.4g} to {high:.4g}, median {median:.4g}; {speed:.0f} x real time")


def find_duplicates(prompts: list[Utterance], folder: Path) -> None:
    """Copy some prompts by every codec, and count the copies that a scan finds."""
    (folder / "copies").mkdir()
    originals = [prompt for prompt in prompts if prompt.duration >= 1][::COPY_EVERY]
    copies = []
    for name, (rate, form, codec) in CODECS.items():
        for number, original in enumerate(originals):
            path = folder / "copies" / f"{number}-{codec}-{rate}.{form.lower()}"
            copies.append(replace(write_copy(original, rate, form, codec, path), id=name))
    listing = Manifest.write([*prompts, *copies], folder / "twice")
    began = time.process_time()
    once = scan(ScanOptions(duplicates="drop"), listing, out=folder / "once")
    seconds = time.process_time() - began
    duplicates = [
        rejected
        for rejected in Manifest(once.folder / "rejected")
        if rejected.rejected_by == "near_duplicate"
    ]
    counts = Counter(duplicate.id for duplicate in duplicates)
    write(
        f"{len(listing)} recordings scanned in {seconds:.0f} s; "
        f"copies found, of {len(originals)} by each codec:"
    )
    write(", ".join(f"{name} {counts[name]}" for name in CODECS))
    for duplicate in duplicates:
        if duplicate.id not in CODECS:  # an original: wrong, or recorded twice
            write(f"  {duplicate.audio_filepath.name}: {duplicate.objection}")


PARTS = {
    "alone": cluster_prompts,
    "turns": cluster_conversations,
    "quality": estimate_quality,
    "duplicates": find_duplicates,
}


def main() -> None:
    prompts = [replace(prompt, corpus="calls") for split in SPLITS for prompt in split.utterances()]
    for part in sys.argv[1:] or PARTS:
        with tempfile.TemporaryDirectory() as scratch:
            PARTS[part](prompts, Path(scratch))


if __name__ == "__main__":
    main()
