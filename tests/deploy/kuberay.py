"""The fields that KubeRay's resources may have, written down from its API reference (1.7).

No package carries KubeRay's own definitions. What its pods may hold is Kubernetes' schema; the rest
is here, closed: a field that is not listed is a mistake, or is to be looked up and added.
"""

from typing import Any

import kubernetes_validate
from jsonschema import Draft202012Validator

KUBERNETES = "1.33"

_TEXT, _FLAG = {"type": "string"}, {"type": "boolean"}
_WHOLE = {"type": "integer", "minimum": 0}
_TEXTS = {"type": "object", "additionalProperties": _TEXT}
_POSITIVE = {"type": "integer", "minimum": 1}
_POD = {"type": "object", "required": ["spec"]}
_OBJECT, _LIST = {"type": "object"}, {"type": "array"}


def _closed(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


_GROUP = {"rayStartParams": _TEXTS, "template": _POD}
_HEAD = _closed(
    {
        **_GROUP,
        "enableIngress": _FLAG,
        "serviceType": {"enum": ["ClusterIP", "NodePort", "LoadBalancer"]},
    },
    "template",
)
_WORKERS = _closed(
    {
        **_GROUP,
        "groupName": {"type": "string", "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"},
        **dict.fromkeys(("replicas", "minReplicas", "maxReplicas", "numOfHosts"), _WHOLE),
        "idleTimeoutSeconds": _WHOLE,
        "suspend": _FLAG,
    },
    *("groupName", "template", "minReplicas", "maxReplicas"),
)
_CLUSTER = _closed(
    {
        "rayVersion": _TEXT,
        "suspend": _FLAG,
        "authOptions": _closed({"mode": {"enum": ["disabled", "token"]}, "secretName": _TEXT}),
        "enableInTreeAutoscaling": _FLAG,
        "autoscalerOptions": _closed(
            {
                "version": {"enum": ["v1", "v2"]},
                "idleTimeoutSeconds": _WHOLE,
                "upscalingMode": {"enum": ["Default", "Aggressive", "Conservative"]},
                "imagePullPolicy": {"enum": ["Always", "IfNotPresent", "Never"]},
                **dict.fromkeys(("resources", "securityContext"), _OBJECT),
                **dict.fromkeys(("env", "envFrom", "volumeMounts"), _LIST),
            }
        ),
        "headServiceAnnotations": _TEXTS,
        "headGroupSpec": _HEAD,
        "workerGroupSpecs": {"type": "array", "items": _WORKERS},
    },
    "headGroupSpec",
)
_JOB = _closed(
    {
        "entrypoint": _TEXT,
        "runtimeEnvYAML": _TEXT,
        "metadata": _TEXTS,
        "jobId": _TEXT,
        "submissionMode": {"enum": ["K8sJobMode", "HTTPMode", "InteractiveMode", "SidecarMode"]},
        "submitterPodTemplate": _POD,
        "submitterConfig": _closed({"backoffLimit": _WHOLE}),
        **dict.fromkeys(("backoffLimit", "ttlSecondsAfterFinished"), _WHOLE),
        **dict.fromkeys(("activeDeadlineSeconds", "preRunningDeadlineSeconds"), _POSITIVE),
        **dict.fromkeys(("shutdownAfterJobFinishes", "suspend"), _FLAG),
        "rayClusterSpec": _CLUSTER,
        "clusterSelector": _TEXTS,
    },
    "entrypoint",
)
_CRON_JOB = _closed(
    {"schedule": _TEXT, "timeZone": _TEXT, "suspend": _FLAG, "jobTemplate": _JOB},
    *("schedule", "jobTemplate"),
)
SPECS = {"RayCluster": _CLUSTER, "RayJob": _JOB, "RayCronJob": _CRON_JOB}


def validate(resource: dict[str, Any]) -> None:
    """Raise where a resource is not one that Kubernetes or KubeRay would take."""
    if not resource["apiVersion"].startswith("ray.io/"):
        kubernetes_validate.validate(resource, KUBERNETES, strict=True)
        return
    assert resource["apiVersion"] == "ray.io/v1"
    whole = _closed(
        {
            **dict.fromkeys(("apiVersion", "kind"), _TEXT),
            "metadata": {"type": "object", "required": ["name"]},
            "spec": SPECS[resource["kind"]],
        },
        *("metadata", "spec"),
    )
    Draft202012Validator(whole).validate(resource)
    for template in pod_templates(resource):
        kubernetes_validate.validate(
            {"apiVersion": "v1", "kind": "PodTemplate", "metadata": {"name": "x"}}
            | {"template": template},
            KUBERNETES,
            strict=True,
        )


def pod_templates(resource: dict[str, Any]) -> list[dict[str, Any]]:
    """Return every pod template of a resource, at whatever depth: a dict with containers."""
    found = []
    parts: list[Any] = [resource]
    while parts:
        part = parts.pop()
        if isinstance(part, list):
            parts += part
        elif isinstance(part, dict):
            if "containers" in part.get("spec", {}):
                found.append(part)
            parts += part.values()
    return found
