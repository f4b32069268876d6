"""YAML of plans, read safely: the only door to yaml."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import yaml
from yaml import MappingNode, YAMLError
from yaml.constructor import ConstructorError

__all__ = ["YAMLError", "dump_yaml", "parse_yaml"]


def parse_yaml(text: str) -> Any:
    """Parse YAML; a key that stands twice in one mapping is an error.

    Raises:
        YAMLError: The text is not valid YAML, or a key stands twice.

    >>> parse_yaml("gates: [retention]")
    {'gates': ['retention']}
    """
    return yaml.load(text, _UniqueKeyLoader)


def dump_yaml(content: Mapping[str, Any]) -> str:
    """Return the content as YAML, with the keys in their order."""
    return str(yaml.safe_dump(content, allow_unicode=True, sort_keys=False))


class _UniqueKeyLoader(yaml.SafeLoader):
    """Refuses a key that stands twice, of which YAML would silently take the last.

    A safe loader: a plan never makes Python objects.
    """

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
