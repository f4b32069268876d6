"""The verbs of the loop: each reads finished artifacts and leaves one more in `out`."""

from __future__ import annotations

import hashlib
import random
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, tee
from pathlib import Path
from typing import Literal

from ...asr._base import BoundRecognizer, Recognizer
from ...audio.augmentation import Augmentation, AugmentedDataset
from ...core import schema
from ...core.artifacts import not_in_cache_key, stage
from ...core.errors import ConfigError
from ...core.file_hashes import FileHashCache
from ...core.manifest import Manifest, windows
from ...core.progress import progress
from ...core.types import TEXT_ONLY, Checkpoint, Language, Share, Utterance
from ...data.corpora._base import Corpus
from ...data.deduplication import drop_duplicates, near_duplicates
from ...data.filters._base import Filter
from ...data.scanning import ScanOptions, scan_recording
from ...evaluation import metrics
from ...evaluation.trials import DecoderAttempt, DecoderTrial, VoiceTrial
from ...tts._base import Synthesizer
from ..execution.shards import Cluster, RepeatedTexts, run_in_shards
from ..run_folder import round_number
from .filtering import write_kept_and_rejected


@dataclass(frozen=True)
class VoiceTrialOptions:
    """What a voice must show before it may speak the whole corpus."""

    texts: int = 32
    at_most: Share = 0.35
    """Character error rate of what the champion hears."""
    __pydantic_config__ = schema.STRICT


@dataclass(frozen=True)
class LabelOptions:
    """What is labeled, and what a faster way to hear must show before it may."""

    clips: int = 48
    """Of the pool, drawn by the seed."""
    at_most: Share = 0.05
    """Character error rate against the careful way. Untouched Whisper base with 5 s of margin
    came to 0.036 against 30 s on telephone prompts, and to 0.015 on another draw of them."""
    relabel: Literal["all", "new"] = not_in_cache_key("all")
    """A later round hears all of the pool again, or only what no label was kept for: the others
    are carried over, with the round that heard them."""
    __pydantic_config__ = schema.STRICT

    def __post_init__(self) -> None:
        if self.clips < 1:
            raise ValueError("clips: at least 1")


@stage(version=1)
def gather(corpora: Sequence[Corpus], lang: Language | None, *, out: Path) -> Manifest:
    """List what corpora hold, each once; ids come from the content, not from the name."""
    with FileHashCache(out) as hashes:
        return write_kept_and_rejected(
            progress(list_corpora(corpora, lang, hashes), "listing"), out
        )


@stage(version=3)
def scan(options: ScanOptions, listing: Manifest, *, out: Path) -> Manifest:
    """Read every file of the pool once: cut what is long, set aside what is not speech.

    It goes on after the last whole window of files, each of which is a small manifest in
    `windows/` until all are there.
    """
    shards = []
    twice = near_duplicates(listing, out / "prints") if options.duplicates == "drop" else {}
    files = progress(drop_duplicates(listing, twice), "scanning", len(listing))
    for number, window in enumerate(windows(files)):
        shards.append(shard := out / "windows" / f"{number:06d}")
        if not shard.exists():
            scratch = shard.with_name(f".{shard.name}")
            found = (each for file in window for each in scan_recording(options, file))
            Manifest.write(found, scratch)
            scratch.rename(shard)
    judged = (each for shard in shards for each in Manifest(shard))
    manifest = write_kept_and_rejected(judged, out)
    for each in ("windows", "prints"):
        shutil.rmtree(out / each, ignore_errors=True)
    return manifest


@stage(version=1)
def transcribe(
    recognizer: Recognizer,
    checkpoint: Checkpoint,
    speech: Manifest,
    earlier_labels: Manifest | None = None,
    *,
    cluster: Cluster | None = None,
    out: Path,
) -> Manifest:
    """Have the recognizer hear everything; what had no text takes what was heard.

    Pseudo-labels in `known`, the lesson of an earlier round, are carried over instead.
    """
    engine = partial(_labeled, recognizer, checkpoint)
    if earlier_labels is not None:
        engine = partial(_labeled_anew, recognizer, checkpoint, earlier_labels)
    return run_in_shards(engine, speech, "hearing", cluster, out)


@stage(version=1)
def align(
    recognizer: Recognizer,
    checkpoint: Checkpoint,
    speech: Manifest,
    *,
    cluster: Cluster | None = None,
    out: Path,
) -> Manifest:
    """Find when each word of every text is said; speech without a text stays as it is."""
    return run_in_shards(
        partial(_aligned, recognizer, checkpoint), speech, "aligning", cluster, out
    )


@stage(version=1)
def try_decoders(
    candidates: Sequence[Recognizer],
    reference: Recognizer,
    checkpoint: Checkpoint,
    pool: Manifest,
    filters: Sequence[Filter],
    options: LabelOptions,
    seed: int,
    *,
    out: Path,
) -> DecoderTrial:
    """Let candidates hear some clips of the pool until one hears what the careful one hears."""
    clips = _some(pool, options.clips, seed)
    heard = Manifest.write(_labeled(reference, checkpoint, clips, out), out / "careful")
    informed = [each.fitted_to(heard) for each in filters]
    kept = {
        each.id: (each.pred_text or "").strip()
        for each in heard
        if not each.error and not any(filter_.objection(each) for filter_ in informed)
    }
    attempts: list[DecoderAttempt] = []
    for number, candidate in enumerate(candidates):
        again = Manifest.write(candidate.transcribe(checkpoint, clips), out / str(number))
        pairs = [
            (kept[each.id], (each.pred_text or "").strip()) for each in again if each.id in kept
        ]
        alike = sum(one == other for one, other in pairs)
        counted = metrics.sum_counts([metrics.count_character_errors(*pair) for pair in pairs])
        attempts.append(DecoderAttempt(candidate.decoding_description(), alike, counted))
        found = DecoderTrial(
            reference.decoding_description(), len(kept), options.at_most, tuple(attempts)
        )
        if found.chosen is not None:
            break
    return found.save(out)


@stage(version=1)
def fine_tune(
    recognizer: Recognizer,
    start: Checkpoint,
    training_set: Manifest,
    seed: int,
    augmentation: Augmentation | None = None,
    early_stopping_speech: Manifest | None = None,
    *,
    out: Path,
) -> Checkpoint:
    """Teach a recognizer, from the lesson as it is or perturbed whenever it is read.

    `watched` is the development set on which it may end early.
    """
    if not len(training_set):
        raise ConfigError(
            f"{training_set.path}: nothing to learn from; every utterance was rejected, "
            "see the rejected/ folders of this round for the reasons"
        )
    heard = (
        AugmentedDataset(training_set.folder, augmentation, seed) if augmentation else training_set
    )
    return recognizer.train(start, heard, out, seed, early_stopping_speech).save(out)


@stage(version=1)
def train_voice(
    synthesizer: Synthesizer,
    start: Checkpoint | None,
    filtered_labels: Manifest,
    texts: Manifest,
    champion: BoundRecognizer,
    seed: int,
    *,
    out: Path,
) -> Checkpoint:
    """Teach a voice."""
    return synthesizer.train(start, filtered_labels, texts, champion, out, seed).save(out)


@stage(version=1)
def try_voice(
    synthesizer: Synthesizer,
    voice: Checkpoint,
    name: str,
    texts: Manifest,
    champion: BoundRecognizer,
    options: VoiceTrialOptions,
    seed: int,
    *,
    out: Path,
) -> VoiceTrial:
    """Let a voice speak a few dozen texts, and count what the champion does not understand."""
    chosen = _some(texts, options.texts, seed)
    spoken = [
        each for each in synthesizer.synthesize(voice, chosen, out / "audio") if not each.error
    ]
    heard = Manifest.write(champion.transcribe(spoken), out)
    counts = [metrics.utterance_error_count(each) for each in heard]
    return VoiceTrial(
        name, len(chosen), len(spoken), metrics.sum_counts(counts), options.at_most
    ).save(out)


@stage(version=2)
def synthesize(
    synthesizer: Synthesizer,
    voice: Checkpoint,
    texts: Manifest,
    samples_per_text: int,
    *,
    cluster: Cluster | None = None,
    out: Path,
) -> Manifest:
    """Have a voice speak every text, `takes` times."""
    spoken = partial(synthesizer.synthesize, voice)
    return run_in_shards(spoken, RepeatedTexts(texts, samples_per_text), "speaking", cluster, out)


def _labeled(
    recognizer: Recognizer, checkpoint: Checkpoint, speech: Iterable[Utterance], _: Path
) -> Iterator[Utterance]:
    for utterance in recognizer.transcribe(checkpoint, speech):
        if utterance.text is None:
            yield replace(utterance, text=utterance.pred_text, origin="pseudo")
        else:
            yield utterance


def _labeled_anew(
    recognizer: Recognizer,
    checkpoint: Checkpoint,
    known: Manifest,
    speech: Iterable[Utterance],
    out: Path,
) -> Iterator[Utterance]:
    """What is not known is heard, by one model; where all of it is known, by none."""
    places = {each.id: at for at, each in known.with_offsets() if each.origin == "pseudo"}
    made_in = round_number(known.folder.parent)
    ahead = windows(speech)
    with known.random_access() as line:

        def carried(each: Utterance) -> Utterance:
            old = line(places[each.id])
            return replace(
                old,
                audio_filepath=each.audio_filepath,
                offset=each.offset,
                speaker=each.speaker,
                bandwidth=each.bandwidth,
                dnsmos=each.dnsmos,
                labeled_in=old.labeled_in or made_in,
            )

        for window in ahead:
            if any(each.id not in places for each in window):
                break
            yield from map(carried, window)
        else:
            return
        rest, again = tee(chain(window, chain.from_iterable(ahead)))
        # A line for every utterance, so that the engine's windows stay where they are.
        asked = (replace(each, error="known") if each.id in places else each for each in again)
        heard = _labeled(recognizer, checkpoint, asked, out)
        for each, answer in zip(rest, heard, strict=True):
            yield carried(each) if each.id in places else answer


def _aligned(
    recognizer: Recognizer, checkpoint: Checkpoint, speech: Iterable[Utterance], _: Path
) -> Iterator[Utterance]:
    return recognizer.align(checkpoint, speech)


def _some(manifest: Manifest, count: int, seed: int) -> list[Utterance]:
    """So many lines of a manifest, which may be too long for memory; the seed decides which."""
    size = len(manifest)
    places = random.Random(seed).sample(range(size), min(count, size))
    wanted = set(places)
    found = {place: each for place, each in enumerate(manifest) if place in wanted}
    return [found[place] for place in places]


def list_corpora(
    corpora: Sequence[Corpus], lang: Language | None, hashes: FileHashCache
) -> Iterator[Utterance]:
    """What corpora hold, named by its content; what comes again is rejected."""
    seen = set[str]()
    for corpus, utterance in ((each, one) for each in corpora for one in each.utterances()):
        id_ = _content_id(utterance, hashes)
        title = utterance.corpus or corpus.title
        named = replace(utterance, id=id_, lang=utterance.lang or lang, corpus=title)
        if named.rejected_by is None:  # a corpus says itself what is no use
            if id_ in seen:
                why = f"{utterance.id} again"
                named = replace(named, rejected_by="duplicate", objection=why)
            seen.add(id_)
        yield named


def _content_id(utterance: Utterance, hashes: FileHashCache) -> str:
    if utterance.audio_filepath == TEXT_ONLY:
        text = f"{utterance.lang} {utterance.text}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]
    try:
        digest = hashes.digest(utterance.audio_filepath)
    except OSError:  # it will be rejected when it is read
        digest = hashlib.sha256(str(utterance.audio_filepath).encode()).hexdigest()[:16]
    return f"{digest}-{utterance.offset:g}" if utterance.offset else digest
