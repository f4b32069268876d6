"""What a run came to, in the forms that other tools read: weights, data, figures, curves."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from ...core.errors import ConfigError
from ...pipeline.run_folder import RunFolder
from ..summary import summarize
from . import data, metrics, model

__all__ = ["export"]


def export(
    run: Path,
    folder: Path,
    *,
    ctranslate2: bool = False,
    with_data: bool = False,
    license: str | None = None,
) -> Iterator[str]:
    """Write the champion and the figures of a run into a new folder, and say what was written.

    folder/
    ├── model/          a transformers folder with its card
    ├── ctranslate2/    the same weights for CTranslate2, where asked for and found alike
    ├── data/           what it was trained on, as `datasets` reads it, where asked for
    ├── metrics.csv  metrics.json
    └── tensorboard/    training curves and error rates

    Raises:
        ConfigError: there is no run, or the folder is not empty.
        EngineError: CTranslate2 hears otherwise with these weights.
    """
    ledger = RunFolder.read(run)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(f"{folder}: not empty; name another folder")
    folder.mkdir(parents=True, exist_ok=True)
    summary = summarize(run)
    champion = ledger.champion_folder
    if champion is None:
        yield "model: none, for no candidate was accepted; the champion is the untouched model"
    else:
        yield model.write(champion, summary, folder / "model", license)
        if ctranslate2:
            yield model.write_ctranslate2(champion, folder / "ctranslate2")
        if with_data:
            yield data.write(champion, folder / "data")
    yield metrics.write(summary, folder)
    if find_spec("tensorboard"):
        from . import curves

        yield curves.write(run, summary, folder / "tensorboard")
    else:
        yield "tensorboard: not written; it needs pip install 'twister-loop[export]'"
