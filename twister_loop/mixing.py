"""The verbs of the loop that make what is trained on: mix, pack, augment."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
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
    """Draw from every origin its weight in hours, and shuffle; the seed decides both."""
    rng = random.Random(seed)
    by_origin: dict[str, list[Utterance]] = defaultdict(list)
    for utterance in (each for source in sources for each in source):
        by_origin[utterance.origin].append(utterance)
    drawn: list[Utterance] = []
    for origin, utterances in sorted(by_origin.items()):
        wanted = getattr(recipe, origin) * sum(each.duration for each in utterances)
        drawn += _drawn(utterances, wanted, rng)
    rng.shuffle(drawn)
    return Manifest.write(drawn, out)


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
    utterances: Sequence[Utterance], wanted: Seconds, rng: random.Random
) -> Iterator[Utterance]:
    """Whole copies of everything, then a random part, until that many seconds are drawn."""
    at_hand = sum(each.duration for each in utterances)
    while at_hand and wanted >= at_hand * 0.999:
        yield from utterances
        wanted -= at_hand
    for each in rng.sample(list(utterances), len(utterances)):
        if wanted < each.duration / 2:
            return
        yield each
        wanted -= each.duration
