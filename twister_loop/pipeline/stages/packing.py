"""The stage that joins utterances to longer ones."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from ...asr._base import Recognizer
from ...audio import io as audio
from ...audio.room_tone import make_room_tone
from ...core.artifacts import stage
from ...core.errors import AudioError
from ...core.file_hashes import VerifiedManifest
from ...core.manifest import Manifest
from ...core.progress import show_progress
from ...core.tallies import Funnel, Tally
from ...core.types import Checkpoint, Utterance
from ...data.neighbors import is_recorded_pause, recorded_pause
from ...data.packed_group import PackedGroup
from ...data.packing import Packer, PackOptions

log = logging.getLogger(__name__)

FADE_SAMPLES = 80
"""Length of the fade where two clips meet without a gap: 5 ms at 16 kHz."""


@stage(version=4)
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

    Neighboring cuts of a recording are joined with the pause that was recorded between them, others
    with room tone. The padding to Whisper's window comes later, in training. It is digital silence,
    since Whisper pads with zeros when it transcribes.

    `pieces` of a packed utterance lists what it is made of, with the place of each piece. What
    cannot be read is in `rejected/`, if there is any.
    """
    packer = Packer(options, asr.label_length_ratio(start), seed)
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
            # By number, so that a gap does not depend on what was joined before.
            samples = _join(group, clips, np.random.default_rng([seed, number]))
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


def _read(
    group: PackedGroup, reject: Callable[[Utterance, str], None]
) -> tuple[PackedGroup, list[audio.Samples]]:
    """Read the clips of a group; one that cannot be read is rejected and its gap is closed."""
    clips, unreadable = list[audio.Samples](), set[int]()
    for place, (_, utterance) in enumerate(group.placed):
        try:
            clips.append(audio.load_utterance(utterance))
        except AudioError as error:
            reject(utterance, str(error))
            unreadable.add(place)
    return group.without(unreadable) if unreadable else group, clips


def _join(
    group: PackedGroup, clips: Sequence[audio.Samples], rng: np.random.Generator
) -> audio.Samples:
    """Return one signal, (samples,): clips at their places, with what is between them.

    Clips that meet without a gap are faded, so that no join clicks.
    """
    joined = np.zeros(round(group.end * audio.SAMPLE_RATE), np.float32)
    begins = [round(start * audio.SAMPLE_RATE) for start, _ in group.placed]
    # Copies, which may be faded. Rounding may make the last clip a sample too long.
    clips = [clip[: len(joined) - begin].copy() for begin, clip in zip(begins, clips, strict=True)]
    neighbors = pairwise(zip(group.utterances, begins, clips, strict=True))
    for (before, begin_before, clip_before), (after, begin, clip) in neighbors:
        end_before = begin_before + len(clip_before)
        gap = begin - end_before
        pause = _read_pause(before, after) if gap > 0 and is_recorded_pause(before, after) else None
        if pause is not None:
            # Up to the clip after it: rounding may make the pause a sample shorter than its place.
            pause = pause[-gap:]
            joined[begin - len(pause) : begin] = pause
        elif gap >= FADE_SAMPLES:
            joined[end_before:begin] = make_room_tone(clip_before, clip, gap, rng)
        elif not is_recorded_pause(before, after):
            edge = min(FADE_SAMPLES, len(clip_before), len(clip))
            clip_before[len(clip_before) - edge :] *= np.linspace(1, 0, edge, dtype=np.float32)
            clip[:edge] *= np.linspace(0, 1, edge, dtype=np.float32)
    for begin, clip in zip(begins, clips, strict=True):
        joined[begin : begin + len(clip)] = clip
    return joined


def _read_pause(before: Utterance, after: Utterance) -> audio.Samples | None:
    """Return the audio between two cuts of a recording; None if it cannot be read."""
    try:
        return audio.read(
            before.audio_filepath,
            offset=before.offset + before.duration,
            duration=recorded_pause(before, after),
            channel=before.channel,
        )
    except AudioError as error:
        # The clips themselves were read, so the window is usable with room tone instead.
        log.warning("%s: no pause is read after %s: %s", before.audio_filepath, before.id, error)
        return None
