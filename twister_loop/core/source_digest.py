"""Digest of the source code of a part that is not in this package, so that an edit is noticed."""

from __future__ import annotations

import ast
import hashlib
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from .digests import digest_path


def digest_source(module: str) -> str:
    """Return 16 hex digits that change with the source of a module and of what it imports.

    Counted are the modules of its own top-level package, also those that a function imports later.
    Other packages are not: their versions are recorded.

    Args:
        module: Name of a module that is imported already.
    """
    digests = {name: digest_path(path) for name, path in find_sources(module).items()}
    return hashlib.sha256(json.dumps(sorted(digests.items())).encode()).hexdigest()[:16]


def find_sources(module: str) -> Mapping[str, Path]:
    """Return the files of a module and of those that it imports from its own package, by name.

    >>> import json.decoder
    >>> sorted(find_sources("json.decoder"))
    ['json', 'json.decoder', 'json.encoder', 'json.scanner']
    """
    top = module.partition(".")[0]
    # A module that is no package has no others beside it that belong to it.
    roots = [Path(root) for root in getattr(sys.modules[top], "__path__", ())]
    own_file = getattr(sys.modules[module], "__file__", None)
    sources = {module: Path(own_file)} if own_file else {}
    visited, waiting = set[str](), [module]
    while waiting:
        name = waiting.pop()
        if name in visited or name.partition(".")[0] != top:
            continue
        visited.add(name)
        # By file and not by import: what a function imports later may take seconds to import.
        path = sources.get(name) or _find_file(name, roots)
        if path is None:  # a class or function that was imported, or a folder without a module
            continue
        sources[name] = path
        waiting.append(name.rpartition(".")[0] or top)  # it is imported before the module
        if path.suffix == ".py":
            package = name if path.name == "__init__.py" else name.rpartition(".")[0]
            waiting += _list_imports(path, package)
    return sources


def _find_file(name: str, roots: list[Path]) -> Path | None:
    """Return the file of a module of the package that lies in these folders."""
    inner = name.split(".")[1:]
    for root in roots:
        folder = root.joinpath(*inner)
        files = [folder / "__init__.py", *([folder.with_suffix(".py")] if inner else [])]
        if file := next((file for file in files if file.is_file()), None):
            return file
    return None


def _list_imports(path: Path, package: str) -> Iterator[str]:
    """Yield the names of all modules that a file may import."""
    try:
        tree = ast.parse(path.read_bytes())
    except SyntaxError:  # of a module that is not imported yet, and may never be
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: len(package.split(".")) - max(node.level - 1, 0)]
            base = ".".join([*(parents if node.level else []), *filter(None, [node.module])])
            yield base
            # What follows `import` may be a module, too.
            yield from (f"{base}.{alias.name}" for alias in node.names)
