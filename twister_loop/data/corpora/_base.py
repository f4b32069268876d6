"""The interface of a corpus."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import ClassVar, Self

from ...core.registry import Part
from ...core.types import Seconds, Utterance


class Corpus(Part):
    """A source of speech, of texts, or of both, named in a plan under `pool:`, `texts:`, ...

    To add a corpus, write a frozen dataclass that implements `utterances`. Its fields are the
    options that a plan may set:

    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class Numbers(Corpus):
    ...     count: int = 3
    ...
    ...     def utterances(self) -> Iterator[Utterance]:
    ...         for number in range(1, self.count + 1):
    ...             yield Utterance(id=f"number-{number}", text=str(number), lang="en")
    >>> [utterance.text for utterance in Numbers().utterances()]
    ['1', '2', '3']

    An utterance with speech also has `audio_filepath` and `duration`. A corpus of files has an
    option `folder`, `file` or `dataset`, which names it in a mixture.
    """

    package = "twister_loop.data.corpora"
    published: ClassVar[Mapping[str, int]] = {}
    """Published number of utterances for every value of the option `split`; `twister corpus check`
    compares a copy with it. A corpus that sets it names the source."""

    @abstractmethod
    def utterances(self) -> Iterator[Utterance]:
        """Yield all utterances, always in the same order.

        Nothing is left out silently: an utterance that cannot be used is yielded with
        `rejected_by` and `objection`, or with `error` if its audio cannot be read.

        Yields:
            Utterances with `text` if they are transcribed, and without for a pool. `id` need only
            be unique within the corpus; a run replaces it for audio of its pool.

        Raises:
            ConfigError: The corpus is missing, or its options do not fit its files.
            ManifestError: A line of a list is malformed.
        """

    @property
    def title(self) -> str:
        """Name of the corpus in a mixture: its data set, folder or file, else its part's name."""
        options = (getattr(self, option, None) for option in ("dataset", "folder", "file"))
        titles = (
            option.resolve().stem if isinstance(option, Path) else option for option in options
        )
        return next(filter(None, titles), None) or self.name

    def explain_missing_text(self) -> str:
        """Return one sentence for an error: why this corpus gave no transcript, and what to do."""
        if getattr(self, "labeled", True):
            return f"{self.title} lists no transcripts"
        return f"{self.title} is named with `labeled: false`, which leaves its transcripts out"

    def excluding_recent_files(self, min_age: Seconds) -> Self:
        """Return this corpus without files that changed less than `min_age` seconds ago.

        Such a file may still be being written. A corpus that reads no folder of audio returns
        itself.
        """
        return self
