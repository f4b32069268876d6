"""Stages that evaluate a checkpoint on the held-out sets, and that judge a candidate."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from ...asr._base import Recognizer
from ...core.artifacts import SPEED, cache_key, read_json, stage, write_json
from ...core.errors import AudioError, StaleError
from ...core.file_hashes import VerifiedManifest
from ...core.manifest import Manifest
from ...core.progress import show_progress
from ...core.types import (
    Checkpoint,
    Language,
    Measure,
    Proportion,
    Report,
    Score,
    SetKind,
    TermCount,
    Utterance,
    Verdict,
)
from ...evaluation import metrics
from ...evaluation.evidence import Decoding, Evidence, Outcome
from ...evaluation.gates._base import Gate
from ...evaluation.measures import choose_measure
from ...evaluation.outcomes import (
    FULL_WINDOW_SUFFIX,
    HeldOutSet,
    check_same_normalizer,
    find_set_hidden_from_gates,
    load_outcomes,
    normalize_pair,
)
from ...evaluation.pooling import join_parts
from ...evaluation.report_normalizer import write_compared
from ...evaluation.term_recall import TermCounter
from ...evaluation.term_scores import score_terms
from ...evaluation.timestamps import count_correct_timestamps
from ...text.normalizers._base import Normalizer
from ..look_count import describe_looks

log = logging.getLogger(__name__)


@stage(version=3)
def evaluate(
    recognizer: Recognizer,
    checkpoint: Checkpoint,
    sets: Mapping[str, HeldOutSet],
    normalizer: Normalizer,
    full_window: bool | int = True,
    seed: int = 0,
    decoder: Mapping[str, str] | None = None,
    key_terms: Sequence[str] | None = None,
    *,
    out: Path,
) -> Report:
    """Transcribe the held-out sets and count the errors.

    Args:
        recognizer: The engine with its decoding options.
        checkpoint: The weights to evaluate.
        sets: Held-out sets by name.
        normalizer: Brings references and transcripts to one form before they are compared.
        full_window: Number of utterances of each set that are also transcribed in standard
            decoding (30 s windows with timestamps), so that figures can be compared with those of
            others; True for all of them.
        seed: Seed that draws the part of a set with more utterances than `full_window`. With equal
            seeds all models are measured on the same part.
        decoder: Versions, device and precision that decide transcripts, from
            `Recognizer.decoder_identity`. They are part of the report's identity, and stored
            beside it in `decoder.json`.
        key_terms: Words and phrases whose recall is counted; None for none.
        out: Folder of the report, with the transcripts of each set beside it.

    Raises:
        StaleError: A file of a set changed since it was listed.
        AudioError: An utterance could not be transcribed. Its words would count as deletions.
    """

    def scores(decoder: Recognizer, decoding: Decoding) -> Iterator[Score]:
        standard = decoding == "standard"
        suffix = FULL_WINDOW_SUFFIX if standard else ""
        for name, held_out in sets.items():
            check_held_out_files({name: held_out})
            folder = out / held_out.kind / f"{name}{suffix}"
            most = full_window if standard else True
            speech = draw_part(held_out.speech, most, seed)
            label = f"transcribing {name}" + (" in 30 s windows" if standard else "")
            # A transcription that was interrupted is not timed: its time lies in two processes.
            with _timed(out, f"{name}{suffix}", complete=not folder.exists()):
                transcribed = Manifest.resume(
                    partial(_transcribe, decoder, checkpoint, label, len(speech)), speech, folder
                )
            # Again, since transcribing takes hours.
            check_held_out_files({name: held_out})
            _check_transcribed(f"{held_out.kind}.{name}", transcribed)
            write_compared(transcribed, normalizer, folder)
            languages = {utterance.lang for utterance in speech}
            yield _score(
                name=name,
                kind=held_out.kind,
                decoding=decoder.decoding_description(),
                transcribed=transcribed,
                forced_language=languages.pop() if len(languages) == 1 else None,
                normalizer=normalizer,
                # Of the whole set, so that it is read by the same measure in both decodings.
                measure=normalizer.measure or choose_measure(held_out.speech),
                timestamps=count_correct_timestamps(transcribed) if standard else Proportion(),
                key_terms=key_terms,
            )

    out.mkdir(parents=True, exist_ok=True)
    write_json(decoder or {}, out / "decoder.json")
    standard = recognizer.full_window() if full_window else None
    return Report(
        scores=tuple(scores(recognizer, "clip")),
        full_window=tuple(scores(standard, "standard")) if standard else (),
        normalizer=cache_key(normalizer),
        key_terms=tuple(key_terms) if key_terms else None,
    ).save(out)


def draw_part(speech: Manifest, most: bool | int, seed: int) -> list[Utterance]:
    """Return the utterances of a set that are transcribed in standard decoding.

    Args:
        speech: The set.
        most: Largest number of utterances; True for all, False for none.
        seed: Seed of the draw. A smaller set is returned as it is.

    Returns:
        The utterances, in the order of the set.
    """
    if most is True or most >= len(speech):
        return list(speech)
    drawn = {utterance.id for utterance in speech.draw(most, seed)}
    return [utterance for utterance in speech if utterance.id in drawn]


@stage(version=5)
def judge(
    gates: Sequence[Gate],
    untouched: Report,
    champion: Report,
    candidate: Report,
    references: Mapping[str, Report],
    normalizer: Normalizer,
    labeler: Report | None = None,
    early_stopping_set: str | None = None,
    looks: Mapping[str, int] | None = None,
    small_parts: Mapping[str, str] | None = None,
    *,
    out: Path,
) -> Verdict:
    """Ask every gate about the candidate, and keep all objections, not only the first.

    Gates never see a test set. Nor do they see the development set on which training was stopped,
    if there is another one: it has chosen the weights, so the candidate looks too good on it.
    `looks` are those of `look_count.count_looks`, and `small_parts` those of `find_small_parts`.

    Raises:
        ConfigError: A report was counted with another normalizer.
    """
    others = (*references.values(), *([labeler] if labeler else []))
    for report in (untouched, champion, candidate, *others):
        for score in (*report.scores, *report.full_window):
            check_same_normalizer(score, normalizer)
    kinds = {score.name: score.kind for score in candidate.scores}
    hidden = find_set_hidden_from_gates(kinds, early_stopping_set)

    def visible(report: Report, decoding: Decoding) -> dict[str, Outcome]:
        if decoding == "clip" or report.full_window:
            outcomes = load_outcomes(report, normalizer, decoding=decoding)
        else:
            # A recognizer without another decoding is read in its own one, on the same part.
            outcomes = load_outcomes(report, normalizer, part_of=candidate)
        joined = small_parts or {}
        seen = {
            name: outcome
            for name, outcome in outcomes.items()
            # A small part of the hidden set would decide alone.
            if hidden not in (name, joined.get(name, name))
        }
        return join_parts(seen, joined)

    def collect(decoding: Decoding, labeler: Report | None = None) -> Evidence:
        load = partial(visible, decoding=decoding)
        return Evidence(
            untouched=load(untouched),
            champion=load(champion),
            candidate=load(candidate),
            references={name: load(report) for name, report in references.items()},
            labeler=load(labeler) if labeler else {},
        )

    evidence = collect("clip", labeler)
    evidence = replace(evidence, looks=looks or {})
    if candidate.full_window:
        evidence = replace(evidence, standard=collect("standard"))
    objections = tuple(filter(None, (gate.objection(evidence) for gate in gates)))
    visible_looks = {name: looks[name] for name in evidence.candidate if looks and name in looks}
    losses = _describe_lost_terms({"champion": champion, "candidate": candidate}, hidden)
    verdict = Verdict(objections, visible_looks, losses)
    log.info("verdict: %s; %s", verdict.outcome, describe_looks(visible_looks))
    for loss in losses or ():
        log.warning("%s", loss)
    return verdict.save(out)


def _describe_lost_terms(
    reports: Mapping[str, Report], hidden: str | None
) -> tuple[str, ...] | None:
    """Return a sentence for every set that the gates see and on which recall of terms fell."""
    if not reports["candidate"].key_terms:
        return None
    # No test set: a verdict tells nothing of them. Any seed will do, as no decision hangs on it.
    term_scores = score_terms(reports, seed=0, kinds=("development", "retention"))
    losses = (scores.describe_loss() for scores in term_scores if scores.set_name != hidden)
    return tuple(filter(None, losses))


def check_held_out_files(sets: Mapping[str, HeldOutSet]) -> None:
    """Check that all models of a round transcribe the same recordings.

    Args:
        sets: Held-out sets by name, as they were listed.

    Raises:
        StaleError: A file has another content than when it was listed.
    """
    for name, held_out in sets.items():
        if changed := VerifiedManifest(held_out.speech.folder).find_changed():
            raise StaleError(
                f"{held_out.kind}.{name}: {changed.audio_filepath} changed since it was listed, so "
                "models would be measured on different recordings; restore the file, or set the "
                "round aside with `twister round PLAN RUN --restart`"
            )


def _transcribe(
    decoder: Recognizer, checkpoint: Checkpoint, label: str, total: int, speech: Iterable[Utterance]
) -> Iterator[Utterance]:
    # A bar of the answers: a decoder reads hundreds of utterances before it transcribes the first.
    return show_progress(decoder.transcribe(checkpoint, speech), label, total)


def _check_transcribed(place: str, transcribed: Manifest) -> None:
    """Raise AudioError if an utterance of a held-out set has no transcript for some error."""
    failed = next((utterance for utterance in transcribed if utterance.error), None)
    if failed is None:
        return
    # Not kept: once the file is mended, the same call must transcribe it again.
    shutil.rmtree(transcribed.folder)
    raise AudioError(
        f"{place}: {failed.audio_filepath} cannot be transcribed ({failed.error}), and its words "
        "would count as deletions; mend the file, or remove it from the set and begin the round "
        "again with `twister round PLAN RUN --restart`"
    )


@contextmanager
def _timed(out: Path, name: str, complete: bool) -> Iterator[None]:
    """Note the seconds that transcribing a set took, if `complete`."""
    start = time.monotonic()
    yield
    if complete:
        note = out / SPEED
        seconds = read_json(note) if note.is_file() else {}
        write_json({**seconds, name: round(time.monotonic() - start, 2)}, note)


def _score(
    *,
    name: str,
    kind: SetKind,
    decoding: str,
    transcribed: Manifest,
    forced_language: Language | None,
    normalizer: Normalizer,
    measure: Measure,
    timestamps: Proportion,
    key_terms: Sequence[str] | None,
) -> Score:
    """Count the errors of a whole set."""
    spelled = normalizer.keeping_numbers()
    utterances = list(transcribed)
    pairs = [normalize_pair(utterance, normalizer) for utterance in utterances]
    spelled_pairs = [normalize_pair(utterance, spelled) for utterance in utterances]
    return Score(
        name=name,
        kind=kind,
        decoding=decoding,
        lang=forced_language,
        normalizer=normalizer.name,
        normalizer_digest=normalizer.digest(),
        utterances=len(utterances),
        duration=round(sum(utterance.duration for utterance in utterances), 3),
        words=metrics.sum_counts([metrics.count_word_errors(*pair) for pair in pairs]),
        characters=metrics.sum_counts([metrics.count_character_errors(*pair) for pair in pairs]),
        mixed=metrics.sum_counts([metrics.count_mixed_errors(*pair) for pair in pairs]),
        measure=measure,
        raw_words=metrics.sum_counts([metrics.count_word_errors(*pair) for pair in spelled_pairs]),
        repeated_ngrams=sum(
            (metrics.count_repeated_ngrams(hypothesis) for _, hypothesis in pairs), Proportion()
        ),
        foreign_script=sum(
            (
                metrics.count_foreign_script(*pair, utterance.lang)
                for pair, utterance in zip(pairs, utterances, strict=True)
            ),
            Proportion(),
        ),
        empty=sum(1 for reference, hypothesis in pairs if reference and not hypothesis),
        hit_limit=sum(utterance.hit_limit for utterance in utterances),
        fallback=sum(utterance.fallback for utterance in utterances),
        timestamps=timestamps,
        term_count=_count_terms(utterances, pairs, TermCounter(key_terms, normalizer, measure))
        if key_terms
        else None,
    )


def _count_terms(
    utterances: Sequence[Utterance], pairs: Sequence[tuple[str, str]], counter: TermCounter
) -> TermCount:
    counts = (
        counter.count(*pair, utterance.lang)
        for pair, utterance in zip(pairs, utterances, strict=True)
    )
    return sum(counts, TermCount())
