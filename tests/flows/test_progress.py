"""A long stage tells Prefect how far it is: a real server, ephemeral."""

import shutil
from pathlib import Path

import pytest

from twister_loop import load, next_round

pytest.importorskip("prefect")
pytestmark = pytest.mark.prefect


def test_a_stage_that_takes_long_has_a_progress_artifact(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from prefect import flow
    from prefect.artifacts import Artifact
    from prefect.client.orchestration import get_client
    from prefect.testing.utilities import prefect_test_harness

    from twister_loop.flows import progress

    run = tmp_path / "run"
    next_round(load(world), run)
    at = run / "round-01"
    shutil.rmtree(at / "verdict")
    work = (at / "pseudo_labels").rename(at / ".pseudo")
    monkeypatch.setattr(progress, "EVERY", 0.05)

    @flow
    def long() -> None:
        with progress.shown(at / "pseudo_labels"):
            manifest = work / "manifest.jsonl"
            whole = manifest.read_text().splitlines(keepends=True)
            manifest.write_text(whole[0])
            for _ in range(200):
                if seen():
                    break

    def seen() -> list[Artifact]:
        with get_client(sync_client=True) as client:
            found = client.read_artifacts()
        return [each for each in found if each.type == "progress"]

    with prefect_test_harness(server_startup_timeout=120):
        long()
        [last] = [each for each in seen() if each.data == 100.0]
        assert last.description == "round-01/pseudo, of 3 utterances"
