"""Export of a run in the formats that other tools read: weights, data, error rates, curves."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from ...core.errors import ConfigError
from ...core.terminal import printable
from ...pipeline.run_folder import RunFolder
from ..summary import summarize
from . import data, metrics, model

__all__ = ["export"]


def export(
    run: Path | str,
    folder: Path | str,
    *,
    ctranslate2: bool = False,
    with_data: bool = False,
    license: str | None = None,
) -> Iterator[str]:
    """Export the champion and all error rates of a run into a new folder.

    folder/
    ├── model/          Hugging Face folder of the champion, with its model card
    ├── ctranslate2/    the same weights for CTranslate2, if wanted and equal in a trial
    ├── data/           the champion's training data for `datasets`, if wanted
    ├── metrics.csv  metrics.json
    └── tensorboard/    training curves and error rates

    Args:
        run: Folder of the run.
        folder: A folder that is empty or does not exist.
        ctranslate2: Whether to convert the weights for CTranslate2, too.
        with_data: Whether to copy the training data, too.
        license: License of the weights, as an SPDX identifier.

    Yields:
        A line for each part that was written, or why it was not.

    Raises:
        ConfigError: There is no run, or the folder is not empty.
        EngineError: CTranslate2 transcribes differently with these weights.
    """
    run_folder, folder = RunFolder.read(run), Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(f"{folder}: not empty; name another folder")
    folder.mkdir(parents=True, exist_ok=True)
    summary = summarize(run)
    # The champion is exported and not the newest candidate, which may have been refused.
    champion = run_folder.champion_folder
    if champion is None:
        yield "model: none, because no candidate was accepted: the champion is the untouched model"
    else:
        yield model.export_model(champion, summary, folder / "model", license)
        if ctranslate2:
            yield model.export_ctranslate2(champion, folder / "ctranslate2")
        if with_data:
            yield data.export_training_data(champion, folder / "data")
    yield metrics.export_metrics(summary, folder)
    if not find_spec("tensorboard"):
        yield "tensorboard: not written, because it needs pip install 'twister-loop[export]'"
    elif printable(str(folder)) != str(folder):
        yield "tensorboard: not written, because it needs a folder whose name is UTF-8"
    else:
        from . import curves  # tensorboard takes seconds to import

        yield curves.export_curves(run_folder.path, summary, folder / "tensorboard")
