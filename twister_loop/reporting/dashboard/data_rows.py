"""Kept and rejected amounts of a round's data as rows of text, from the pool to the mixture."""

from __future__ import annotations

from collections.abc import Iterator

from ...core.tallies import NOTABLE_LOSS, Tally
from ...core.types import Seconds
from ...pipeline.stage_table import TEXTS
from ...pipeline.stages.annotation import SpeakerCounts
from ..summary import RoundSummary
from ..voice_summary import VoiceSummary

NAMED_SPEAKERS = 3
"""Speakers with the most speech that a table names."""


def data_rows(summary: RoundSummary) -> list[tuple[str, str, str]]:
    """Return stage, kept amount and rejected amount, from the pool to the mixture."""
    rows = [
        (
            stage.replace("_", " "),
            # Texts have no duration, and "0.0 min" would look like an error.
            f"{funnel.kept.utterances} texts"
            if stage == TEXTS.folder
            else format_tally(funnel.kept),
            format_rejections(funnel.rejected),
        )
        for stage, funnel in summary.funnels.items()
    ]
    if summary.speakers:
        rows.append(("speakers", *format_speakers(summary.speakers)))
    if summary.rescored_labels is not None:
        rows.append(("rescored labels", f"{summary.rescored_labels} labels changed", ""))
    for voice in summary.voices:
        rows += _voice_rows(voice)
    rows += _mixture_rows(summary)
    return rows


def _voice_rows(voice: VoiceSummary) -> Iterator[tuple[str, str, str]]:
    # The trial of a voice that was not used is printed below the table.
    if voice.synthesized is None or voice.kept is None:
        return
    failed = f"{voice.failed_texts} could not be synthesized"
    yield f"{voice.name}: synthesized", format_tally(voice.synthesized), failed
    rejections = format_rejections(voice.rejected or {})
    yield f"{voice.name}: filtered", format_tally(voice.kept), rejections


def _mixture_rows(summary: RoundSummary) -> Iterator[tuple[str, str, str]]:
    total = sum(source.taken.duration for source in summary.mixture_sources)
    for source in summary.mixture_sources:
        name = ", ".join(filter(None, (source.origin, source.lang, source.corpus)))
        # By duration, as the weights of the plan are.
        share = source.taken.duration / total if total else 0.0
        notes = list[str]()
        if source.taken != source.available:
            notes.append(f"of {format_tally(source.available)}")
        # Whole clips are drawn, so what is asked is never reached to the second.
        if source.asked and source.taken.duration < source.asked * (1 - NOTABLE_LOSS):
            notes.append(f"{format_duration(source.asked)} asked")
        yield (
            f"mixture: {name}",
            f"{format_tally(source.taken)}, {share:.0%}",
            "; ".join(notes),
        )


def format_speakers(speakers: SpeakerCounts, named: int = NAMED_SPEAKERS) -> tuple[str, str]:
    """Return the number of speakers with those who speak most, and what is known of the rest.

    Args:
        speakers: Speakers of the pool.
        named: How many of them to name.
    """
    most = list(speakers.most.items())[:named]
    names = ", ".join(f"{name} {tally.duration / 60:.1f} min" for name, tally in most)
    more = ", ..." if speakers.count > named else ""
    notes = list[str]()
    if speakers.unknown.utterances:
        notes.append(f"{format_tally(speakers.unknown)} of no known speaker")
    if speakers.mixed.utterances:
        share = speakers.mixed.duration / speakers.total.duration
        notes.append(f"{share:.1%} of the speech probably in cuts of several voices")
    return f"{speakers.count}: {names}{more}", "; ".join(notes)


def format_rejections(rejected: dict[str, Tally]) -> str:
    """Return the filters that rejected something, each with its number of utterances."""
    return ", ".join(f"{name} {tally.utterances}" for name, tally in rejected.items())


def format_tally(tally: Tally) -> str:
    """Return a number of utterances and their duration, in minutes, or hours if it is long.

    >>> format_tally(Tally(utterances=12, duration=90.0))
    '12 utterances, 1.5 min'
    """
    return f"{tally.utterances} utterances, {format_duration(tally.duration)}"


def format_duration(seconds: Seconds) -> str:
    """Return a duration in minutes, or hours if it is long.

    >>> format_duration(90.0), format_duration(9000.0)
    ('1.5 min', '2.5 h')
    """
    minutes = seconds / 60
    # One decimal of an hour is too coarse below two hours.
    return f"{minutes:.1f} min" if minutes < 120 else f"{minutes / 60:.1f} h"
