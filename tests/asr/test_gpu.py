"""The GPU is found by the driver's tool, without PyTorch."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from twister_loop.asr import _gpu


@pytest.fixture(autouse=True)
def asked_again() -> Iterator[None]:
    _gpu.find_gpu.cache_clear()
    yield
    _gpu.find_gpu.cache_clear()


def put_tool_on_path(folder: Path, answer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write an `nvidia-smi` that repeats its arguments into a file and prints an answer."""
    tool = folder / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\necho \"$@\" > {folder}/arguments\nprintf '{answer}'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


def test_free_memory_and_bfloat16_of_the_visible_gpu_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_tool_on_path(tmp_path, r"81000, 9.0\n40000, 7.5\n", monkeypatch)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,1")
    assert _gpu.find_gpu() == _gpu.Gpu(81000 << 20, has_bfloat16=True)
    assert (tmp_path / "arguments").read_text().endswith("-i 3\n")
    assert _gpu.computes_in_bfloat16()


@pytest.mark.parametrize("answer", ["", "No devices were found", r"[N/A], 9.0\n"])
def test_an_answer_without_figures_is_no_gpu(
    answer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_tool_on_path(tmp_path, answer, monkeypatch)
    assert _gpu.find_gpu() is None


def test_a_gpu_that_is_hidden_from_processes_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_tool_on_path(tmp_path, r"81000, 9.0\n", monkeypatch)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert _gpu.find_gpu() is None


@pytest.mark.model
def test_the_number_format_is_the_one_that_pytorch_computes_in() -> None:
    torch = pytest.importorskip("torch")
    from twister_loop.asr._precision import resolve_dtype

    assert (resolve_dtype("auto") == torch.bfloat16) == _gpu.computes_in_bfloat16()
