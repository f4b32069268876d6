"""What a copy of a corpus holds, split by split, beside what is said to be in it."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..audio import io as audio
from ..core.errors import ConfigError
from ..core.progress import show_progress
from ..core.types import Seconds
from .corpora._base import Corpus

EXAMPLES = 3
"""Of each reason to set something aside."""


@dataclass(frozen=True)
class SplitCheck:
    """One split of a corpus."""

    split: str
    published: int | None
    """Utterances; None where nobody stated a number."""
    utterances: int = 0
    """All of the split that are there: kept or set aside, except those without audio."""
    duration: Seconds = 0.0
    """Of those that are kept."""
    odd_files: int = 0
    """Headerless files that end in half a sample."""
    reasons: dict[str, int] = field(default_factory=dict)
    """Why some are set aside, and how many."""
    examples: dict[str, list[str]] = field(default_factory=dict)
    """A few of each reason, as the corpus says it."""
    missing: str | None = None
    """Why the split could not be read at all."""

    @property
    def complete(self) -> bool:
        """Whether there is as much as was published, or something where nothing was."""
        if self.missing:
            return False
        return self.utterances > 0 and self.published in (None, self.utterances)

    def __str__(self) -> str:
        if self.missing:
            return f"MISSING {self.split:<18} {self.missing}"
        said = "" if self.published is None else f" of {self.published:,} published"
        line = (
            f"{'ok     ' if self.complete else 'DIFFERS'} {self.split:<18} "
            f"{self.utterances:,} utterances{said}, {self.duration / 3600:.2f} hours kept"
        )
        if self.odd_files:
            line += f", {self.odd_files:,} end in half a sample"
        for reason, count in sorted(self.reasons.items()):
            line += f"\n          {count:,} set aside: {reason}"
            line += "".join(f"\n            {each}" for each in self.examples[reason])
        return line


def check_corpus(spec: Mapping[str, Any], folder: Path) -> Iterator[SplitCheck]:
    """Read the split that a specification names, else every published one, in that folder.

    Reads all files. A split that is not there is a finding, not an error, as long as another is.
    Raises ConfigError where none is, or where the corpus does not lie in a folder.
    """
    kind = Corpus.find_class(str(spec.get("use")))
    options = {each.name for each in dataclasses.fields(kind)}  # type: ignore[arg-type]
    if "folder" not in options:
        raise ConfigError(f"corpus {kind.name} does not lie in a folder; there is nothing to check")
    given = {**spec, "folder": str(folder.absolute())}
    if "split" in spec or not kind.published:
        corpus = Corpus.build(given)
        yield _counted(corpus, getattr(corpus, "split", corpus.name))
        return
    found = [_read(Corpus.build({**given, "split": split}), split) for split in kind.published]
    if all(each.missing for each in found):
        raise ConfigError("; ".join(dict.fromkeys(each.missing or "" for each in found)))
    yield from found


def _read(corpus: Corpus, split: str) -> SplitCheck:
    try:
        return _counted(corpus, split)
    except ConfigError as missing:
        return SplitCheck(split, corpus.published.get(split), missing=str(missing))


def _counted(corpus: Corpus, split: str) -> SplitCheck:
    number, seconds, odd = 0, 0.0, 0
    reasons, examples = Counter[str](), dict[str, list[str]]()
    published = corpus.published.get(split)
    for each in show_progress(corpus.utterances(), f"reading {split}", published):
        number += each.rejected_by not in {"no_audio", "bad_line"}
        reason = each.rejected_by or ("unreadable" if each.error else None)
        if reason:
            reasons[reason] += 1
            if len(examples.setdefault(reason, [])) < EXAMPLES:
                examples[reason].append(each.objection or each.error or each.id)
        else:
            seconds += each.duration
            odd += audio.ends_in_half_sample(each.audio_filepath)
    return SplitCheck(split, published, number, seconds, odd, dict(reasons), examples)
