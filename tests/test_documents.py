"""Examples in the documents are real: every plan loads, every folder and command exists."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from twister_loop import load
from twister_loop.audio import io as audio
from twister_loop.cli.options import write_reference
from twister_loop.cli.parser import build_parser
from twister_loop.pipeline.stage_table import STAGES

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", ROOT / "docs" / "plan.md"]
EXAMPLES = [
    pytest.param(document, block, id=f"{document.name}-{number}")
    for document in DOCUMENTS
    for number, block in enumerate(re.findall(r"```yaml\n(.*?)```", document.read_text(), re.S))
]


@pytest.mark.parametrize(("document", "block"), EXAMPLES)
def test_every_example_of_a_plan_loads(world: Path, document: Path, block: str) -> None:
    example: dict[str, Any] = yaml.safe_load(block)
    for folder in ("noises", "rooms"):  # effects check their recordings when the plan is read
        (world.parent / folder).mkdir()
        audio.write(np.full(1600, 0.1, np.float32), world.parent / folder / "a.wav")
    plan = load(world, {"asr": {"use": "whisper"}, "gates": [], **example})
    assert plan.asr.name == "whisper"


def test_the_readme_lists_every_stage_folder() -> None:
    tree = (ROOT / "README.md").read_text().split("## What is in a run")[1]
    for stage in STAGES:
        name = (
            stage.folder.split("/")[-1] if "{voice}" in stage.folder else stage.folder.split("/")[0]
        )
        assert f"{name}/" in tree, stage.folder


def test_the_readme_lists_every_command() -> None:
    readme = (ROOT / "README.md").read_text()
    for command in build_parser()._subparsers._group_actions[0].choices:  # type: ignore[union-attr]
        assert f"twister {command}" in readme, command


@pytest.mark.model  # parts are read from their modules, which import the engines
def test_the_reference_of_options_is_the_one_that_the_command_writes() -> None:
    reference = (ROOT / "docs" / "options.md").read_text(encoding="utf-8")
    assert reference == write_reference(), "run: twister options > docs/options.md"


def list_anchors(document: Path) -> set[str]:
    """Return the anchors that GitHub gives to the headings of a document."""
    headings = re.findall(r"^#+ (.*)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")], ids=str)
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    for target, anchor in re.findall(r"\]\(([^)#]*)(?:#([^)]*))?\)", document.read_text()):
        if target.startswith("http"):
            continue
        page = document.parent / target if target else document
        assert page.exists(), target
        assert not anchor or anchor in list_anchors(page), f"{target}#{anchor}"


def test_the_contents_of_the_benchmarks_list_every_section() -> None:
    text = (ROOT / "BENCHMARKS.md").read_text()
    listed = set(re.findall(r"^  - \[(.+)\]\(#", text, re.MULTILINE))
    sections = re.findall(r"^## (.+?)(?: \(2026-[\d-]+\))?$", text, re.MULTILINE)
    assert listed == set(sections) - {"Contents"}
