"""Questions to the hub where there is none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from twister_loop.core import hub
from twister_loop.core.errors import ConfigError

constants = pytest.importorskip("huggingface_hub.constants")


@pytest.fixture(autouse=True)
def asked_again() -> Iterator[None]:
    for question in (hub.explain_unreachable, hub.list_file_sizes):
        question.cache_clear()
    yield
    for question in (hub.explain_unreachable, hub.list_file_sizes):
        question.cache_clear()


def test_a_hub_that_does_not_answer_is_asked_once_and_explained(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:1")
    reason = hub.explain_unreachable()
    assert reason and "\n" not in reason and "Errno" not in reason
    with pytest.raises(ConfigError, match=r"refused|failed|connect"):
        hub.list_file_sizes("openai/whisper-tiny")
    # The answer is kept for all models of a plan.
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:2")
    assert hub.explain_unreachable() == reason


def test_without_a_network_by_choice_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert hub.explain_unreachable() == "HF_HUB_OFFLINE is set"


def test_a_model_in_the_cache_is_found_by_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    assert hub.find_cached_model("some/model", ["*.json"]) is None
    (tmp_path / "models--some--model").mkdir()
    assert hub.find_cached_folder("some/model") == tmp_path / "models--some--model"
    assert hub.find_cached_folder("some/model", "dataset") is None
