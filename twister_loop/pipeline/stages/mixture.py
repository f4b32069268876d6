"""Stages that make the training data: mix and augment."""

from __future__ import annotations

import logging
import math
import random
from array import array
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ...audio import io as audio
from ...audio.augmentation import Augmentation
from ...core.artifacts import stage
from ...core.errors import AudioError, ConfigError
from ...core.file_hashes import VerifiedManifest
from ...core.manifest import Manifest
from ...core.progress import show_progress
from ...core.segments import MAX_WINDOW, join_texts
from ...core.tallies import NOTABLE_LOSS, MixtureContents, MixtureSource, Tally
from ...core.types import Language, Seconds, Utterance
from ...data.mixture import REPLAY, SPEECHLESS, MixOptions, MixtureGroup
from ...data.neighbors import CutIndex, Stretches, find_stretches

log = logging.getLogger(__name__)

ROUNDING: Seconds = 1e-3
"""Seconds that are rounding: manifests hold milliseconds."""
MAX_CUTS_BEFORE = 256
"""Utterances that are kept in memory as what may have been said before the next ones."""


@stage(version=4)
def mix(
    options: MixOptions,
    sources: Sequence[Manifest],
    seed: int,
    replay: Manifest | None = None,
    left_out: Sequence[Manifest] = (),
    *,
    out: Path,
) -> Manifest:
    """Draw from every group of utterances its hours, and shuffle.

    A group is what has the same origin, language and corpus. Neighboring cuts of a recording stay
    together, in stretches of at most 30 s, and each gets the text that was said before it. Memory
    holds the place of every line, never the utterances themselves.

    Args:
        options: Weights, shares and caps in hours.
        sources: Filtered labels, the synthetic speech of each voice, and clips without speech.
        seed: Decides what is drawn, and the order.
        replay: Speech of other languages or domains that must not be forgotten.
        left_out: Speech of the same recordings that was rejected, so that nobody takes what was
            said before it for what was said before the next cut.
        out: Folder of the mixture.

    Raises:
        ConfigError: Weights, shares and caps leave nothing, or cannot hold together.
    """
    rng = random.Random(seed)
    cuts = CutIndex()
    for manifest in left_out:
        for utterance in manifest:
            cuts.add(utterance, is_left_out=True)
    first_cut = len(cuts)
    first_lines, offsets, durations = array("q"), array("q"), array("d")
    lines_by_group: dict[MixtureGroup, array[int]] = defaultdict(lambda: array("q"))
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
            cuts.add(utterance)
    starts = cuts.starts[first_cut:]
    previous = np.maximum(cuts.find_previous()[first_cut:] - first_cut, -1)
    previous_of_group, following = _split_by_group(previous, lines_by_group.values())
    available = {
        group: math.fsum(durations[line] for line in lines)
        for group, lines in lines_by_group.items()
    }
    asked, wanted = options.asked_durations(available), options.target_durations(available)
    # The lines of all drawn stretches, and where each stretch begins.
    drawn, bounds, contents = array("q"), array("q"), list[MixtureSource]()
    # Groups are drawn in a fixed order, since every draw moves the random generator.
    for group in sorted(lines_by_group, key=str):
        stretches = find_stretches(
            lines_by_group[group], previous_of_group, following, starts, durations
        )
        first_drawn = len(drawn)
        for stretch in _draw(stretches, durations, wanted.get(group, 0.0), rng):
            bounds.append(len(drawn))
            drawn.extend(stretch)
        taken = math.fsum(durations[line] for line in drawn[first_drawn:])
        contents.append(
            MixtureSource(
                *group,
                available=Tally(len(lines_by_group[group]), round(available[group], 3)),
                taken=Tally(len(drawn) - first_drawn, round(taken, 3)),
                asked=round(asked.get(group, 0.0), 3),
            )
        )
    if offsets and not drawn:
        raise ConfigError("mix: the weights, shares and caps leave nothing of what there is")
    _log_contents(contents, wanted, options.reached_limits(wanted))
    # Stretches and not lines, so that cuts of a recording stay in their order.
    order = array("q", range(len(bounds)))
    rng.shuffle(order)
    bounds.append(len(drawn))

    def utterances() -> Iterator[Utterance]:
        with ExitStack() as open_files:
            readers = [open_files.enter_context(source.random_access()) for source in manifests]

            # What was said before a cut is usually what was written just now.
            @lru_cache(maxsize=MAX_CUTS_BEFORE)
            def read(line: int) -> Utterance:
                return readers[bisect_right(first_lines, line) - 1](offsets[line])

            for number in order:
                for line in drawn[bounds[number] : bounds[number + 1]]:
                    yield _with_previous_text(line, read, previous, starts)

    MixtureContents(tuple(contents)).save(out)
    return Manifest.write(utterances(), out)


def _with_previous_text(
    line: int,
    read: Callable[[int], Utterance],
    previous: npt.NDArray[np.int64],
    starts: Sequence[Seconds],
) -> Utterance:
    """Return an utterance with the cut before it and what was said in the 30 s before it."""
    utterance, texts = read(line), list[tuple[Language | None, str]]()
    before = previous[line]
    # The last cut in any case; others as far back as Whisper's window, whose text is the prompt of
    # the next one when it transcribes a long recording.
    while before >= 0 and (not texts or starts[line] - starts[before] <= MAX_WINDOW):
        cut = read(int(before))
        if cut.error or cut.speechless or not (cut.text or "").strip():
            break
        texts.append((cut.lang, cut.text or ""))
        before = previous[before]
    if not texts:
        return utterance
    follows = read(int(previous[line])).id
    return replace(utterance, previous_text=join_texts(reversed(texts)), follows=follows)


def _log_contents(
    contents: Sequence[MixtureSource],
    wanted: Mapping[MixtureGroup, Seconds],
    reached_limits: Sequence[str],
) -> None:
    """Log the hours that were asked and taken of each source, and why they differ."""
    for source in contents:
        group = MixtureGroup(source.origin, source.lang, source.corpus)
        asked, taken = source.asked or 0.0, source.taken.duration
        is_less = taken < asked * (1 - NOTABLE_LOSS)
        log.log(
            logging.WARNING if is_less else logging.INFO,
            "mix: %s: %.3f h asked, %.3f h taken of %.3f h%s",
            group, asked / 3600, taken / 3600, source.available.duration / 3600,
            f", because of {', '.join(reached_limits)}" if is_less and reached_limits else "",
        )  # fmt: skip
        if wanted.get(group) and not source.taken.utterances:
            log.warning(
                "mix: %s: nothing is taken, since its %.1f s are shorter than any of its clips; "
                "raise its weight or its share",
                group, wanted[group],
            )  # fmt: skip


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


def _split_by_group(
    previous: npt.NDArray[np.int64], groups: Iterable[Sequence[int]]
) -> tuple[array[int], array[int]]:
    """Return the line before and the line after every line, if they are of the same group.

    Args:
        previous: The line before every line, (lines,); -1 if there is none.
        groups: The lines of each group.
    """
    group_numbers = np.zeros(len(previous), np.int32)
    for number, lines in enumerate(groups):
        group_numbers[np.array(lines, np.int64)] = number
    is_same = (previous >= 0) & (group_numbers[previous] == group_numbers)
    previous_of_group = np.where(is_same, previous, -1)
    following = np.full(len(previous), -1, np.int64)
    following[previous[is_same]] = np.flatnonzero(is_same)
    # Plain arrays, of which single members are read faster.
    return array("q", previous_of_group.tobytes()), array("q", following.tobytes())


def _draw(
    stretches: Stretches, durations: Sequence[Seconds], wanted: Seconds, rng: random.Random
) -> Iterator[Sequence[int]]:
    """Yield whole copies of all stretches, then random ones, never more than `wanted` seconds.

    A stretch that is too long for what is left is taken as far as it fits.
    """
    available = math.fsum(durations[line] for line in stretches.lines)
    # The tolerance keeps rounding from replacing a whole copy by a random order of the same.
    while available > ROUNDING and wanted >= available - ROUNDING:
        yield from (stretches[number] for number in range(len(stretches)))
        wanted -= available
    # Beyond it nothing fits, and millions of clips would be looked at for nothing.
    shortest = min((durations[line] for line in stretches.lines), default=0.0)
    for number in rng.sample(range(len(stretches)), len(stretches)):
        if wanted < shortest - ROUNDING:
            return
        stretch, count = stretches[number], 0
        while count < len(stretch) and durations[stretch[count]] <= wanted + ROUNDING:
            wanted -= durations[stretch[count]]
            count += 1
        if count:
            yield stretch[:count]
