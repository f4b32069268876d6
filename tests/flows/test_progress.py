"""Progress artifact of a long stage, on a real temporary server."""

import shutil
from pathlib import Path

import pytest

from twister_loop import load, next_round

pytest.importorskip("prefect")
pytestmark = pytest.mark.prefect


def test_a_long_stage_has_a_progress_artifact(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from prefect import flow
    from prefect.artifacts import Artifact
    from prefect.client.orchestration import get_client
    from prefect.testing.utilities import prefect_test_harness

    from twister_loop.flows import progress

    run = tmp_path / "run"
    next_round(load(world), run)
    round_folder = run / "round-01"
    shutil.rmtree(round_folder / "verdict")
    # A hidden folder is what a stage in progress looks like.
    work = (round_folder / "pseudo_labels").rename(round_folder / ".pseudo_labels")
    monkeypatch.setattr(progress, "UPDATE_INTERVAL", 0.05)

    @flow
    def long_flow() -> None:
        with progress.progress_artifact(round_folder / "pseudo_labels"):
            manifest = work / "manifest.jsonl"
            lines = manifest.read_text().splitlines(keepends=True)
            manifest.write_text(lines[0])
            for _ in range(200):
                if read_progress_artifacts():
                    break

    def read_progress_artifacts() -> list[Artifact]:
        with get_client(sync_client=True) as client:
            artifacts = client.read_artifacts()
        return [artifact for artifact in artifacts if artifact.type == "progress"]

    with prefect_test_harness(server_startup_timeout=120):
        long_flow()
        [last] = [a for a in read_progress_artifacts() if a.data == 100.0]
        assert last.description == "round-01/pseudo_labels, of 3 utterances"
