"""Utterances as data frames of pandas."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from ..types import Utterance
from .rows import from_rows, import_package, to_rows

if TYPE_CHECKING:
    # Under a name of this module, by which `Manifest` annotates.
    from pandas import DataFrame as DataFrame


def to_frame(utterances: Iterable[Utterance]) -> DataFrame:
    """Return a frame with a row for every utterance, of shape (utterances, columns)."""
    columns, rows = to_rows(utterances)
    frame: DataFrame = import_package("pandas", "pandas").DataFrame(rows, columns=columns)
    return frame


def from_frame(frame: DataFrame) -> Iterator[Utterance]:
    """Yield the utterance of every row; its index is not read."""
    # As objects, since a column of numbers cannot hold None.
    present = frame.astype(object).where(frame.notna(), None)
    return from_rows(list(frame.columns), present.to_dict("records"))
