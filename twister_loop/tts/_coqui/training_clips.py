"""Training clips of a Coqui voice: selected by speaker, cut out of their files, and leveled."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from ...audio import io as audio
from ...core.errors import AudioError, ConfigError
from ...core.types import Utterance
from .model_files import Model, normalize_text

log = logging.getLogger(__name__)

MIN_CLIP_SECONDS, MAX_CLIP_SECONDS = 1.0, 12.0
"""Shorter clips are mostly no sentences, longer ones need much memory in training."""
MAX_CHARACTERS_PER_SECOND = 25.0
"""More characters than this per second: the label does not belong to its audio."""
MIN_CLIPS, MIN_CLIPS_PER_SPEAKER = 20, 5
"""Fewer clips are not worth training on: in all, and of each speaker of a voice of several."""
MAX_SPEAKERS_LISTED = 10
"""Speakers named in an error message."""
TARGET_LOUDNESS = -23.0
"""Loudness of training clips and of synthetic speech, in decibels below full scale."""
MAX_PEAK = 0.95
"""Highest sample after leveling; full scale is 1."""

CoquiSample = dict[str, str]
"""Text, file, speaker and language of a clip, under the keys that Coqui's data sets read."""


def select_clips_of_one_speaker(
    filtered_labels: Iterable[Utterance],
    named_speaker: str | None,
    learned_speaker: str | None = None,
) -> list[Utterance]:
    """Return the usable clips of one speaker.

    Args:
        filtered_labels: labeled utterances of any speakers.
        named_speaker: the speaker that the plan names; None leaves the choice to the data.
        learned_speaker: the speaker of the voice that training continues from. It is preferred
            if it has `MIN_CLIPS` usable clips, or a voice would change its speaker whenever
            another one gets ahead by a clip. Otherwise the speaker with most speech is used.

    Raises:
        ConfigError: that speaker has fewer than `MIN_CLIPS` usable clips.
    """
    clips_by_speaker = _group_usable_clips(filtered_labels)
    minutes = {name: _minutes(clips) for name, clips in clips_by_speaker.items()}
    speaker = named_speaker
    if named_speaker is None and len(clips_by_speaker.get(learned_speaker, ())) >= MIN_CLIPS:
        speaker = learned_speaker
    elif named_speaker is None and clips_by_speaker:
        # The name breaks ties, so that the order of the clips has no influence.
        speaker = max(minutes, key=lambda name: (minutes[name], name or ""))
    clips = clips_by_speaker.get(speaker, [])
    if len(clips) < MIN_CLIPS:
        raise _too_few_clips_error(
            clips_by_speaker,
            clip_count=len(clips),
            named_speakers=[speaker] if speaker else [],
            min_per_speaker=MIN_CLIPS,
        )
    log.info(
        "training the voice on %d clips (%.1f minutes) of %s; %d other speakers are not used",
        len(clips),
        minutes[speaker],
        f"speaker {speaker}" if speaker else "unknown speakers",
        len(clips_by_speaker) - 1,
    )
    return clips


def select_clips_of_speakers(
    filtered_labels: Iterable[Utterance], named_speakers: Sequence[str] = ()
) -> list[Utterance]:
    """Return the usable clips of all speakers who have enough, speaker by speaker.

    Clips without a speaker count as one speaker's. A speaker with fewer than
    `MIN_CLIPS_PER_SPEAKER` clips is left out. With `named_speakers` only those are used.

    Raises:
        ConfigError: there are fewer than `MIN_CLIPS` clips, or too few of a named speaker.
    """
    clips_by_speaker = _group_usable_clips(filtered_labels)
    speakers = [
        speaker
        for speaker, clips in clips_by_speaker.items()
        if len(clips) >= MIN_CLIPS_PER_SPEAKER
    ]
    if named_speakers:
        speakers = [speaker for speaker in speakers if speaker in named_speakers]
    clips = [clip for speaker in speakers for clip in clips_by_speaker[speaker]]
    if len(clips) < MIN_CLIPS or set(named_speakers) - set(speakers):
        raise _too_few_clips_error(
            clips_by_speaker,
            clip_count=len(clips),
            named_speakers=named_speakers,
            min_per_speaker=MIN_CLIPS_PER_SPEAKER,
        )
    log.info(
        "training the voice on %d clips (%.1f minutes) of %d speakers; %d other speakers are not "
        "used",
        len(clips),
        _minutes(clips),
        len(speakers),
        len(clips_by_speaker) - len(speakers),
    )
    return clips


def _group_usable_clips(
    filtered_labels: Iterable[Utterance],
) -> dict[str | None, list[Utterance]]:
    """Return by speaker the clips that a voice can be trained on."""
    clips_by_speaker: defaultdict[str | None, list[Utterance]] = defaultdict(list)
    for utterance in filtered_labels:
        duration = utterance.duration
        if utterance.error is None and MIN_CLIP_SECONDS <= duration <= MAX_CLIP_SECONDS:
            characters = len(normalize_text(utterance.text or ""))
            if 0 < characters <= MAX_CHARACTERS_PER_SECOND * duration:
                clips_by_speaker[utterance.speaker].append(utterance)
    return clips_by_speaker


def _minutes(clips: Iterable[Utterance]) -> float:
    return sum(clip.duration for clip in clips) / 60


def _too_few_clips_error(
    clips_by_speaker: Mapping[str | None, Sequence[Utterance]],
    clip_count: int,
    named_speakers: Sequence[str],
    min_per_speaker: int,
) -> ConfigError:
    """Return the error that tells what is needed and what there is."""
    # Those with most clips first: a misspelled name stands out beside them.
    speakers = sorted(clips_by_speaker, key=lambda name: -len(clips_by_speaker[name]))
    counts = ", ".join(
        f"{name or 'unknown'} {len(clips_by_speaker[name])}"
        for name in speakers[:MAX_SPEAKERS_LISTED]
    )
    hidden = len(speakers) - MAX_SPEAKERS_LISTED
    return ConfigError(
        f"too little speech to train a voice: at least {MIN_CLIPS} labeled clips of "
        f"{MIN_CLIP_SECONDS:g} to {MAX_CLIP_SECONDS:g} s are needed, {min_per_speaker} of every "
        f"speaker, there are {clip_count}"
        f"{' of speaker ' if named_speakers else ''}{', '.join(named_speakers)} "
        f"(clips by speaker: {counts or 'none'}{f' and {hidden} more' if hidden > 0 else ''})"
    )


def write_clips(clips: Iterable[Utterance], folder: Path, model: Model) -> list[CoquiSample]:
    """Cut the clips out of their files into `folder`, leveled, and list them as Coqui does.

    The files have the sample rate of the model. A clip that cannot be read, or is too short for
    its label, is left out with a warning.

    Raises:
        ConfigError: fewer than `MIN_CLIPS` are left.
    """
    samples: list[CoquiSample] = []
    processor, broken = model.ap, 0
    # Silence is trimmed here, once; Coqui would trim the same clip again at every step.
    trims_silence, processor.do_trim_silence = processor.do_trim_silence, False
    for number, clip in enumerate(clips):
        # Numbered by clip and not by file, so that a skipped clip does not rename the others.
        text, path = normalize_text(clip.text or ""), folder / f"{number:06d}.wav"
        try:
            speech = audio.resample(
                audio.load_utterance(clip), audio.SAMPLE_RATE, processor.sample_rate
            )
            if trims_silence:
                speech = processor.trim_silence(speech)
            # Every character needs a frame, or no alignment exists and the loss is infinite.
            if len(speech) / processor.hop_length <= len(model.tokenizer.text_to_ids(text)):
                raise AudioError(
                    f"{clip.audio_filepath}: the speech is too short for the characters of its "
                    "label"
                )
        except AudioError as cause:
            broken += 1
            log.warning("skipping a clip in the training of the voice: %s", cause)
            continue
        # Even loudness here makes it even in synthesis as well.
        audio.write(level_loudness(speech), path, processor.sample_rate)
        samples.append(
            {
                "text": text,
                "audio_file": str(path),
                "language": "",
                "speaker_name": clip.speaker or "",
                "audio_unique_name": path.stem,
                "root_path": str(folder),
            }
        )
    if len(samples) < MIN_CLIPS:
        raise ConfigError(
            f"too little speech to train a voice: {len(samples)} clips could be used and {broken} "
            f"could not, at least {MIN_CLIPS} are needed; the warnings above name the reasons"
        )
    return samples


def level_loudness(samples: audio.Samples) -> audio.Samples:
    """Return speech of shape (n_samples,) at `TARGET_LOUDNESS`, or as near as its peak allows."""
    # The floor keeps the division finite for digital silence.
    peak = float(np.abs(samples).max(initial=1e-6))
    gain = 10 ** ((TARGET_LOUDNESS - audio.measure_loudness(samples)) / 20)
    return (samples * min(gain, MAX_PEAK / peak)).astype(np.float32)
