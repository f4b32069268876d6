"""One browser for the tests of a module."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.serving import CHROMIUM


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as tool:
        options = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
        browser = tool.chromium.launch(executable_path=CHROMIUM, args=options)
        yield browser
        browser.close()
