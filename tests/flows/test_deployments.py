"""What is deployed is said twice, in code and in a file, and both say the same."""

from pathlib import Path

import pytest
import yaml

from twister_loop import ConfigError

pytest.importorskip("prefect")
pytestmark = pytest.mark.prefect

ROOT = Path(__file__).parents[2]


def test_prefect_yaml_declares_what_the_code_deploys(tmp_path: Path) -> None:
    from twister_loop.flows.deployments import deployments

    written = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
    for file, code in zip(written, deployments(tmp_path), strict=True):
        assert (file["name"], file["entrypoint"]) == (code.name, code.entrypoint)
        assert file["work_pool"]["name"] == code.work_pool_name
        variables = {**file["work_pool"]["job_variables"], "working_dir": str(tmp_path)}
        assert variables == code.job_variables
        for one, other in zip(file.get("triggers", []), code.triggers, strict=True):
            same = {**one, "match": {"prefect.resource.id": one["match"]["prefect.resource.id"]}}
            assert type(other).model_validate(same) == other.model_copy(
                update={"parameters": one["parameters"]}
            )
            assert other.parameters == one["parameters"]


def test_an_experiment_becomes_the_default_and_gets_its_own_schedule(tmp_path: Path) -> None:
    from twister_loop.flows.deployments import deployments

    plan, run = tmp_path / "plan.yaml", tmp_path / "run"
    one_round, retrain, promote, _ = deployments(tmp_path, plan, run, "0 2 * * *")
    both = {"plan": str(plan), "run": str(run)}
    assert one_round.parameters == retrain.parameters == both
    assert promote.parameters == {"run": str(run)}
    [schedule] = retrain.schedules or []
    assert schedule.parameters == both and schedule.slug
    assert not one_round.schedules
    with pytest.raises(ConfigError, match=r"--cron '61 2 . . .': no schedule"):
        deployments(tmp_path, plan, run, "61 2 * * *")
