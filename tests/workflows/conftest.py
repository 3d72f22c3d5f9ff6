"""Fixtures that the tests of stages share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from artcluster.workflows.housekeeping.status import unknown_names
from tests.workflows.experiments.tried import make_tried
from tests.workflows.jobs import STORES


@pytest.fixture(scope="session", autouse=True)
def known_folders() -> Iterator[None]:
    """Whatever the commands made, each folder of each store is in the layout's table."""
    yield
    local = {store.location.uri: store for store in STORES if store.location.is_local}
    unknown = {uri: unknown_names(each) for uri, each in local.items() if Path(uri).exists()}
    assert {uri: names for uri, names in unknown.items() if names} == {}


@pytest.fixture(scope="session")
def tried_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an embedded archive, made once a session; copy it where it shall change."""
    folder = tmp_path_factory.mktemp("tried")
    make_tried(folder)
    return folder
