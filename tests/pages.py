"""Reading of a run's page, for tests."""

import gzip
import json
import re
from base64 import b64decode
from pathlib import Path
from typing import Any


def rounds_of_page(run: Path) -> list[dict[str, Any]]:
    """Return the rounds that the page of a run contains."""
    [compressed] = re.findall(r'id="data">(.*?)<', (run / "index.html").read_text())
    rounds: list[dict[str, Any]] = json.loads(gzip.decompress(b64decode(compressed)))["rounds"]
    return rounds
