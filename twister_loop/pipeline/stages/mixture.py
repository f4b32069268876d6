"""The verbs of the loop that make what is trained on: mix, pack, augment."""

from __future__ import annotations

import logging
import random
from array import array
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np

from ...asr._base import Recognizer
from ...audio import io as audio
from ...audio.augmentation import Augmentation
from ...core.artifacts import stage
from ...core.errors import AudioError, ConfigError
from ...core.manifest import Manifest
from ...core.progress import progress
from ...core.types import Checkpoint, MixtureContents, MixtureSource, Seconds, Tally, Utterance
from ...data import packing
from ...data.mixture import REPLAY, Group, MixOptions
from ...data.packing import PackOptions

log = logging.getLogger(__name__)

FADE = 80
"""Samples at a join without silence: 5 ms at 16 kHz."""


@stage(version=2)
def mix(
    options: MixOptions,
    sources: Sequence[Manifest],
    seed: int,
    replay: Manifest | None = None,
    *,
    out: Path,
) -> Manifest:
    """Draw from every group its hours, and shuffle; the seed decides both.

    Where a line begins and how long it lasts is held in memory, never the corpus itself.
    """
    rng = random.Random(seed)
    firsts, starts, durations = array("q"), array("q"), array("d")
    groups: dict[Group, list[int]] = defaultdict(list)
    manifests = [*sources, replay] if replay else sources
    for source in manifests:
        firsts.append(len(starts))
        for start, each in source.with_offsets():
            origin = REPLAY if source is replay else each.origin
            groups[Group(origin, each.lang, each.corpus)].append(len(starts))
            starts.append(start)
            durations.append(each.duration)
    at_hand = {each: sum(durations[line] for line in lines) for each, lines in groups.items()}
    wanted = options.wanted(at_hand)
    drawn, ingredients = list[int](), list[MixtureSource]()
    for group in sorted(groups, key=str):
        lines = list(_drawn(groups[group], durations, wanted.get(group, 0.0), rng))
        there = Tally(len(groups[group]), round(at_hand[group], 3))
        taken = Tally(len(lines), round(sum(durations[line] for line in lines), 3))
        ingredients.append(MixtureSource(*group, available=there, taken=taken))
        drawn += lines
    if starts and not drawn:
        raise ConfigError("mix: its weights, shares and caps leave nothing of all there is")
    rng.shuffle(drawn)

    def found() -> Iterator[Utterance]:
        with ExitStack() as open_files:
            read = [open_files.enter_context(source.random_access()) for source in manifests]
            for line in drawn:
                yield read[bisect_right(firsts, line) - 1](starts[line])

    MixtureContents(tuple(ingredients)).save(out)
    return Manifest.write(found(), out)


@stage(version=2)
def pack(
    options: PackOptions,
    mixture: Manifest,
    asr: Recognizer,
    start: Checkpoint,
    seed: int,
    *,
    out: Path,
) -> Manifest:
    """Join utterances to at most 30 s and to labels that `asr` can hold.

    Each result lists what it is made of, and where that lies in it.
    """
    packer = packing.Packer(options, asr.label_length_ratio(start), seed)

    def packed() -> Iterator[Utterance]:
        for number, group in enumerate(progress(packer.packed_groups(mixture), "packing")):
            group, clips = _read(group)
            if not clips:
                continue
            samples = _joined(group, clips)
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
            )

    manifest = Manifest.write(packed(), out)
    if packer.left_out:
        log.warning("%d utterances are not packed: they failed, or have no text", packer.left_out)
    return manifest


@stage(version=2)
def augment(augmentation: Augmentation, mixture: Manifest, seed: int, *, out: Path) -> Manifest:
    """Perturb speech; what an utterance went through is noted, what went through nothing stays."""

    def perturbed() -> Iterator[Utterance]:
        for copy in range(augmentation.copies):
            times = Counter[str]()
            for number, utterance in enumerate(progress(mixture, "perturbing", len(mixture))):
                times[utterance.id] += 1
                seeds = (seed, copy, times[utterance.id])
                name = f"{number:06d}-{copy}" if copy else f"{number:06d}"
                other = _perturbed(augmentation, utterance, seeds, out / "audio" / f"{name}.wav")
                yield replace(other, id=f"{other.id}~{copy}") if copy else other

    return Manifest.write(perturbed(), out)


def _perturbed(
    terms: Augmentation, utterance: Utterance, seeds: tuple[int, int, int], path: Path
) -> Utterance:
    try:
        changed, samples = terms.apply(utterance, *seeds)
    except AudioError as error:
        log.warning("%s is not perturbed: %s", utterance.id, error)
        return utterance
    if changed == utterance:
        return utterance
    duration = audio.write(samples, path)
    return replace(changed, audio_filepath=path, offset=0.0, channel=None, duration=duration)


def _read(group: packing.Group) -> tuple[packing.Group, list[audio.Samples]]:
    """The sound of each utterance; the group closes up where one cannot be read, which is said."""
    clips, unreadable = list[audio.Samples](), set[int]()
    for place, (_, each) in enumerate(group.placed):
        try:
            clips.append(audio.load_utterance(each))
        except AudioError as error:
            log.warning("%s is not packed: %s", each.id, error)
            unreadable.add(place)
    return group.without(unreadable) if unreadable else group, clips


def _joined(group: packing.Group, clips: Sequence[audio.Samples]) -> audio.Samples:
    """One sound; what meets without silence is faded, so that no join clicks."""
    joined = np.zeros(round(group.end * audio.SAMPLE_RATE), np.float32)
    before = 0
    for number, ((start, _), clip) in enumerate(zip(group.placed, clips, strict=True)):
        at = round(start * audio.SAMPLE_RATE)
        clip = clip[: len(joined) - at]
        if number and at - before < FADE:
            edge = min(FADE, before, len(clip))
            joined[before - edge : before] *= np.linspace(1, 0, edge, dtype=np.float32)
            clip[:edge] *= np.linspace(0, 1, edge, dtype=np.float32)
        joined[at : at + len(clip)] = clip
        before = at + len(clip)
    return joined


def _drawn(
    lines: Sequence[int], durations: Sequence[Seconds], wanted: Seconds, rng: random.Random
) -> Iterator[int]:
    """Whole copies of everything, then a random part, until that many seconds are drawn."""
    at_hand = sum(durations[line] for line in lines)
    while at_hand and wanted >= at_hand * 0.999:
        yield from lines
        wanted -= at_hand
    for line in rng.sample(lines, len(lines)):
        if wanted < durations[line] / 2:
            return
        yield line
        wanted -= durations[line]
