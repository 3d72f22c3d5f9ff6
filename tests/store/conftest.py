from collections.abc import Iterator

import pytest

from artcluster.location import Location
from artcluster.store import Store
from tests.s3_server import S3Server


@pytest.fixture(params=["local", "s3"])
def place(request: pytest.FixtureRequest, tmp_path) -> Iterator[Location]:
    """A fresh place, on a disk with an awkward name and on a real S3 server."""
    if request.param == "local":
        yield Location.parse(tmp_path / "the store ü #1 100%")
    else:
        server: S3Server = request.getfixturevalue("s3")
        yield server.location()


@pytest.fixture
def store(place: Location) -> Store:
    return Store.open(place, create=True)


@pytest.fixture
def local_store(tmp_path) -> Store:
    return Store.open(tmp_path / "store", create=True)
