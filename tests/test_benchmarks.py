"""What the benchmarks import from the package is there: nothing else runs them between releases."""

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.mark.parametrize("path", sorted(BENCHMARKS.glob("*.py")), ids=lambda path: path.stem)
def test_imported_names_exist(path: Path) -> None:
    missing = [
        f"{path.name}:{line}: {module}.{name}"
        for line, module, name in package_imports(path)
        if not exists(module, name)
    ]
    assert not missing


def package_imports(path: Path) -> Iterator[tuple[int, str, str]]:
    """Yield line, module and name of all imports from the package, also those within functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("twister_loop"):
            for alias in node.names:
                yield node.lineno, str(node.module), alias.name


def exists(module: str, name: str) -> bool:
    """Return whether a module has this name, or a submodule of it."""
    try:
        if hasattr(importlib.import_module(module), name):
            return True
        importlib.import_module(f"{module}.{name}")
    except ModuleNotFoundError:
        return False
    return True
