"""Stages that make the training data: mix, pack and augment."""

from __future__ import annotations

import logging
import random
from array import array
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np

from ...asr._base import Recognizer
from ...audio import io as audio
from ...audio.augmentation import Augmentation
from ...core.artifacts import stage
from ...core.errors import AudioError, ConfigError
from ...core.file_hashes import VerifiedManifest
from ...core.manifest import Manifest
from ...core.progress import show_progress
from ...core.tallies import Funnel, MixtureContents, MixtureSource, Tally
from ...core.types import Checkpoint, Seconds, Utterance
from ...data import packing
from ...data.mixture import REPLAY, SPEECHLESS, MixOptions, MixtureGroup
from ...data.packing import PackOptions

log = logging.getLogger(__name__)

FADE_SAMPLES = 80
"""Length of the fade where two clips meet without silence: 5 ms at 16 kHz."""


@stage(version=3)
def mix(
    options: MixOptions,
    sources: Sequence[Manifest],
    seed: int,
    replay: Manifest | None = None,
    *,
    out: Path,
) -> Manifest:
    """Draw from every group of utterances its hours, and shuffle.

    A group is what has the same origin, language and corpus. Memory holds the offset and the
    duration of every line, never the utterances themselves.

    Args:
        options: Weights, shares and caps in hours.
        sources: Filtered labels, the synthetic speech of each voice, and clips without speech.
        seed: Decides what is drawn, and the order.
        replay: Speech of other languages or domains that must not be forgotten.
        out: Folder of the mixture.

    Raises:
        ConfigError: Weights, shares and caps leave nothing.
    """
    rng = random.Random(seed)
    first_lines, offsets, durations = array("q"), array("q"), array("d")
    lines_by_group: dict[MixtureGroup, list[int]] = defaultdict(list)
    manifests = [*sources, replay] if replay else sources
    for source in manifests:
        first_lines.append(len(offsets))
        for offset, utterance in source.iter_with_offsets():
            origin = REPLAY if source is replay else utterance.origin
            if utterance.speechless:  # wherever it comes from
                origin = SPEECHLESS
            group = MixtureGroup(origin, utterance.lang, utterance.corpus)
            lines_by_group[group].append(len(offsets))
            offsets.append(offset)
            durations.append(utterance.duration)
    available = {
        group: sum(durations[line] for line in lines) for group, lines in lines_by_group.items()
    }
    wanted = options.target_durations(available)
    drawn, contents = list[int](), list[MixtureSource]()
    # Groups are drawn in a fixed order, since every draw moves the random generator.
    for group in sorted(lines_by_group, key=str):
        lines = list(_draw(lines_by_group[group], durations, wanted.get(group, 0.0), rng))
        contents.append(
            MixtureSource(
                *group,
                available=Tally(len(lines_by_group[group]), round(available[group], 3)),
                taken=Tally(len(lines), round(sum(durations[line] for line in lines), 3)),
            )
        )
        drawn += lines
    if offsets and not drawn:
        raise ConfigError("mix: the weights, shares and caps leave nothing of what there is")
    rng.shuffle(drawn)

    def utterances() -> Iterator[Utterance]:
        with ExitStack() as open_files:
            readers = [open_files.enter_context(source.random_access()) for source in manifests]
            for line in drawn:
                read = readers[bisect_right(first_lines, line) - 1]
                yield read(offsets[line])

    MixtureContents(tuple(contents)).save(out)
    return Manifest.write(utterances(), out)


@stage(version=3)
def pack(
    options: PackOptions,
    mixture: Manifest,
    asr: Recognizer,
    start: Checkpoint,
    seed: int,
    *,
    out: Path,
) -> Manifest:
    """Join utterances to at most 30 s and to labels that fit the recognizer.

    `pieces` of a packed utterance lists what it is made of, with the place of each piece. What
    cannot be read is in `rejected/`, if there is any.
    """
    packer = packing.Packer(options, asr.label_length_ratio(start), seed)
    rejected = list[Utterance]()

    def reject(utterance: Utterance, reason: str) -> None:
        log.warning("%s is not packed: %s", utterance.id, reason)
        rejected.append(replace(utterance, rejected_by="error", objection=reason))

    def usable() -> Iterator[Utterance]:
        for utterance in VerifiedManifest(mixture.folder):
            if utterance.error:
                reject(utterance, utterance.error)
            else:
                yield utterance

    def packed() -> Iterator[Utterance]:
        for number, planned in enumerate(show_progress(packer.pack(usable()), "packing")):
            group, clips = _read(planned, reject)
            if not clips:
                continue
            samples = _join(group, clips)
            # Numbered by the planned window, so that a skipped window does not rename the others.
            path = out / "audio" / f"{number:06d}.wav"
            yield Utterance(
                id=f"packed-{number:06d}",
                audio_filepath=path,
                duration=audio.write(samples, path),
                text=group.text,
                lang=group.lang,
                speaker=group.speaker,
                origin=group.origin,
                pieces=group.pieces,
                previous_text=group.previous_text,
                speechless=group.speechless,
            )

    manifest = Manifest.write(packed(), out)
    if packer.left_out_count:
        log.warning("%d utterances were not packed: they have no text", packer.left_out_count)
    if rejected:
        Manifest.write(rejected, out / "rejected")
        kept, lost = Tally(), Tally()
        for utterance in manifest:
            kept = kept.add(utterance.duration)
        for utterance in rejected:
            lost = lost.add(utterance.duration)
        Funnel(kept, {"error": lost}).save(out)
    return manifest


@stage(version=2)
def augment(augmentation: Augmentation, mixture: Manifest, seed: int, *, out: Path) -> Manifest:
    """Write augmented copies of speech; an utterance that drew no effect keeps its own file."""

    def augmented() -> Iterator[Utterance]:
        for copy in range(augmentation.copies):
            # The same utterance may stand in a mixture several times, and draws anew each time.
            occurrences = Counter[str]()
            lines = show_progress(VerifiedManifest(mixture.folder), "augmenting", len(mixture))
            for number, utterance in enumerate(lines):
                occurrences[utterance.id] += 1
                seeds = (seed, copy, occurrences[utterance.id])
                name = f"{number:06d}-{copy}" if copy else f"{number:06d}"
                result_path = out / "audio" / f"{name}.wav"
                changed = _augment(augmentation, utterance, seeds, result_path)
                yield replace(changed, id=f"{changed.id}~{copy}") if copy else changed

    return Manifest.write(augmented(), out)


def _augment(
    augmentation: Augmentation, utterance: Utterance, seeds: tuple[int, int, int], path: Path
) -> Utterance:
    if utterance.error:  # training passes over it, and says so
        return utterance
    try:
        changed, samples = augmentation.apply(utterance, *seeds)
    except AudioError as error:
        log.warning("%s is not augmented: %s", utterance.id, error)
        return utterance
    if changed == utterance:
        return utterance
    duration = audio.write(samples, path)
    return replace(changed, audio_filepath=path, offset=0.0, channel=None, duration=duration)


def _read(
    group: packing.PackedGroup, reject: Callable[[Utterance, str], None]
) -> tuple[packing.PackedGroup, list[audio.Samples]]:
    """Read the clips of a group; one that cannot be read is rejected and its gap is closed."""
    clips, unreadable = list[audio.Samples](), set[int]()
    for place, (_, utterance) in enumerate(group.placed):
        try:
            clips.append(audio.load_utterance(utterance))
        except AudioError as error:
            reject(utterance, str(error))
            unreadable.add(place)
    return group.without(unreadable) if unreadable else group, clips


def _join(group: packing.PackedGroup, clips: Sequence[audio.Samples]) -> audio.Samples:
    """Return one signal; clips that meet without silence are faded, so that no join clicks."""
    joined = np.zeros(round(group.end * audio.SAMPLE_RATE), np.float32)
    previous_end = 0
    for number, ((start, _), clip) in enumerate(zip(group.placed, clips, strict=True)):
        begin = round(start * audio.SAMPLE_RATE)
        clip = clip[: len(joined) - begin]
        if number and begin - previous_end < FADE_SAMPLES:
            edge = min(FADE_SAMPLES, previous_end, len(clip))
            joined[previous_end - edge : previous_end] *= np.linspace(1, 0, edge, dtype=np.float32)
            clip[:edge] *= np.linspace(0, 1, edge, dtype=np.float32)
        joined[begin : begin + len(clip)] = clip
        previous_end = begin + len(clip)
    return joined


def _draw(
    lines: Sequence[int], durations: Sequence[Seconds], wanted: Seconds, rng: random.Random
) -> Iterator[int]:
    """Yield whole copies of all lines, then random ones, until `wanted` seconds are drawn."""
    available = sum(durations[line] for line in lines)
    # The tolerance keeps rounding from replacing a whole copy by a random order of the same.
    while available and wanted >= available * 0.999:
        yield from lines
        wanted -= available
    for line in rng.sample(lines, len(lines)):
        if wanted < durations[line] / 2:
            return
        yield line
        wanted -= durations[line]
