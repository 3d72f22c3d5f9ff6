"""Fixtures that several rooms' tests share."""

from collections.abc import Iterator

import pytest

from artcluster.executors.ray_executor import RayExecutor
from tests.azure_server import AzureServer, azurite
from tests.curated import curated as curated
from tests.ray_session import RayHead
from tests.s3_server import S3Server


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of a file in one process, and all that need Ray in another, begun first."""
    for item in items:
        group = "ray" if item.get_closest_marker("ray") else item.nodeid.split("::")[0]
        item.add_marker(pytest.mark.xdist_group(group))
    items.sort(key=lambda item: item.get_closest_marker("ray") is None)


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """A real S3 server: `s3.location()` is a fresh place on it, `s3.options` its credentials."""
    server = S3Server(tmp_path_factory.mktemp("s3"))
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="session")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AzureServer]:
    """A real server of Azure's blob protocol, where npm has installed it: `make azurite`."""
    program = azurite()
    if program is None:
        pytest.skip("Azurite is not installed: make azurite (needs npm)")
    server = AzureServer(program, tmp_path_factory.mktemp("azure"))
    yield server
    server.kill()


@pytest.fixture(scope="session")
def ray_executor() -> Iterator[RayExecutor]:
    """An executor on a Ray cluster of two CPUs and two logical GPUs, started once."""
    executor = RayExecutor(cpus=2, gpus=2, node_loss_grace_s=10)
    yield executor
    executor.close()


@pytest.fixture(scope="session")
def ray_head() -> Iterator[RayHead]:
    """A head with token authentication: `ray_head.submit(args)` returns exit code and output."""
    head = RayHead()
    head.start()
    yield head
    head.stop()
