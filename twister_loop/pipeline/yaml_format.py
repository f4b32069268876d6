"""YAML of plans, read safely: the only door to yaml."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping
from typing import Any, NoReturn

import yaml
from yaml import MappingNode, Node, YAMLError
from yaml.constructor import ConstructorError

__all__ = ["YAMLError", "dump_yaml", "find_lines", "parse_yaml"]

MAX_CHARACTERS = 1_000_000
"""Longest plan. Plans have a few thousand characters; a longer file is another one by mistake."""
MAX_DEPTH = 30
"""Deepest nesting of a plan. A part within a list within a key is at depth 4."""
MAX_NODES = 100_000
"""Most values of a plan, those that aliases repeat included: a few lines of aliases of aliases
would unfold to billions."""

SURROGATE = re.compile("[\ud800-\udfff]")
NUMBERS_OF_YAML_1_1 = (":int", ":float", ":timestamp")
"""Ends of the tags of which other texts are taken here."""


def parse_yaml(text: str) -> Any:
    """Parse YAML; a key that stands twice in one mapping is an error.

    Numbers are those of YAML 1.2: `1e-5` is one. In 1.1, which PyYAML follows, that is a text, and
    `12:30` and `2024-01-01`, which here are texts, are 750 and a date.

    Raises:
        YAMLError: The text is not valid YAML, a key stands twice, or it is too large or too deep
            for a plan.

    >>> parse_yaml("gates: [retention]"), parse_yaml("rate: 1e-5")
    ({'gates': ['retention']}, {'rate': 1e-05})
    """
    if len(text) > MAX_CHARACTERS:
        raise YAMLError(f"it has more than {MAX_CHARACTERS} characters, which no plan has")
    try:
        return yaml.load(text, _PlanLoader)
    except RecursionError as cause:
        raise YAMLError(f"it is nested more than {MAX_DEPTH} deep") from cause


def dump_yaml(content: Mapping[str, Any]) -> str:
    """Return the content as YAML, with the keys in their order."""
    return str(yaml.safe_dump(content, allow_unicode=True, sort_keys=False))


def find_lines(text: str) -> dict[str, int]:
    r"""Return the line of every key of a YAML document, counted from 1.

    An element of a list that is a part, `NAME` or `{use: NAME, ...}`, is named by its position and
    by its name.

    >>> find_lines("pool: a\ngates:\n- {use: significant, level: 0.9}")["gates.significant.level"]
    3
    """
    lines: dict[str, int] = {}
    pending: list[tuple[str, Node | None]] = [("", yaml.compose(text, _PlanLoader))]
    while pending:
        place, node = pending.pop()
        prefix = f"{place}." if place else ""
        if isinstance(node, MappingNode):
            inner = [(f"{prefix}{key.value}", key, child) for key, child in node.value]
        elif isinstance(node, yaml.SequenceNode):
            inner = [
                (f"{prefix}{name}", child, child)
                for number, child in enumerate(node.value)
                for name in (number, *_part_names(child))
            ]
        else:
            continue
        for inner_place, key, child in inner:
            lines.setdefault(inner_place, key.start_mark.line + 1)
            pending.append((inner_place, child))
    return lines


def _part_names(node: Node) -> list[str]:
    """Return the name of the part that an element of a list is, if it is one."""
    if isinstance(node, yaml.ScalarNode):
        return [node.value]
    if isinstance(node, MappingNode):
        return [child.value for key, child in node.value if key.value == "use"]
    return []


class _PlanLoader(yaml.SafeLoader):
    """Loads plans; refuses what YAML would accept and nobody means.

    A safe loader: a plan never makes Python objects.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.depth = 0
        self.nodes = 0

    def compose_node(self, parent: Node | None, index: int) -> Node | None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise YAMLError(f"it is nested more than {MAX_DEPTH} deep")
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def construct_document(self, node: Node) -> Any:
        _check_size(node)
        return super().construct_document(node)

    def construct_object(self, node: Node, deep: bool = False) -> Any:
        content = None
        try:
            content = super().construct_object(node, deep)
        except ValueError:  # a number of thousands of digits, which Python does not read
            _fail(node, "is no number that can be read; put it in quotes if it is a text")
        # Written as an escape, such as "\\ud800": it can be neither printed nor stored.
        if isinstance(content, str) and (SURROGATE.search(content) or "\0" in content):
            _fail(node, "holds a character that is no text")
        return content

    def construct_mapping(self, node: MappingNode, deep: bool = False) -> dict[Any, Any]:
        line_by_key: dict[Any, int] = {}
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":  # `<<` may be given several times
                continue
            key, line = self.construct_object(key_node, deep=True), key_node.start_mark.line + 1
            if isinstance(key, Hashable) and key in line_by_key:
                raise ConstructorError(
                    problem=f"the key {key!r} stands in line {line_by_key[key]} and in line {line}"
                )
            if isinstance(key, Hashable):
                line_by_key[key] = line
        return super().construct_mapping(node, deep)


NUMBER = "-+.0123456789"
"""Characters that a number begins with."""
_PlanLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(NUMBERS_OF_YAML_1_1)]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for tag_name, pattern in (
    ("int", r"[-+]?(?:0|[1-9][0-9_]*)\Z"),
    ("float", r"[-+]?(?:(?:0|[1-9][0-9_]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?\Z"),
    ("float", r"[-+]?\.(?:inf|Inf|INF)\Z|\.(?:nan|NaN|NAN)\Z"),
):
    # The first that fits is taken, and a whole number would be a float too.
    _PlanLoader.add_implicit_resolver(
        f"tag:yaml.org,2002:{tag_name}", re.compile(pattern), list(NUMBER)
    )


def _fail(node: Node, problem: str) -> NoReturn:
    start = ascii(str(node.value)[:20])
    raise ConstructorError(problem=f"line {node.start_mark.line + 1}: {start} {problem}")


def _check_size(root: Node) -> None:
    """Raise YAMLError if the nodes below `root` are too many once aliases are unfolded."""
    # Without recursion, which an alias of itself would never end.
    pending, count = [root], 0
    while pending:
        node = pending.pop()
        count += 1
        if count > MAX_NODES:
            raise YAMLError(f"it unfolds to more than {MAX_NODES} values, which no plan has")
        if isinstance(node, yaml.SequenceNode):
            pending += node.value
        elif isinstance(node, MappingNode):
            pending += [inner for pair in node.value for inner in pair]
