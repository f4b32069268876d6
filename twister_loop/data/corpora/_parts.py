"""A corpus of which only some parts have arrived, as if its recordings came one after the other."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Self

from ...core.digests import digest_path
from ...core.types import TEXT_ONLY, Seconds, Utterance
from ._base import Corpus


@dataclass(frozen=True)
class ArrivedParts(Corpus):
    """The first parts of a corpus that is divided by recordings into parts of equal number.

    The order of recordings is that of their digests, so that names and places do not matter. All
    speech of a recording is in one part.
    """

    corpus: Corpus
    parts: int
    arrived: int
    """Number of parts that are there, at most `parts`."""

    def utterances(self) -> Iterator[Utterance]:
        digests = sorted(set(filter(None, map(_digest, self.corpus.utterances()))))
        # Ranks and not digests modulo parts: a small corpus would be divided unevenly.
        part_of = {digest: rank * self.parts // len(digests) for rank, digest in enumerate(digests)}
        for utterance in self.corpus.utterances():
            digest = _digest(utterance)
            # What the corpus itself rejects is listed from the first part on: it must be counted.
            if digest is None or part_of[digest] < self.arrived:
                yield utterance

    @property
    def title(self) -> str:
        return self.corpus.title

    def explain_missing_text(self) -> str:
        return self.corpus.explain_missing_text()

    def excluding_recent_files(self, min_age: Seconds) -> Self:
        return replace(self, corpus=self.corpus.excluding_recent_files(min_age))


def _digest(utterance: Utterance) -> str | None:
    """Return the digest of an utterance's recording; None if it has none that can be used."""
    if utterance.rejected_by or utterance.audio_filepath == TEXT_ONLY:
        return None
    return _digest_file(utterance.audio_filepath)


# Every round of every arm of a comparison asks again.
@cache
def _digest_file(path: Path) -> str:
    try:
        return digest_path(path)
    except OSError:  # it is rejected when it is read, in the part of its name
        return hashlib.sha256(os.fsencode(path)).hexdigest()
