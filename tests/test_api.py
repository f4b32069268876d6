"""The documented API is the real one: its names, its signatures and its examples."""

from __future__ import annotations

import doctest
import inspect
import re
from pathlib import Path

import pytest

import twister_loop
from twister_loop import decisions, errors, parts, types

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
HEADINGS = dict(re.findall(r"^### `(\w+)\((.*)\)`$", PAGE, re.MULTILINE))


def test_the_page_documents_exactly_the_public_names() -> None:
    assert sorted(HEADINGS) == sorted(twister_loop.__all__)


@pytest.mark.parametrize("name", HEADINGS)
def test_the_signature_on_the_page_is_the_real_one(name: str) -> None:
    if HEADINGS[name].endswith("..."):
        pytest.skip("a class of many fields")
    parameters = inspect.signature(getattr(twister_loop, name)).parameters
    assert HEADINGS[name].split(", ") == list(parameters)


@pytest.mark.parametrize("module", [decisions, errors, parts, types])
def test_the_page_names_all_of_a_module(module: object) -> None:
    name: str = module.__name__  # type: ignore[attr-defined]
    section = PAGE.split(f"### `{name}`")[1].split("\n### ")[0].split("\n## ")[0]
    documented = set(re.findall(r"`(\w+)(?:\([^`]*\))?`", section))
    assert set(module.__all__) <= documented  # type: ignore[attr-defined]


def test_the_examples_run(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pandas")
    monkeypatch.chdir(world.parent)
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    examples = doctest.DocTestParser().get_doctest("\n".join(blocks), {}, "api.md", None, None)
    outcome = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(examples)
    assert outcome.attempted > 20 and not outcome.failed


@pytest.mark.parametrize("module", [twister_loop, decisions, errors, parts, types])
def test_every_public_name_and_method_is_documented(module: object) -> None:
    for name in module.__all__:  # type: ignore[attr-defined]
        public = getattr(module, name)
        assert inspect.getdoc(public), name
        for method_name, method in vars(public).items() if inspect.isclass(public) else ():
            function = method.fget if isinstance(method, property) else method
            function = getattr(function, "__func__", function)
            if inspect.isfunction(function) and not method_name.startswith("_"):
                assert function.__doc__, f"{name}.{method_name}"
