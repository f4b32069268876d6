"""Working directory of deployments: relative paths in flow parameters are relative to it.

Prefect's own job variable `working_dir` is not used for this. Prefect puts that folder first on the
module path of a flow run, so a file `twister_loop.py` in it would be imported instead of this
package (seen with Prefect 3.8.8; PYTHONSAFEPATH does not prevent it). Without the job variable
Prefect starts every flow run in a new, empty folder.
"""

from __future__ import annotations

import os
from pathlib import Path

VARIABLE = "TWISTER_WORKING_DIR"


def from_working_directory(path: str) -> Path:
    """Return the path of a flow parameter; an absolute one is returned as it is.

    Outside of a deployment the variable is not set, and paths are relative to the process.
    """
    return Path(os.environ.get(VARIABLE, ""), path)
