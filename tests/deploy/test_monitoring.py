"""The dashboard and alerts speak of metrics that a job has, and of all of them."""

import json
import re
from pathlib import Path

import pytest
import yaml

from artcluster.runtime import progress as meters

FOLDER = Path(__file__).parents[2] / "deploy" / "monitoring"
EXPORTED = {
    f"ray_{meter.name}" + ("_total" if meter.kind == "counter" else ""): meter
    for meter in meters.ALL
}
_OURS = re.compile(r"ray_artcluster_\w+")


def expressions() -> list[str]:
    dashboard = json.loads((FOLDER / "grafana-dashboard.json").read_text())
    alerts = yaml.safe_load((FOLDER / "alerts.yaml").read_text())
    return [
        *(target["expr"] for panel in dashboard["panels"] for target in panel["targets"]),
        *(rule["expr"] for group in alerts["groups"] for rule in group["rules"]),
    ]


def test_what_is_asked_for_is_exported_and_all_of_it_is_shown() -> None:
    asked = {name for expression in expressions() for name in _OURS.findall(expression)}
    assert asked == set(EXPORTED)


def test_what_is_grouped_by_is_a_label() -> None:
    for expression in expressions():
        grouped = re.search(
            r"sum by \((\w+)\) \((?:rate|increase)?\(?(ray_artcluster_\w+)", expression
        )
        if grouped and grouped[1] != "SessionName":
            assert grouped[1] in EXPORTED[grouped[2]].labels, expression


def test_the_page_names_every_metric() -> None:
    page = (FOLDER / "README.md").read_text()
    assert set(_OURS.findall(page)) == set(EXPORTED)


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.yaml")), ids=lambda file: file.name)
def test_files_are_yaml(file: Path) -> None:
    assert yaml.safe_load(file.read_text())
