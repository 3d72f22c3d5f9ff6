"""Fixtures that several rooms' tests share."""

import os
import signal
from collections.abc import Iterator

# Before anything imports torch, for this process and those it starts: two processes test at once.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# UMAP's code is interpreted: compiling it takes a minute, and the maps here have some dozen points.
os.environ.setdefault("NUMBA_DISABLE_JIT", "1")

import pytest
from hypothesis import settings

from artcluster.executors.ray.executor import RayExecutor
from tests.absent import absent
from tests.azure_server import AzureServer, azurite
from tests.clip import TinyClip, make_tiny_clip
from tests.curated import curated as curated
from tests.ray_session import RayHead
from tests.s3_server import S3Server

# A shell's background job ignores Ctrl-C, and so would all that the tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example takes says nothing of whether it is right.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


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
        absent("Azurite (make azurite, needs npm)")
    server = AzureServer(program, tmp_path_factory.mktemp("azure"))
    yield server
    server.kill()


@pytest.fixture(scope="session")
def tiny_clip(tmp_path_factory: pytest.TempPathFactory) -> TinyClip:
    """A tiny CLIP of random weights, and a checkpoint of it."""
    return make_tiny_clip(tmp_path_factory.mktemp("clip"))


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
