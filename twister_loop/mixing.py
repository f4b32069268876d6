"""The verbs of the loop that make what is trained on: mix, pack, augment."""

from __future__ import annotations

import random
from array import array
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from . import audio, packing, schema
from .artifact import stage
from .manifest import Manifest
from .parts import Effect
from .progress import progress
from .records import Seconds, Share, Utterance


@dataclass(frozen=True)
class Mix:
    """How often the hours of each origin count: 0.5 takes half of them, 2 takes all twice."""

    human: float = 1.0
    pseudo: float = 1.0
    synthetic: float = 1.0
    __pydantic_config__ = schema.STRICT


@dataclass(frozen=True)
class Pack:
    """How utterances are joined for training."""

    limit: Seconds = 30.0
    gap: Seconds = 0.5
    """Silence between neighbors."""
    __pydantic_config__ = schema.STRICT


@dataclass(frozen=True)
class Perturb:
    """How speech is perturbed for training."""

    effects: tuple[Effect, ...]
    probability: Share = 0.5
    """Of each effect, for each utterance; what no effect was drawn for stays as it is."""


@stage(version=1)
def mix(recipe: Mix, sources: Sequence[Manifest], seed: int, *, out: Path) -> Manifest:
    """Draw from every origin its weight in hours, and shuffle; the seed decides both.

    Where a line begins and how long it lasts is held in memory, never the corpus itself.
    """
    rng = random.Random(seed)
    firsts, starts, durations = array("q"), array("q"), array("d")
    by_origin: dict[str, list[int]] = defaultdict(list)
    for source in sources:
        firsts.append(len(starts))
        for start, utterance in source.located():
            by_origin[utterance.origin].append(len(starts))
            starts.append(start)
            durations.append(utterance.duration)
    drawn: list[int] = []
    for origin, lines in sorted(by_origin.items()):
        wanted = getattr(recipe, origin) * sum(durations[line] for line in lines)
        drawn += _drawn(lines, durations, wanted, rng)
    rng.shuffle(drawn)

    def found() -> Iterator[Utterance]:
        with ExitStack() as open_files:
            read = [open_files.enter_context(source.at()) for source in sources]
            for line in drawn:
                yield read[bisect_right(firsts, line) - 1](starts[line])

    return Manifest.write(found(), out)


@stage(version=1)
def pack(terms: Pack, mixture: Manifest, *, out: Path) -> Manifest:
    """Join neighbors of the mixture to at most 30 s; each result lists what it is made of."""

    def packed() -> Iterator[Utterance]:
        silence = np.zeros(round(terms.gap * audio.SAMPLE_RATE), np.float32)
        joined = packing.groups(mixture, terms.limit, terms.gap)
        for number, group in enumerate(progress(joined, "packing")):
            clips = [part for each in group for part in (audio.of(each), silence)][:-1]
            path = out / "audio" / f"{number:06d}.wav"
            yield Utterance(
                id=f"packed-{number:06d}",
                audio_filepath=path,
                duration=audio.write(np.concatenate(clips), path),
                text=" ".join(each.text or "" for each in group),
                lang=group[0].lang,
                origin=group[0].origin,
                pieces=packing.pieces(group, terms.gap),
            )

    return Manifest.write(packed(), out)


@stage(version=1)
def augment(terms: Perturb, mixture: Manifest, seed: int, *, out: Path) -> Manifest:
    """Perturb speech, seeded by round and id; what an utterance went through is noted."""

    def perturbed() -> Iterator[Utterance]:
        for number, utterance in enumerate(progress(mixture, "perturbing", len(mixture))):
            rng = np.random.default_rng([seed, number, *utterance.id.encode()])
            drawn = [each for each in terms.effects if rng.random() < terms.probability]
            if not drawn:
                yield utterance
                continue
            samples = audio.of(utterance)
            for effect in drawn:
                samples = effect.apply(samples, rng)
            path = out / "audio" / f"{number:06d}.wav"
            duration = audio.write(samples, path)
            made_by = "+".join(filter(None, [utterance.made_by, *(each.name for each in drawn)]))
            yield replace(
                utterance, audio_filepath=path, offset=0.0, duration=duration, made_by=made_by
            )

    return Manifest.write(perturbed(), out)


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
