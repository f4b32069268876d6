"""What a Coqui voice learns from: clips of the lesson, chosen by speaker, cut and leveled."""

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

SHORTEST, LONGEST = 1.0, 12.0
"""Seconds of a clip: shorter ones are mostly not sentences, longer ones need much memory."""
FASTEST = 25.0
"""Characters a second; more is a label that does not belong to its audio."""
MIN_CLIPS, MIN_CLIPS_PER_SPEAKER = 20, 5
"""Clips without which there is no use in trying, and of every speaker of several."""
NAMED = 10
"""Speakers who are named where something is wrong."""
LEVEL = -23.0
"""Loudness of clips and of synthetic speech, in decibels below full scale."""

CoquiSample = dict[str, str]


def select_clips_of_one_speaker(
    lesson: Iterable[Utterance], named: str | None, learned: str | None = None
) -> list[Utterance]:
    """The clips that a voice can learn from: of one speaker.

    That is the one named; else the one that the voice has learned, if there is enough of that
    one's speech; else whoever speaks most. Raises ConfigError where there are too few.
    """
    spoken = _by_speaker(lesson)
    minutes = {name: sum(each.duration for each in clips) / 60 for name, clips in spoken.items()}
    speaker = named
    if named is None and len(spoken.get(learned, ())) >= MIN_CLIPS:
        speaker = learned
    elif named is None and spoken:
        speaker = max(minutes, key=lambda name: (minutes[name], name or ""))
    clips = spoken.get(speaker, [])
    if len(clips) < MIN_CLIPS:
        raise _too_few(spoken, len(clips), [speaker] if speaker else [], MIN_CLIPS)
    who, others = speaker or "speakers without a name", len(spoken) - 1
    log.info(
        "the voice learns from %s: %d clips, %.1f minutes; %d other speakers are left out",
        *(who, len(clips), minutes[speaker], others),
    )
    return clips


def select_clips_of_speakers(
    lesson: Iterable[Utterance], named: Sequence[str] = ()
) -> list[Utterance]:
    """The clips that a voice of several speakers can learn from, speaker by speaker.

    A speaker of whom there is next to nothing is left out; clips without a speaker's name are
    taken for one speaker's. Raises ConfigError where there are too few clips, in all or of one
    who is named.
    """
    spoken = _by_speaker(lesson)
    taken = [name for name, clips in spoken.items() if len(clips) >= MIN_CLIPS_PER_SPEAKER]
    if named:
        taken = [name for name in taken if name in named]
    clips = [each for name in taken for each in spoken[name]]
    if len(clips) < MIN_CLIPS or set(named) - set(taken):
        raise _too_few(spoken, len(clips), named, MIN_CLIPS_PER_SPEAKER)
    log.info(
        "the voice learns from %d speakers: %d clips, %.1f minutes; %d others are left out",
        *(len(taken), len(clips), sum(each.duration for each in clips) / 60),
        len(spoken) - len(taken),
    )
    return clips


def _by_speaker(lesson: Iterable[Utterance]) -> dict[str | None, list[Utterance]]:
    """The clips that a voice can be learned from."""
    spoken: defaultdict[str | None, list[Utterance]] = defaultdict(list)
    for each in lesson:
        if each.error is None and SHORTEST <= each.duration <= LONGEST:
            letters = len(normalize_text(each.text or ""))
            if 0 < letters <= FASTEST * each.duration:
                spoken[each.speaker].append(each)
    return spoken


def _too_few(
    spoken: Mapping[str | None, Sequence[Utterance]], clips: int, named: Sequence[str], each: int
) -> ConfigError:
    most = sorted(spoken, key=lambda name: -len(spoken[name]))[:NAMED]
    there = ", ".join(f"{name or 'unknown'} {len(spoken[name])}" for name in most)
    more = f" and {len(spoken) - NAMED} more" if len(spoken) > NAMED else ""
    return ConfigError(
        f"too little speech to train a voice: at least {MIN_CLIPS} labeled clips of {SHORTEST:g} to "
        f"{LONGEST:g} s are needed, {each} of every speaker, there are {clips}"
        f"{' of speaker ' if named else ''}{', '.join(named)} "
        f"(clips by speaker: {there or 'none'}{more})"
    )


def write_clips(clips: Iterable[Utterance], folder: Path, model: Model) -> list[CoquiSample]:
    """Cut the clips out of their files, evenly loud, and list them as Coqui does.

    Silence is trimmed here, once, and not at every step.
    """
    samples: list[CoquiSample] = []
    ap, broken = model.ap, 0
    trims, ap.do_trim_silence = ap.do_trim_silence, False
    for number, clip in enumerate(clips):
        text, path = normalize_text(clip.text or ""), folder / f"{number:06d}.wav"
        try:
            speech = audio.resample(audio.load_utterance(clip), audio.SAMPLE_RATE, ap.sample_rate)
            if trims:
                speech = ap.trim_silence(speech)
            if len(speech) / ap.hop_length <= len(model.tokenizer.text_to_ids(text)):
                raise AudioError(f"{clip.audio_filepath}: less speech than its label has letters")
        except AudioError as cause:
            broken += 1
            log.warning("left out of the voice's lesson: %s", cause)
            continue
        audio.write(level_loudness(speech), path, ap.sample_rate)
        sample = {"text": text, "audio_file": str(path), "language": ""}
        names = {"speaker_name": clip.speaker or "", "audio_unique_name": path.stem}
        samples.append({**sample, **names, "root_path": str(folder)})
    if len(samples) < MIN_CLIPS:
        raise ConfigError(
            f"too little speech to train a voice: {len(samples)} clips could be used, {broken} "
            f"not, and at least {MIN_CLIPS} are needed; see the warnings"
        )
    return samples


def level_loudness(samples: audio.Samples) -> audio.Samples:
    """Bring speech to `LEVEL`, or as near as its loudest peak allows."""
    peak = float(np.abs(samples).max(initial=1e-6))
    gain = min(10 ** ((LEVEL - audio.measure_loudness(samples)) / 20), 0.95 / peak)
    return (samples * gain).astype(np.float32)
