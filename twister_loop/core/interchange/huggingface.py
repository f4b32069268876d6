"""Utterances as data sets of the Hugging Face library `datasets`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from ..types import Utterance
from .rows import from_rows, import_package, to_rows

if TYPE_CHECKING:
    from datasets import Dataset as Dataset


def to_dataset(utterances: Iterable[Utterance]) -> Dataset:
    """Return a data set with a row for every utterance."""
    columns, rows = to_rows(utterances)
    # By columns, because `from_list` takes the columns of the first row for all there are.
    by_column = {name: [row.get(name) for row in rows] for name in columns}
    dataset: Dataset = import_package("datasets", "datasets").Dataset.from_dict(by_column)
    return dataset


def from_dataset(dataset: Dataset) -> Iterator[Utterance]:
    """Yield the utterance of every row."""
    return from_rows(dataset.column_names, dataset)
