"""What `kubectl apply -k` would send fits the schemas, and pods may do no more than they need."""

import copy
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import ray

from artcluster import __version__
from tests.deploy.kuberay import pod_templates, validate
from tests.deploy.places import OVERLAYS, ROOT, built

KINDS = {
    "nightly-pod": ["CronJob", "CronJob"],
    "nightly-ray": ["CronJob", "NetworkPolicy", "RayCronJob"],
    "ray-cluster": ["NetworkPolicy", "RayCluster"],
    "ray-job": ["NetworkPolicy", "RayJob"],
    "museum": ["CronJob", "NetworkPolicy", "RayCronJob"],
}
everywhere = pytest.mark.parametrize("overlay", sorted(KINDS))


@everywhere
def test_every_resource_fits_its_schema(overlay: str) -> None:
    resources = built(OVERLAYS / overlay)
    assert sorted(resource["kind"] for resource in resources) == KINDS[overlay]
    for resource in resources:
        validate(resource)


def test_every_overlay_is_looked_at() -> None:
    assert {path.name for path in OVERLAYS.iterdir()} == KINDS.keys()


def test_a_misspelt_field_is_found() -> None:
    """At each depth: KubeRay's own, a pod's, a CronJob's."""
    (_, cluster) = built(OVERLAYS / "ray-cluster")
    for place in ([], ["headGroupSpec"], ["headGroupSpec", "template", "spec"]):
        wrong = copy.deepcopy(cluster)
        part: Any = wrong["spec"]
        for name in place:
            part = part[name]
        part["replica"] = 1
        with pytest.raises((jsonschema.ValidationError, kubernetes_validate.ValidationError)):
            validate(wrong)


@everywhere
def test_pods_are_locked_down(overlay: str) -> None:
    for resource in built(OVERLAYS / overlay):
        for template in pod_templates(resource):
            pod = template["spec"]
            assert template["metadata"]["labels"]["app"] == "artcluster"
            assert pod["securityContext"]["runAsNonRoot"] is True
            assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
            (container,) = pod["containers"]
            assert container["securityContext"]["allowPrivilegeEscalation"] is False
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
            assert {"cpu", "memory"} <= container["resources"]["requests"].keys()
            assert container["image"].rpartition(":")[2] == __version__
            if container["name"] != "ray-head":  # The autoscaler beside it starts workers.
                assert pod["automountServiceAccountToken"] is False
            # A secret's name, never its content.
            for entry in container.get("env", []):
                assert not {"key", "secret", "token", "password"} & set(
                    entry["name"].lower().split("_")
                )


def clusters(overlay: str) -> list[dict[str, Any]]:
    found = []
    for resource in built(OVERLAYS / overlay):
        spec = resource["spec"]
        if resource["kind"] == "RayCluster":
            found.append(spec)
        elif resource["kind"].startswith("Ray"):
            found.append(spec.get("jobTemplate", spec)["rayClusterSpec"])
    return found


@pytest.mark.parametrize("overlay", ["nightly-ray", "ray-cluster", "ray-job", "museum"])
def test_ray_clusters_ask_for_a_token_and_report_to_nobody(overlay: str) -> None:
    (cluster,) = clusters(overlay)
    assert cluster["rayVersion"] == ray.__version__
    assert cluster["authOptions"] == {"mode": "token", "secretName": "artcluster-ray"}
    assert cluster["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        (container,) = group["template"]["spec"]["containers"]
        assert {"name": "RAY_USAGE_STATS_ENABLED", "value": "0"} in container["env"]
        assert container["envFrom"] == [{"secretRef": {"name": "artcluster"}}]


def test_gpu_workers_are_a_group_of_their_own() -> None:
    (cluster,) = clusters("museum")
    cpu, gpu = cluster["workerGroupSpecs"]
    assert (cpu["minReplicas"], gpu["minReplicas"]) == (0, 1)
    (worker,) = gpu["template"]["spec"]["containers"]
    assert worker["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert "artcluster-cuda" in worker["image"]
    (ordinary,) = cpu["template"]["spec"]["containers"]
    assert "nvidia.com/gpu" not in ordinary["resources"]["limits"]


def test_a_volume_reaches_every_pod_that_works(tmp_path: Path) -> None:
    """Components that no overlay combines: built as a user's own overlay would."""
    own = tmp_path / "own"
    own.mkdir()
    there = Path("..", *[".."] * (len(tmp_path.parts) - 1), *ROOT.parts[1:], "deploy", "kubernetes")
    (own / "kustomization.yaml").write_text(f"""
kind: Kustomization
resources: [{there}/base/ray, {there}/base/update]
components: [{", ".join(f"{there}/components/{name}" for name in ("volume", "gpu", "ray-job"))}]
""")
    resources = built(own)
    assert [resource["kind"] for resource in resources].count("PersistentVolumeClaim") == 1
    mounted = 0
    for resource in resources:
        validate(resource)
        for template in pod_templates(resource):
            (container,) = template["spec"]["containers"]
            if container["name"] != "ray-job-submitter":
                assert {"name": "data", "mountPath": "/data"} in container["volumeMounts"]
                mounted += 1
    assert mounted == 4  # The head, two groups of workers, the nightly pod.
