import dataclasses
import json
from typing import Any

import pytest

from artcluster.embedders.contract import Contract
from artcluster.errors import UsageError

CONTRACT = Contract(
    name="timm:vit_tiny/16",
    network="timm:vit_tiny/16",
    dim=192,
    input_px=(224, 160),
    mean=(0.5, 0.5, 0.5),
    std=(0.25, 0.25, 0.25),
    fit="squash",
    pixel_policy_id="pixels-1",
    weights_sha256="ab" * 32,
    origin="a file",
)


def test_id_is_path_safe_and_pinned() -> None:
    """Pinned: another id for the same contract would orphan every archive embedded so far."""
    assert CONTRACT.embedder_id == "timm.vit_tiny.16-041fc2ec13af"


@pytest.mark.parametrize(
    "change",
    [
        {"name": "other"},
        {"network": "other"},
        {"dim": 193},
        {"input_px": (160, 224)},
        {"mean": (0.5, 0.5, 0.4)},
        {"std": (0.25, 0.25, 0.2)},
        {"fit": "crop"},
        {"pixel_policy_id": "pixels-2"},
        {"weights_sha256": "cd" * 32},
        {"precision": "bfloat16"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_all_that_decides_a_vector_changes_the_id(change: dict[str, Any]) -> None:
    other = dataclasses.replace(CONTRACT, **change)
    assert other.embedder_id != CONTRACT.embedder_id
    assert other != CONTRACT


def test_the_weights_origin_is_told_but_is_not_the_identity() -> None:
    moved = dataclasses.replace(CONTRACT, origin="another place")
    assert moved == CONTRACT
    assert moved.embedder_id == CONTRACT.embedder_id
    assert json.loads(moved.to_json())["origin"] == "another place"


def test_json_round_trip() -> None:
    back = Contract.from_json(CONTRACT.to_json())
    assert back == CONTRACT
    assert back.origin == CONTRACT.origin
    assert back.embedder_id == CONTRACT.embedder_id


def test_contracts_of_other_versions_are_refused() -> None:
    with pytest.raises(UsageError, match="revision 99"):
        dataclasses.replace(CONTRACT, revision=99)
    with pytest.raises(UsageError, match="int8"):
        dataclasses.replace(CONTRACT, precision="int8")
    values = json.loads(CONTRACT.to_json())
    del values["fit"]
    with pytest.raises(UsageError, match="must have the fields"):
        Contract.from_json(json.dumps(values))
