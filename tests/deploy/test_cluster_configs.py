"""Each cluster config is one that `ray up` takes, asks for a token and reports to nobody."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import ray.autoscaler
import yaml
from ray.autoscaler._private.util import prepare_config, validate_config

from tests.deploy.places import ROOT

FOLDER = ROOT / "cluster_configs"
CONFIGS = sorted(FOLDER.glob("*.yaml"))
STARTS = ("head_start_ray_commands", "worker_start_ray_commands")
each = pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)


def config(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(path.read_text())
    return loaded


def starts(path: Path) -> list[str]:
    found = config(path)
    return [line for name in STARTS for line in found[name] if "ray start" in line]


def test_all_kinds_are_there() -> None:
    stems = {path.stem for path in CONFIGS}
    assert stems == {"local", "gpu-machine", "on-premises", "aws", "gcp"}


@each
def test_it_fits_the_schema_that_ray_ships(path: Path) -> None:
    schema = Path(ray.autoscaler.__file__).parent / "ray-schema.json"
    jsonschema.validate(config(path), json.loads(schema.read_text()))


@each
def test_ray_up_takes_it(path: Path) -> None:
    """With Ray's defaults filled in, as `ray up` does before it asks a provider for machines."""
    validate_config(prepare_config(config(path)))


def test_a_misspelt_field_is_found() -> None:
    wrong = config(FOLDER / "aws.yaml") | {"max_worker": 3}
    with pytest.raises(jsonschema.ValidationError):
        validate_config(prepare_config(wrong))


@each
def test_ray_starts_with_a_token_a_dashboard_for_this_machine_and_no_telemetry(path: Path) -> None:
    lines = starts(path)
    assert lines
    for line in lines:
        assert "RAY_AUTH_MODE=token" in line
        assert "--disable-usage-stats" in line
        if "--head" in line:
            assert "--dashboard-host=127.0.0.1" in line


@pytest.mark.parametrize("name", ["local", "gpu-machine"])
def test_a_cluster_of_one_machine_is_on_the_loopback_interface(name: str) -> None:
    (line,) = starts(FOLDER / f"{name}.yaml")
    assert "--node-ip-address=127.0.0.1" in line
    assert "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER=0" in line


@each
def test_what_it_installs_is_there_and_pinned(path: Path) -> None:
    found = config(path)
    lines = [*found["setup_commands"], *found.get("head_setup_commands", [])]
    if path.stem != "local":
        assert found["file_mounts"]["~/artcluster"] == "."
        assert any("~/artcluster/deploy/install.sh ~/artcluster-env" in line for line in lines)
        assert (ROOT / "deploy" / "install.sh").stat().st_mode & 0o111
    for line in lines:
        if "pip install" in line:
            assert "==" in line


@each
def test_it_says_what_machines_it_takes_and_what_to_change(path: Path) -> None:
    head = path.read_text().partition("cluster_name:")[0]
    assert "Machines:" in head
    assert "Change:" in head


@pytest.mark.parametrize("name", ["aws", "gcp"])
def test_clouds_have_spot_workers_in_two_groups_that_grow(name: str) -> None:
    found = config(FOLDER / f"{name}.yaml")
    groups = dict(found["available_node_types"])
    assert groups.pop(found["head_node_type"])["resources"] == {"CPU": 0}
    assert {group for group, node in groups.items() if "GPU" in node["resources"]} == {"gpu"}
    for node in groups.values():
        assert node["max_workers"] > node["min_workers"]
        assert "spot" in json.dumps(node["node_config"]).lower()
    assert found["max_workers"] == sum(node["max_workers"] for node in groups.values())
