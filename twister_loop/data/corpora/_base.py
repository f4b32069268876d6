"""What a corpus is to the rest of the house."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import ClassVar, Self

from ...core.registry import Part
from ...core.types import Seconds, Utterance


class Corpus(Part):
    """A source of speech, of texts, or of both."""

    home = "twister_loop.data.corpora"
    published: ClassVar[Mapping[str, int]] = {}
    """Utterances of every value of the option `split`, as published; each names its source."""

    @abstractmethod
    def utterances(self) -> Iterator[Utterance]:
        """Yield all there is, in a fixed order, what is no use with a reason; ids come later."""

    @property
    def title(self) -> str:
        """What a mixture knows it by: its folder, file or data set, else the name of the part."""
        options = (getattr(self, name, None) for name in ("dataset", "folder", "file"))
        known = (each.resolve().stem if isinstance(each, Path) else each for each in options)
        return next(filter(None, known), None) or self.name

    def excluding_recent_files(self, since: Seconds) -> Self:
        """The same, without files that changed more recently; itself if it looks at no folder."""
        return self
