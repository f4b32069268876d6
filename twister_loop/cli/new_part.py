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
from .options import ROOMS

NAME = re.compile(r"[a-z][a-z0-9_]*")
"""Names of parts are names of modules, and keys in plans."""
DEFAULT_FOLDER = Path("parts")


class Starter(NamedTuple):
    """Code that a new part of one kind begins with."""

    room: str
    """Folder that parts of this kind lie in."""
    imports: str
    summary: str
    """First line of the module's docstring, without its end."""
    body: str
    """Options and method of the class."""
    test: str
    """Body of the test; `part` is the new part with its default options."""
    usage: str
    """Line of a plan that uses it."""


STARTERS = {
    "filter": Starter(
        room="filters",
        imports="from twister_loop import Utterance\nfrom twister_loop.parts import Filter",
        summary="Filter on the share of capital letters",
        body='''    """Drops utterances that are written in capitals."""

    at_most: float = 0.5
    """Largest share of capitals among the characters of the text, from 0 to 1."""

    def objection(self, utterance: Utterance) -> str | None:
        """Return why an utterance is dropped, with the measured value; None if it is kept."""
        text = utterance.text or ""
        share = sum(map(str.isupper, text)) / max(len(text), 1)
        return None if share <= self.at_most else f"{share:.0%} are capitals"''',
        test='''    assert part.objection(Utterance(id="a", text="quiet")) is None
    assert part.objection(Utterance(id="b", text="LOUD")) == "100% are capitals"''',
        usage="filters: {pseudo: [default, $name]}",
    ),
    "gate": Starter(
        room="gates",
        imports="from twister_loop.parts import Evidence, Gate\n"
        "from twister_loop.types import Objection",
        summary="Gate against candidates that say nothing",
        body='''    """Gate that refuses a candidate with empty transcripts on a development set."""

    at_most: int = 0
    """Largest number of utterances with a reference and an empty transcript."""

    def objection(self, evidence: Evidence) -> Objection | None:
        """Return the reason for refusing the candidate, or None to accept it."""
        names = evidence.set_names("development")
        empty = sum(evidence.candidate[name].score.empty for name in names)
        if empty <= self.at_most:
            return None
        return Objection(self.name, f"{empty} empty transcripts")''',
        test="""    nothing_decoded = Evidence(untouched={}, champion={}, candidate={})
    assert part.objection(nothing_decoded) is None""",
        usage="gates: [no_regression, retention, significant, sane_output, $name]",
    ),
    "normalizer": Starter(
        room="normalizers",
        imports="from twister_loop.parts import Normalizer",
        summary="Normalizer that ignores case and hyphens",
        body='''    """Normalizer under which "E-Mail" and "e mail" are the same words."""

    hyphen: str = " "
    """Text that takes the place of a hyphen."""

    def normalize(self, text: str, lang: str | None) -> str:
        """Return the normalized text, its words separated by single spaces."""
        return " ".join(text.lower().replace("-", self.hyphen).split())''',
        test='''    assert part.normalize("E-Mail", "en") == "e mail"
    assert part.normalize("e mail", "en") == "e mail"''',
        usage="normalizer: $name",
    ),
    "effect": Starter(
        room="effects",
        imports="import numpy as np\nfrom twister_loop.parts import Effect",
        summary="Effect that makes speech softer",
        body='''    """Lowers the level of speech by a random factor."""

    lowest: float = 0.2
    """Smallest factor; the largest is 1."""

    def apply(self, samples: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return changed samples: float32, (n_samples,), at 16 kHz."""
        factor = rng.uniform(self.lowest, 1.0)
        return (samples * factor).astype(np.float32)''',
        test="""    samples = np.full(1600, 0.5, np.float32)
    softer = part.apply(samples, np.random.default_rng(0))
    assert softer.dtype == np.float32 and 0.1 <= softer.max() <= 0.5""",
        usage="augment: {effects: [$name]}",
    ),
    "corpus": Starter(
        room="corpora",
        imports="from collections.abc import Iterator\n"
        "from pathlib import Path\n\n"
        "from twister_loop import Utterance\n"
        "from twister_loop.parts import Corpus",
        summary="Corpus of texts, one in each file of a folder",
        body='''    """Texts of a folder, one in every file `*.txt`."""

    folder: Path
    """Folder with the files."""
    lang: str | None = None
    """Language of the texts."""

    def utterances(self) -> Iterator[Utterance]:
        """Yield all utterances, always in the same order."""
        for path in sorted(self.folder.glob("*.txt")):
            text = path.read_text(encoding="utf-8").strip()
            yield Utterance(id=path.stem, text=text, lang=self.lang)''',
        test="""    (tmp_path / "a.txt").write_text("hello there\\n", encoding="utf-8")
    assert [utterance.text for utterance in part.utterances()] == ["hello there"]""",
        usage="texts: {use: $name, folder: texts/}",
    ),
}
"""Starters by kind: those that have one method to write."""

PART = Template('''"""$summary."""

from __future__ import annotations

from dataclasses import dataclass
$imports


@dataclass(frozen=True)
class $class_name($base):
$body
''')

TEST = Template('''"""Test of the $kind `$name`, as plans find it."""

from pathlib import Path

import pytest
$imports

PARTS = Path(__file__).parents[1]


def test_the_${kind}_${name}(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("$variable", str(PARTS))
    part = $base.build({"use": "$name"$options})
$test
''')


def new_part(options: argparse.Namespace) -> int:
    """Write a part of your own, and a test of it, to start from.

    The part works at once: FOLDER/KIND/NAME.py, and the test FOLDER/tests/test_KIND_NAME.py passes
    with pytest. Existing files are never replaced.
    """
    folder: Path = options.folder or Path(os.environ.get(VARIABLE) or DEFAULT_FOLDER)
    starter = STARTERS[options.kind]
    part = folder / starter.room / f"{options.name}.py"
    test = folder / "tests" / f"test_{options.kind}_{options.name}.py"
    _check_name(options.kind, options.name)
    # Before anything is written, so that a refusal changes nothing.
    for path in (part, part.with_suffix(""), test):
        if path.exists():
            raise ConfigError(f"{path}: exists already; choose another name, or move it away")
    imports = starter.imports
    words = {
        "kind": options.kind,
        "name": options.name,
        "base": ROOMS[starter.room].__name__,
        "class_name": "".join(word.capitalize() for word in options.name.split("_")),
        "summary": starter.summary,
        "imports": imports if "collections" in imports else f"\n{imports}",
        "body": starter.body,
        "test": starter.test,
        "variable": VARIABLE,
        "options": ', "folder": str(tmp_path)' if "tmp_path" in starter.test else "",
    }
    for path, template in ((part, PART), (test, TEST)):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(template.substitute(words), encoding="utf-8")
        print(path)
    print(
        f"In a plan: {Template(starter.usage).substitute(words)}\n"
        f"To run it: twister run PLAN RUN --parts {folder}\n"
        f"To test it: python -m pytest {test}"
    )
    return 0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `twister new`."""
    parser.add_argument("kind", choices=sorted(STARTERS), help="kind of the part")
    parser.add_argument("name", metavar="NAME", help="its name in plans, such as too_loud")
    # Not `parts`: the folder need not exist yet, and no part is looked for in it.
    parser.add_argument(
        "--parts",
        dest="folder",
        type=Path,
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
    if origins := list_origins(ROOMS[STARTERS[kind].room].package).get(name):
        raise ConfigError(f"the {kind} {name!r} is in {origins[0].place}; choose another name")
    if kind == "filter" and name in FILTERS:
        raise ConfigError(f"{name!r} is a preset of filters; choose another name")
