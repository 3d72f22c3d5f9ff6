"""The tables by the libraries that people use: no special reader needed."""

from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pytest
from deltalake import DeltaTable

from artcluster.runtime.progress import Silent
from artcluster.store import Store
from artcluster.store.views import read_view
from artcluster.workflows.clustering.cluster import cluster_archive
from artcluster.workflows.embedding.embed import embed_archive
from artcluster.workflows.housekeeping.vacuum import vacuum_store
from tests.azure_server import AzureServer
from tests.s3_server import S3Server
from tests.workflows.jobs import copy_pictures, make_job


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("readers")
    copy_pictures(folder / "images", 8)
    embed_archive(make_job(folder / "store"), str(folder / "images"))
    cluster_archive(make_job(folder / "store", cluster__method="kmeans", cluster__k=2), None)
    return folder / "store"


def test_embeddings_are_plain_lists_of_float32(store: Path) -> None:
    files = f"{store}/embeddings/embedder_id=*/*.parquet"
    kinds = duckdb.sql(f"select distinct typeof(embedding) from '{files}'").fetchall()
    assert kinds == [("FLOAT[]",)]
    for frame in (pl.read_parquet(files), pl.scan_delta(str(store / "embeddings")).collect()):
        assert frame.schema["embedding"] == pl.List(pl.Float32)
        assert frame["content_id"].n_unique() == len(frame) == 8
    for dataset in (
        ds.dataset(store / "embeddings", partitioning="hive", exclude_invalid_files=True),
        DeltaTable(str(store / "embeddings")).to_pyarrow_dataset(),
    ):
        assert dataset.schema.field("embedding").type == pa.list_(pa.float32())
        assert dataset.count_rows() == 8


def test_the_latest_view_joins_images_and_clusters(store: Path) -> None:
    frame = read_view(Store.open(store), "latest", "polars")
    assert len(frame) == 8
    assert set(frame["cluster"].to_list()) == {0, 1}


@pytest.mark.s3
@pytest.mark.parametrize("cloud", ["s3", "azure"])
def test_archive_and_store_on_object_storage(
    tmp_path: Path, cloud: str, request: pytest.FixtureRequest
) -> None:
    server: S3Server | AzureServer = request.getfixturevalue(cloud)
    place = server.location()
    images = place.child("images")
    target = images.objects()
    for copy in copy_pictures(tmp_path / "images", 8):
        target.put(f"a folder/{copy.name}", copy.read_bytes())
    settings = {
        "archive__options": dict(server.options),
        "store__options": dict(server.options),
        "cluster__method": "kmeans",
        "cluster__k": 2,
    }
    store = Store.open(place.child("store"), create=True)
    first = embed_archive(make_job(store, **settings), images.uri)
    assert (first.images, first.embedded) == (8, 8)
    again = embed_archive(make_job(store, **settings), images.uri)
    assert again.embedded == 0
    done = cluster_archive(make_job(store, **settings), None)
    assert sum(done.sizes.values()) == 8
    assert len(read_view(store, "latest", "arrow")) == 8
    cleaned = make_job(store, vacuum__merge_files=2, **settings)
    vacuum_store(store, cleaned.config, Silent(), dry=False)
    assert len(read_view(store, "latest", "arrow")) == 8
    for text in store.table("runs").read(["config"])["config"].to_pylist():
        assert server.secret not in text
