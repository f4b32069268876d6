"""Rules of the house: what keeps it tidy when nobody is looking."""

import ast
import doctest
import re
import subprocess
import sys
from collections import Counter
from dataclasses import fields, is_dataclass
from pathlib import Path

import pytest

import twister_loop
from twister_loop.asr._base import Recognizer
from twister_loop.audio.effects._base import Effect
from twister_loop.core.registry import Part
from twister_loop.data.corpora._base import Corpus
from twister_loop.data.filters._base import Filter
from twister_loop.evaluation.gates._base import Gate
from twister_loop.pipeline.execution.shards import Cluster
from twister_loop.text.normalizers._base import Normalizer
from twister_loop.tts._base import Synthesizer

ROOT = Path(__file__).parents[1]
KINDS: list[type[Part]] = [
    Recognizer,
    Synthesizer,
    Corpus,
    Filter,
    Effect,
    Gate,
    Normalizer,
    Cluster,
]
TIERS = {
    **dict.fromkeys("conformer coqui deepspeech2 huggingface jasper".split(), pytest.mark.model),
    **dict.fromkeys("las transducer transformer".split(), pytest.mark.model),
    **dict.fromkeys("dnsmos speedy_speech vits whisper xtts".split(), pytest.mark.model),
    "dask": pytest.mark.cluster,
    "ray": pytest.mark.cluster,
}
PARTS = [
    pytest.param(kind, name, marks=[TIERS[name]] if name in TIERS else [], id=name)
    for kind in KINDS
    for name in kind.list_names()
]


@pytest.mark.parametrize(("kind", "name"), PARTS)
def test_every_part_is_a_frozen_dataclass_and_documents_its_options(
    kind: type[Part], name: str
) -> None:
    if name == "ray":
        pytest.importorskip("ray", reason="an extra of its own")
    part = kind.find_class(name)
    assert is_dataclass(part) and part.__dataclass_params__.frozen  # type: ignore[attr-defined]
    assert part.name == name and f"{part.__module__}.".startswith(f"{kind.package}.{name}.")
    homes = [base.__module__ for base in part.__mro__ if base.__module__.startswith(kind.package)]
    source = "".join(Path(sys.modules[home].__file__ or "").read_text() for home in homes)
    for field in fields(part):
        assert re.search(rf"^    {field.name}:", source, re.MULTILINE)


def test_the_public_names_are_sorted_and_real() -> None:
    assert twister_loop.__all__ == sorted(twister_loop.__all__)
    assert all(hasattr(twister_loop, name) for name in twister_loop.__all__)


def test_importing_the_library_is_light() -> None:
    heavy = {"torch", "transformers", "TTS", "prefect", "datasets", "silero_vad"}
    heavy |= {"av", "distributed", "ray"}
    code = f"import sys, twister_loop, twister_loop.cli.main; print({heavy!r} & set(sys.modules))"
    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert printed.stdout.strip() == "set()"


def test_no_module_is_longer_than_a_person_reads() -> None:
    long = {
        path.name: count
        for path in (ROOT / "twister_loop").rglob("*.py")
        if (count := len(path.read_text().splitlines())) > 360
    }
    assert not long


SAYS_LEAST = "each found said made heard known given at terms told asked kept".split()
SAYS_LITTLE = "item entry thing x value data result obj one other".split()
FRAGMENT = re.compile(
    r"(Of|What|Who|Whom|Whose|Where|When|Which|How|Whether|That|From|Between|Those|So|Up|The same|"
    r"All|As|Beside|By|For)\b"
)


def test_names_say_what_they_hold_and_docstrings_are_sentences() -> None:
    """Shares over the whole package; language is kept by a limit, since no linter knows it."""
    names, first_words, lines = Counter[str](), list[str](), list[str]()
    for path in (ROOT / "twister_loop").rglob("*.py"):
        source = path.read_text()
        lines += source.splitlines()
        for node in ast.walk(ast.parse(source)):
            names.update(_bound_names(node))
            documented = isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module)
            if documented and (docstring := ast.get_docstring(node)):
                first_words.append(docstring)
    total = names.total()
    assert sum(names[name] for name in SAYS_LEAST) <= 0.005 * total
    assert sum(names[name] for name in SAYS_LEAST + SAYS_LITTLE) <= 0.04 * total
    fragments = [docstring for docstring in first_words if FRAGMENT.match(docstring)]
    assert len(fragments) <= 0.03 * len(first_words), fragments[:10]
    comments = sum(line.lstrip().startswith("#") or "  # " in line for line in lines)
    assert comments >= 0.04 * len(lines)


def _bound_names(node: ast.AST) -> list[str]:
    """Return the names that an assignment, a loop or a comprehension binds."""
    targets: list[ast.expr] = []
    if isinstance(node, ast.Assign):
        targets = node.targets
    elif isinstance(node, ast.AnnAssign | ast.NamedExpr | ast.For | ast.comprehension):
        targets = [node.target]
    return [
        name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)
    ]


EXAMPLES = [
    path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__")
    for path in sorted((ROOT / "twister_loop").rglob("*.py"))
    if ">>>" in path.read_text()
]


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_in_docstrings_run(name: str) -> None:
    module = pytest.importorskip(name)
    outcome = doctest.testmod(module)
    assert outcome.attempted and not outcome.failed
