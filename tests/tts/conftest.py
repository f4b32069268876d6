"""Fixtures that the tests of neural voices share."""

import pytest

from tests.tones import write_texts
from twister_loop.core.manifest import Manifest


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    folder = tmp_path_factory.mktemp("texts")
    return write_texts(
        folder, "Tre, non sei!", "bella Roma", "la terra e il sole", "alba", "sì, ora"
    )
