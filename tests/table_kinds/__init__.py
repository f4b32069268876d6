"""Kinds of tables and texts that people have, each with what a reader is to make of it."""

from __future__ import annotations

from ._kind import AUDIO, TableKind
from .folders import FOLDER_KINDS
from .lists import LIST_KINDS

__all__ = ["ALL_KINDS", "AUDIO", "TableKind"]

ALL_KINDS: tuple[TableKind, ...] = (*FOLDER_KINDS, *LIST_KINDS)
