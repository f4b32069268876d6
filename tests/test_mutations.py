"""The faults that `benchmarks/mutants.py` puts into modules: what is offered, and what is not."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"

SOURCE = '''"""A module's docstring: 1 < 2."""
import logging

LIMIT: "set[1]" = 3


@stage(version=2)
def judge(counts: list[int], most: int = 8) -> list[int]:
    """Return what is below 5."""
    log.info("%d of %d", len(counts), 9)
    if not counts or most >= 7:
        raise ValueError("nothing", 6)
    return sorted(count for count in counts if count < f"è{4}" and count)
'''


@pytest.fixture(scope="module")
def mutations() -> Any:
    name = "mutations"
    spec = importlib.util.spec_from_file_location(name, BENCHMARKS / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "a.py").write_text(SOURCE, encoding="utf-8")
    return tmp_path


def test_every_fault_compiles_and_changes_its_line(mutations: Any, root: Path) -> None:
    found = mutations.find_mutations(root, "a.py")
    for mutation in found:
        changed = mutation.apply(SOURCE)
        compile(changed, "a.py", "exec")
        differing = [
            number
            for number, (old, new) in enumerate(
                zip(SOURCE.splitlines(), changed.splitlines(), strict=True), start=1
            )
            if old != new
        ]
        assert differing == [mutation.line], mutation
        assert mutation.describe(SOURCE).startswith(f"a.py:{mutation.line}: ")
    operators = {mutation.operator for mutation in found}
    assert operators >= {
        "and/or",
        "bound",
        "condition",
        "constant",
        "order reversed",
        "returns nothing",
        "statement removed",
    }


def test_sentences_annotations_and_versions_are_left_alone(mutations: Any, root: Path) -> None:
    found = mutations.find_mutations(root, "a.py")
    assert {mutation.line for mutation in found} == {4, 8, 11, 12, 13}
    changed = "".join(mutation.apply(SOURCE).splitlines()[mutation.line - 1] for mutation in found)
    assert "(7)" in changed and "9" in changed, "the default of an argument, one less and more"
    assert "(6)" in changed and "most > 7" in changed
    removed = [mutation for mutation in found if mutation.line == 12]
    assert [mutation.replacement for mutation in removed] == ["pass"], "no other message"
    kinds = {mutation.replacement for mutation in found if mutation.line == 13}
    assert {"None", "[]", "or", "<="} <= kinds


def test_a_seed_draws_lines_and_a_smaller_count_is_the_beginning(
    mutations: Any, root: Path
) -> None:
    drawn = mutations.draw_mutations(root, ["a.py"], 5, seed=1)
    assert len({mutation.line for mutation in drawn}) == 5
    assert mutations.draw_mutations(root, ["a.py"], 3, seed=1) == drawn[:3]
    assert mutations.draw_mutations(root, ["a.py"], 99, seed=2) != drawn
