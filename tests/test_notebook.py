"""The notebook runs from its first cell to its last, and shows what is kept in its file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .notebook import run_cells, texts_of

NOTEBOOK = Path(__file__).parents[1] / "docs" / "first_hour.ipynb"


def test_the_notebook_shows_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("matplotlib", "pandas"):
        pytest.importorskip(package)
    monkeypatch.chdir(tmp_path)
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    stored = [cell["outputs"] for cell in notebook["cells"] if cell["cell_type"] == "code"]
    outputs = list(run_cells(notebook))
    assert [texts_of(cell) for cell in outputs] == [texts_of(cell) for cell in stored], (
        "run: python -m tests.notebook docs/first_hour.ipynb"
    )
    assert any("image/png" in output.get("data", {}) for cell in outputs for output in cell)


def test_the_notebook_is_small() -> None:
    assert NOTEBOOK.stat().st_size < 60_000
