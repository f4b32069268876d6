"""Draws of a synthesizer, which depend on the id of a text alone."""

from __future__ import annotations

import hashlib

import numpy as np


def make_generator(text_id: str) -> np.random.Generator:
    """Return the generator of everything that is drawn for a text.

    A killed synthesis is resumed in the middle of the texts, so nothing may depend on a text's
    place among the others.

    >>> make_generator("a").uniform() == make_generator("a").uniform()
    True
    """
    # Not Python's `hash`, which differs between processes.
    return np.random.default_rng([*hashlib.sha256(text_id.encode()).digest()[:8]])
