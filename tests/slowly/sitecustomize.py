"""Python imports this at its start where this folder is on the path: training waits to be killed.

While `RUN.hold` lies beside a run folder, the toy recognizer does not go on; the number of the
process that waits is written to `RUN.pid`.
"""

import os
import time
from pathlib import Path
from typing import Any

from twister_loop.asr import toy

learn = toy.ToyRecognizer.train


def held(self: Any, start: Any, lesson: Any, out: Path, *rest: Any) -> Any:
    run = out.absolute().parents[1]
    if run.with_suffix(".hold").exists():
        run.with_suffix(".pid").write_text(str(os.getpid()))
    while run.with_suffix(".hold").exists():
        time.sleep(0.05)
    return learn(self, start, lesson, out, *rest)


toy.ToyRecognizer.train = held  # type: ignore[method-assign]
