"""The command `twister new`: a part of one's own that works, and a test of it, to start from."""

from __future__ import annotations

import argparse
import keyword
import os
import re
from pathlib import Path
from string import Template
from typing import NamedTuple

from ..core.errors import ConfigError
from ..core.part_origins import VARIABLE, list_origins
from ..data.presets import FILTERS
from .argument_types import parse_path
from .json_output import print_json
from .options import ROOMS

NAME = re.compile(r"[a-z][a-z0-9_]*")
"""Names of parts are names of modules, and keys in plans."""
DEFAULT_FOLDER = Path("parts")
STARTERS = Path(__file__).parent / "starters"
"""Code of parts and tests that do something, so that the tests can fail and show a call."""


class Kind(NamedTuple):
    """Kind of part that can be begun from a starter."""

    room: str
    """Folder that parts of this kind lie in."""
    usage: str
    """Line of a plan that uses one."""


KINDS = {
    "filter": Kind("filters", "filters: {pseudo: [default, $name]}"),
    "gate": Kind("gates", "gates: [no_regression, retention, significant, sane_output, $name]"),
    "normalizer": Kind("normalizers", "normalizer: $name"),
    "effect": Kind("effects", "augment: {effects: [$name]}"),
    "corpus": Kind("corpora", "texts: {use: $name, folder: texts/}"),
}
"""Kinds with a starter: those that have one method to write."""


def new_part(options: argparse.Namespace) -> int:
    """Write a part of your own, and a test of it, to start from.

    The part works at once: FOLDER/KIND/NAME.py, and the test FOLDER/tests/test_KIND_NAME.py passes
    with pytest. Existing files are never replaced.
    """
    folder: Path = options.folder or Path(os.environ.get(VARIABLE) or DEFAULT_FOLDER)
    kind, name = KINDS[options.kind], options.name
    part = folder / kind.room / f"{name}.py"
    test = folder / "tests" / f"test_{options.kind}_{name}.py"
    _check_name(options.kind, name)
    # Before anything is written, so that a refusal changes nothing.
    for path in (part, part.with_suffix(""), test):
        if path.exists():
            raise ConfigError(f"{path}: exists already; choose another name, or move it away")
    words = {"name": name, "class_name": "".join(word.title() for word in name.split("_"))}
    # The test finds the part as a plan does, so that a wrong name or class fails, too.
    for path, starter in ((part, f"{options.kind}.py.txt"), (test, f"test_{options.kind}.py.txt")):
        path.parent.mkdir(parents=True, exist_ok=True)
        code = Template((STARTERS / starter).read_text(encoding="utf-8")).substitute(words)
        path.write_text(code, encoding="utf-8")
        print(path)
    usage = Template(kind.usage).substitute(words)
    if options.json:
        print_json({"part": str(part), "test": str(test), "usage": usage})
        return 0
    print(
        f"In a plan: {usage}\n"
        f"To run it: twister run PLAN RUN --parts {folder}\n"
        f"To test it: python -m pytest {test}"
    )
    return 0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `twister new`."""
    parser.add_argument("kind", choices=sorted(KINDS), help="kind of the part")
    parser.add_argument("name", metavar="NAME", help="its name in plans, such as too_loud")
    # Not `parts`: the folder need not exist yet, and no part is looked for in it.
    parser.add_argument(
        "--parts",
        dest="folder",
        type=parse_path,
        metavar="FOLDER",
        help="folder of your own parts (default: the variable TWISTER_PARTS, else ./parts)",
    )


def _check_name(kind: str, name: str) -> None:
    """Raise ConfigError if a new part cannot have this name."""
    if not NAME.fullmatch(name) or keyword.iskeyword(name):
        raise ConfigError(
            f"{name!r} cannot be the name of a part: write small letters, digits and underlines, "
            "beginning with a letter, as in too_loud"
        )
    if origins := list_origins(ROOMS[KINDS[kind].room].package).get(name):
        raise ConfigError(f"the {kind} {name!r} is in {origins[0].place}; choose another name")
    if kind == "filter" and name in FILTERS:
        raise ConfigError(f"{name!r} is a preset of filters; choose another name")
