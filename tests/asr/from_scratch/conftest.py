"""Clips of whistles, and tiny models that are hardly trained."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.asr.from_scratch.tiny_models import OPTIONS, tiny_recognizer
from tests.asr.from_scratch.whistles import TEXTS, write_whistles
from twister_loop.core.manifest import Manifest
from twister_loop.core.types import Checkpoint, Utterance

torch = pytest.importorskip("torch")
pytest.importorskip("torchaudio")
pytest.importorskip("safetensors")


@pytest.fixture(autouse=True, scope="package")
def one_thread() -> Iterator[None]:
    """Compute in one thread: networks this small wait for other threads longer than they compute.

    The scope is that of the models below, which are trained under it, and leaves no other package
    slow.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="package")
def speech(tmp_path_factory: pytest.TempPathFactory) -> list[Utterance]:
    return write_whistles(TEXTS, tmp_path_factory.mktemp("whistles"))


@pytest.fixture(scope="package")
def training_set(speech: list[Utterance], tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    return Manifest.write(speech, tmp_path_factory.mktemp("training-set"))


@pytest.fixture(scope="package")
def trained(
    training_set: Manifest, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Checkpoint]:
    """One checkpoint of each architecture, hardly trained."""
    folder = tmp_path_factory.mktemp("trained")
    recognizers = {name: tiny_recognizer(name) for name in OPTIONS}
    return {
        name: recognizer.train(recognizer.initial_checkpoint(), training_set, folder / name, seed=1)
        for name, recognizer in recognizers.items()
    }
