"""What the page of a run carries, for tests."""

import gzip
import json
import re
from base64 import b64decode
from pathlib import Path
from typing import Any


def carried(run: Path) -> list[dict[str, Any]]:
    """The rounds that the page of a run carries, unpacked."""
    [packed] = re.findall(r'id="data">(.*?)<', (run / "index.html").read_text())
    rounds: list[dict[str, Any]] = json.loads(gzip.decompress(b64decode(packed)))["rounds"]
    return rounds
