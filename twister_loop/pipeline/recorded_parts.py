"""Parts from outside of the package, as the rounds of a run recorded them.

A round can be read without the code of its parts. Only running needs it, and what is missing is
then named with the way in which it was provided.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ..core.differences import OWN_CODE
from ..core.errors import ConfigError
from ..core.part_origins import A_FOLDER, VARIABLE
from .run_check import list_rounds, read_note


def describe_providers(names: Sequence[str], run: Path) -> list[str]:
    """Return a sentence for every missing part that a round of a run used: how it was provided."""
    providers = dict[str, tuple[str, str]]()
    # The last round that used a part tells where it was last.
    for folder in list_rounds(run):
        try:
            plan = read_note(folder)["plan"]
        except ConfigError:  # a damaged note is told by those who need it
            continue
        providers |= {name: (folder.name, provider) for name, provider in _find_own_parts(plan)}
    return [_describe(name, *providers[name]) for name in names if name in providers]


def _describe(name: str, round_name: str, provider: str) -> str:
    remedy = (
        f"name it with --parts FOLDER or {VARIABLE}=FOLDER"
        if provider == A_FOLDER
        else "install it, or provide the part by a folder (--parts FOLDER)"
    )
    return f"{round_name} used {name!r}, which came from {provider}: {remedy}"


def _find_own_parts(content: Any) -> Iterator[tuple[str, str]]:
    """Yield name and provider of every part from outside in the record of a plan."""
    if isinstance(content, dict):
        if isinstance(own_code := content.get(OWN_CODE), dict):
            yield str(content.get("use")), str(own_code.get("from"))
        content = list(content.values())
    if isinstance(content, list):
        for member in content:
            yield from _find_own_parts(member)
