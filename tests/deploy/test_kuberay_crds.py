"""The manifests fit the custom resource definitions of KubeRay's repository.

They are read from the folder that ARTCLUSTER_KUBERAY_CRDS names, and are no part of this project.
"""

import copy
import os
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tests.deploy.places import OVERLAYS, built

FOLDER = "ARTCLUSTER_KUBERAY_CRDS"
pytestmark = pytest.mark.skipif(FOLDER not in os.environ, reason=f"{FOLDER} names no folder")


def strict(schema: Any) -> Any:
    """Refuse unknown fields, and say in JSON Schema's words what Kubernetes says in its own."""
    if isinstance(schema, list):
        return [strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    found = {
        name: {key: strict(each) for key, each in value.items()}
        if name == "properties"
        else strict(value)
        for name, value in schema.items()
        if name != "format"
    }
    open_ended = schema.get("x-kubernetes-preserve-unknown-fields")
    if "properties" in found and "additionalProperties" not in found and not open_ended:
        found["additionalProperties"] = False
    if schema.get("x-kubernetes-int-or-string"):
        found.pop("anyOf", None)
        found["type"] = ["integer", "string"]
    if schema.get("nullable") and isinstance(found.get("type"), str):
        found["type"] = [found["type"], "null"]
    return found


@cache
def schemas() -> dict[tuple[str, str], dict[str, Any]]:
    """Return the schemas by apiVersion and kind."""
    found = {}
    for file in Path(os.environ[FOLDER]).glob("*.yaml"):
        spec = yaml.safe_load(file.read_text())["spec"]
        for version in spec["versions"]:
            if version["served"]:
                schema = strict(version["schema"]["openAPIV3Schema"])
                schema["properties"]["metadata"] = {"type": "object"}
                found[f"{spec['group']}/{version['name']}", spec["names"]["kind"]] = schema
    return found


def errors(resource: dict[str, Any]) -> list[str]:
    schema = schemas()[resource["apiVersion"], resource["kind"]]
    found = jsonschema.Draft202012Validator(schema).iter_errors(resource)
    return [f"{error.json_path}: {error.message}" for error in found]


@pytest.mark.parametrize("overlay", sorted(path.name for path in OVERLAYS.iterdir()))
def test_kuberays_resources_fit(overlay: str) -> None:
    for resource in built(OVERLAYS / overlay):
        if resource["apiVersion"].startswith("ray.io/"):
            assert errors(resource) == []


def test_each_slip_is_found() -> None:
    (_, cluster) = built(OVERLAYS / "ray-cluster")
    wrong = copy.deepcopy(cluster)
    wrong["spec"]["enableInTreeAutoscalin"] = True
    wrong["spec"]["autoscalerOptions"]["version"] = "v3"
    pod = wrong["spec"]["workerGroupSpecs"][0]["template"]["spec"]
    pod["containers"][0]["imag"] = "none"
    assert len(errors(wrong)) == 3
