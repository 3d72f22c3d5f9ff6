"""Fixtures that the tests of stages share."""

from pathlib import Path

import pytest

from tests.workflows.experiments.tried import make_tried


@pytest.fixture(scope="session")
def tried_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an embedded archive, made once a session; copy it where it shall change."""
    folder = tmp_path_factory.mktemp("tried")
    make_tried(folder)
    return folder
