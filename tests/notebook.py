"""Runs notebooks without a kernel: cells in one namespace, with what they print and show.

`python -m tests.notebook docs/first_hour.ipynb` writes the outputs anew.
"""

from __future__ import annotations

import ast
import base64
import contextlib
import io
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

DPI = 60
"""Dots per inch of figures, so that the file stays small."""


def run_cells(notebook: dict[str, Any]) -> Iterator[list[dict[str, Any]]]:
    """Run the code cells of a notebook in the working directory, and yield the outputs of each."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            yield _run_cell("".join(cell["source"]), namespace)


def _run_cell(source: str, namespace: dict[str, Any]) -> list[dict[str, Any]]:
    tree = ast.parse(source)
    # As in a notebook, the last line is shown if it is an expression.
    is_shown = bool(tree.body) and isinstance(tree.body[-1], ast.Expr)
    last = tree.body.pop() if is_shown else None
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(io.StringIO()):
        exec(compile(tree, "<cell>", "exec"), namespace)
        shown = (
            eval(compile(ast.Expression(last.value), "<cell>", "eval"), namespace) if last else None
        )  # type: ignore[attr-defined]
    outputs: list[dict[str, Any]] = []
    if text := printed.getvalue():
        outputs.append({"output_type": "stream", "name": "stdout", "text": _lines(text)})
    if shown is not None:
        content: dict[str, Any] = {"text/plain": _lines(repr(shown))}
        if hasattr(shown, "savefig"):
            png = io.BytesIO()
            shown.savefig(png, format="png", dpi=DPI, bbox_inches="tight")
            content = {
                "image/png": base64.b64encode(png.getvalue()).decode(),
                "text/plain": ["<Figure>"],
            }
        outputs.append({"output_type": "display_data", "data": content, "metadata": {}})
    return outputs


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


def texts_of(outputs: list[dict[str, Any]]) -> list[str]:
    """Return what outputs say, without their images."""
    return [
        "".join(output["text"] if "text" in output else output["data"]["text/plain"])
        for output in outputs
    ]


def write_outputs(path: Path) -> None:
    """Run a notebook in an empty folder, and write its outputs into it."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    path, before = path.absolute(), Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            outputs = list(run_cells(notebook))
        finally:
            os.chdir(before)
    code_cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    for number, (cell, cell_outputs) in enumerate(zip(code_cells, outputs, strict=True), 1):
        cell["outputs"], cell["execution_count"] = cell_outputs, number
    text = json.dumps(notebook, indent=1, ensure_ascii=False)
    path.write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    write_outputs(Path(sys.argv[1]))
