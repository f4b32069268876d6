"""Summary of what one voice contributed to a round."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from ..core.manifest import Manifest
from ..core.tallies import Funnel, Tally
from ..core.types import ErrorCount, Share
from ..evaluation.metrics import count_utterance_errors, sum_counts
from ..evaluation.trials import VoiceTrial
from ..pipeline.stage_table import (
    PSEUDO_LABELS,
    SYNTHESIZED,
    SYNTHETIC,
    VERIFIED,
    VOICE_TRIAL,
)
from ..text.normalizers.basic import Basic
from .record_cache import memoize_on_folders
from .round_folders import REJECTED, load_if_written


@dataclass(frozen=True)
class VoiceSummary:
    """Contribution of one voice to a round."""

    name: str
    trial: VoiceTrial | None
    passed: bool
    """Whether the voice passed its trial."""
    synthesized: Tally | None = None
    """Synthetic speech before its filters; None if the voice did not get that far."""
    failed_texts: int = 0
    """Texts that could not be synthesized, counted once for each sample."""
    kept: Tally | None = None
    """Synthetic speech that the filters kept."""
    rejected: dict[str, Tally] | None = None
    """Name of a filter -> what it rejected."""
    character_errors: ErrorCount | None = None
    """Errors of the champion's transcripts of all synthesized speech, in characters."""
    kept_with_unseen_words: Share | None = None
    """Kept share, 0..1, of the sentences with a word that occurs in no pseudo-label."""
    kept_without_unseen_words: Share | None = None
    """Kept share, 0..1, of the other sentences."""


def summarize_voice(voice_folder: Path) -> VoiceSummary:
    """Summarize a voice of a round by the stages that are finished."""
    round_folder, name = voice_folder.parents[1], voice_folder.name
    stages = (VOICE_TRIAL, SYNTHESIZED, VERIFIED, SYNTHETIC)
    folders = (stage.path(round_folder, voice=name) for stage in stages)
    return memoize_on_folders(_read_voice, voice_folder, *folders)


def _read_voice(
    voice_folder: Path, trial_folder: Path, synthesized: Path, verified: Path, synthetic: Path
) -> VoiceSummary:
    name = voice_folder.name
    trial = load_if_written(VoiceTrial, trial_folder)
    passed = bool(trial and trial.passed)
    # A voice that failed its trial synthesizes nothing, and an unfinished one has no filter yet.
    if not synthetic.is_dir():
        return VoiceSummary(name, trial, passed)
    spoken, failed_texts = Tally(), 0
    for utterance in Manifest(synthesized):
        if utterance.error:
            failed_texts += 1
        else:
            spoken = spoken.add(utterance.duration)
    funnel = Funnel.load(synthetic)
    # All synthesized speech, and not only what the filters kept: this tells how intelligible the
    # voice is, and the filters remove exactly what is not.
    errors = [
        count_utterance_errors(utterance) for utterance in Manifest(verified) if not utterance.error
    ]
    kept_shares = _kept_shares(PSEUDO_LABELS.path(voice_folder.parents[1]), synthetic)
    return VoiceSummary(
        name,
        trial,
        passed,
        synthesized=spoken,
        failed_texts=failed_texts,
        kept=funnel.kept,
        rejected=funnel.rejected,
        character_errors=sum_counts(errors),
        kept_with_unseen_words=kept_shares[True],
        kept_without_unseen_words=kept_shares[False],
    )


def _kept_shares(pseudo_labels: Path, synthetic: Path) -> dict[bool, Share | None]:
    """Return the kept shares of synthetic sentences with (True) and without unseen words.

    A word is unseen if it occurs in no pseudo-label. Sentences with such words are what synthetic
    speech can add to the pool, so filters that reject mainly those defeat its purpose.
    """
    # Transcripts and corpus differ in case and punctuation. The plan's normalizer may be slow or
    # missing on this machine, and which words are equal need not be exact here.
    normalize = Basic().normalize
    seen_words = {
        word
        for label in Manifest(pseudo_labels)
        for word in normalize(label.pred_text or "", label.lang).split()
    }
    kept_counts, total_counts = Counter[bool](), Counter[bool]()
    for folder in (synthetic, synthetic / REJECTED):
        for utterance in Manifest(folder):
            # A text that could not be synthesized says nothing about the filters.
            if not utterance.error:
                words = normalize(utterance.text or "", utterance.lang).split()
                has_unseen = bool(set(words) - seen_words)
                total_counts[has_unseen] += 1
                kept_counts[has_unseen] += folder == synthetic
    # None for a kind of sentence that does not occur, because no share of it can be kept.
    return {
        unseen: kept_counts[unseen] / total_counts[unseen] if total_counts[unseen] else None
        for unseen in (True, False)
    }
