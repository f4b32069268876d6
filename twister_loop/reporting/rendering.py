"""Rendering of HTML pages and of the model card: the only module that imports jinja2."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment


def render(template: str, **context: Any) -> str:
    """Fill in a template of this package.

    Values in `.html` templates are escaped: transcripts, names of sets and names of runs are
    untrusted and must never become markup.

    Args:
        template: Name of a file in `templates/`.
        context: Values of the template's variables. A variable without a value is an error.

    >>> render("page.html", title="<b>").splitlines()[7]
    '<title>&lt;b&gt;</title>'
    """
    return _environment().get_template(template).render(**context)


@cache
def _environment() -> Environment:
    # Importing jinja2 takes 50 ms, which `twister --help` need not wait for.
    from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

    environment = Environment(
        loader=PackageLoader("twister_loop.reporting"),
        # Everything is escaped unless it is Markdown, in which `&lt;` would be read as text.
        autoescape=select_autoescape(disabled_extensions=("md",), default=True),
        # A misspelled variable should fail a test and not leave a gap in the page.
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["cell"] = _escape_cell
    return environment


def _escape_cell(text: str) -> str:
    r"""Escape a text for a cell of a Markdown table.

    >>> _escape_cell("dev|new <b>")
    'dev\\|new \\<b>'
    """
    return re.sub(r"([\\|<])", r"\\\1", " ".join(text.split()))
