"""Comparison of a copy of a corpus with its published counts, for `twister corpus check`."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..audio import io as audio
from ..core.errors import ConfigError, ManifestError
from ..core.progress import show_progress
from ..core.types import Seconds
from .corpora._base import Corpus

MAX_EXAMPLES = 3
"""Examples that are printed for each reason of rejection."""


@dataclass(frozen=True)
class SplitCheck:
    """Counts of one split of a corpus. Its text is the command's output."""

    split: str
    published: int | None
    """Published number of utterances; None if there is none."""
    utterances: int = 0
    """Utterances with audio, usable or rejected."""
    duration: Seconds = 0.0
    """Duration of the usable utterances."""
    odd_files: int = 0
    """Headerless files that end in half a sample."""
    reasons: dict[str, int] = field(default_factory=dict)
    """Number of rejected utterances by reason."""
    examples: dict[str, list[str]] = field(default_factory=dict)
    """Objections to the first rejected utterances of each reason."""
    missing: str | None = None
    """Error message if the split could not be read at all."""

    @property
    def complete(self) -> bool:
        """Return True if there are as many utterances as published, or any if none is published."""
        if self.missing:
            return False
        return self.utterances > 0 and self.published in (None, self.utterances)

    def __str__(self) -> str:
        if self.missing:
            return f"MISSING {self.split:<18} {self.missing}"
        of_published = "" if self.published is None else f" of {self.published:,} published"
        line = (
            f"{'ok     ' if self.complete else 'DIFFERS'} {self.split:<18} "
            f"{self.utterances:,} utterances{of_published}, {self.duration / 3600:.2f} hours usable"
        )
        if self.odd_files:
            line += f", {self.odd_files:,} files end in half a sample"
        for reason, count in sorted(self.reasons.items()):
            line += f"\n          {count:,} rejected: {reason}"
            line += "".join(f"\n            {example}" for example in self.examples[reason])
        return line


def check_corpus(spec: Mapping[str, Any], folder: Path) -> Iterator[SplitCheck]:
    """Read a copy of a corpus and count its utterances, split by split.

    All audio files are opened, which takes minutes for a large corpus.

    Args:
        spec: The corpus as in a plan, `{use: NAME, ...}`; its `folder` is replaced. With `split`
            only that split is read, else every published one.
        folder: Folder of the copy.

    Yields:
        The counts of every split. A missing split is reported, not raised, if another is there.

    Raises:
        ConfigError: No split is there, or the corpus has no option `folder`.
    """
    corpus_class = Corpus.find_class(str(spec.get("use")))
    options = {option.name for option in dataclasses.fields(corpus_class)}  # type: ignore[arg-type]
    if "folder" not in options:
        raise ConfigError(
            f"corpus {corpus_class.name} does not lie in a folder; there is nothing to check"
        )
    full_spec = {**spec, "folder": str(folder.absolute())}
    if "split" in spec or not corpus_class.published:
        corpus = Corpus.build(full_spec)
        yield _count(corpus, getattr(corpus, "split", corpus.name))
        return
    # A list, since an error about a missing corpus must come before any output.
    checks = [
        _check_split(Corpus.build({**full_spec, "split": split}), split)
        for split in corpus_class.published
    ]
    if all(check.missing for check in checks):
        # The splits of a wrong folder often miss the same file: say it once.
        raise ConfigError("; ".join(dict.fromkeys(check.missing or "" for check in checks)))
    yield from checks


def _check_split(corpus: Corpus, split: str) -> SplitCheck:
    """Return the counts of a split, or why it is missing."""
    try:
        return _count(corpus, split)
    except (ConfigError, ManifestError) as cause:
        return SplitCheck(split, corpus.published.get(split), missing=str(cause))


def _count(corpus: Corpus, split: str) -> SplitCheck:
    """Return the counts of a split. Raises ConfigError if it is missing."""
    utterance_count, seconds, odd_files = 0, 0.0, 0
    reasons, examples = Counter[str](), dict[str, list[str]]()
    published = corpus.published.get(split)
    for utterance in show_progress(corpus.utterances(), f"reading {split}", published):
        # Published counts are counts of recordings.
        utterance_count += utterance.rejected_by not in {"no_audio", "bad_line", "bad_row"}
        reason = utterance.rejected_by or ("unreadable" if utterance.error else None)
        if reason:
            reasons[reason] += 1
            if len(examples.setdefault(reason, [])) < MAX_EXAMPLES:
                examples[reason].append(utterance.objection or utterance.error or utterance.id)
        else:
            seconds += utterance.duration
            odd_files += audio.ends_in_half_sample(utterance.audio_filepath)
    return SplitCheck(
        split=split,
        published=published,
        utterances=utterance_count,
        duration=seconds,
        odd_files=odd_files,
        reasons=dict(reasons),
        examples=examples,
    )
