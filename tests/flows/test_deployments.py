"""Deployments in code and in `prefect.yaml`: both register the same."""

from pathlib import Path

import pytest
import yaml

from twister_loop.errors import ConfigError

pytest.importorskip("prefect")
pytestmark = pytest.mark.prefect

ROOT = Path(__file__).parents[2]


def test_prefect_yaml_declares_the_deployments_of_the_code(tmp_path: Path) -> None:
    from twister_loop.flows.deployments import deployments

    document = yaml.safe_load((ROOT / "prefect.yaml").read_text())
    assert document.keys() == {"pull", "definitions", "deployments"} and document["pull"] == []
    for in_file, in_code in zip(document["deployments"], deployments(tmp_path), strict=True):
        # No key may be left that this test does not compare.
        assert in_file.keys() <= {"name", "entrypoint", "work_pool", "triggers"}
        assert (in_file["name"], in_file["entrypoint"]) == (in_code.name, in_code.entrypoint)
        assert in_file["work_pool"].keys() == {"name", "job_variables"}
        assert in_file["work_pool"]["name"] == in_code.work_pool_name
        variables = in_file["work_pool"]["job_variables"]
        assert "working_dir" not in variables  # Prefect would import modules from that folder
        # The folder where `prefect deploy` or `twister deploy` was typed.
        environment = {**variables["env"], "TWISTER_WORKING_DIR": str(tmp_path)}
        assert variables["env"]["TWISTER_WORKING_DIR"] == "{{ $PWD }}"
        assert {**variables, "env": environment} == in_code.job_variables
        for declared_trigger, trigger in zip(
            in_file.get("triggers", []), in_code.triggers, strict=True
        ):
            assert type(trigger).model_validate(declared_trigger) == trigger


def test_an_experiment_becomes_the_default_and_gets_its_own_schedule(tmp_path: Path) -> None:
    from twister_loop.flows.deployments import deployments

    plan, run = tmp_path / "plan.yaml", tmp_path / "run"
    one_round, retrain, promote, _ = deployments(tmp_path, plan, run, "0 2 * * *")
    parameters = {"plan": str(plan), "run": str(run)}
    assert one_round.parameters == retrain.parameters == parameters
    assert promote.parameters == {"run": str(run)}
    [schedule] = retrain.schedules or []
    assert schedule.parameters == parameters and schedule.slug
    assert not one_round.schedules
    with pytest.raises(ConfigError, match=r"--cron '61 2 . . .' is not a valid cron schedule"):
        deployments(tmp_path, plan, run, "61 2 * * *")


def test_relative_paths_are_relative_to_the_working_directory_of_a_deployment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from twister_loop.flows.working_directory import VARIABLE, from_working_directory

    assert from_working_directory("runs/mine") == Path("runs/mine")
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    assert from_working_directory("runs/mine") == tmp_path / "runs/mine"
    assert from_working_directory("/runs/mine") == Path("/runs/mine")


def test_workers_find_the_parts_of_the_one_who_deployed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from twister_loop.core.part_origins import VARIABLE
    from twister_loop.flows.deployments import deployments

    monkeypatch.setenv(VARIABLE, str(tmp_path / "parts"))
    for deployment in deployments(tmp_path):
        assert deployment.job_variables["env"][VARIABLE] == str(tmp_path / "parts")
    monkeypatch.delenv(VARIABLE)
    assert all(VARIABLE not in one.job_variables["env"] for one in deployments(tmp_path))
