import json
import pickle
from concurrent.futures import ThreadPoolExecutor

import pytest

from artcluster.errors import StoreError
from artcluster.location import Location
from artcluster.schema import FORMAT_VERSION
from artcluster.store import Store, format


def test_a_store_is_found_again(place):
    made = Store.open(place, create=True)
    assert Store.open(place).store_id == made.store_id
    assert Store.open(place, create=True).store_id == made.store_id
    assert pickle.loads(pickle.dumps(made)).read_bytes("store.json")


def test_creators_at_once_agree_on_one_store(place):
    with ThreadPoolExecutor(8) as pool:
        opened = list(pool.map(lambda _: Store.open(place, create=True).store_id, range(8)))
    assert len(set(opened)) == 1


def test_a_place_without_a_store_is_told_apart(place):
    with pytest.raises(StoreError, match=r"no such folder|not a store"):
        Store.open(place)
    place.objects(create=True).put("pictures/a.jpg", b"x")
    with pytest.raises(StoreError, match="not a store"):
        Store.open(place)
    with pytest.raises(StoreError, match="is not empty \\(pictures"):
        Store.open(place, create=True)


def test_a_file_is_no_store(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="is a file"):
        Store.open(tmp_path / "file", create=True)


def test_a_newer_format_asks_for_an_upgrade(store):
    mark = json.loads(store.read_bytes("store.json"))
    mark["format_version"] = FORMAT_VERSION + 1
    store.write_bytes("store.json", json.dumps(mark).encode())
    with pytest.raises(StoreError, match="Upgrade artcluster"):
        Store.open(store.location)


@pytest.mark.parametrize("text", [b"", b"{}", b'{"store_id": "x", "format_version": "new"}', b"[]"])
def test_a_broken_mark_is_named(local_store, text):
    local_store.write_bytes("store.json", text)
    with pytest.raises(StoreError, match=r"store\.json"):
        Store.open(local_store.location, create=True)


def test_an_older_format_is_migrated_step_by_step(local_store, monkeypatch):
    steps = []
    monkeypatch.setattr(format, "FORMAT_VERSION", FORMAT_VERSION + 2)
    for old in (FORMAT_VERSION, FORMAT_VERSION + 1):
        monkeypatch.setitem(
            format.MIGRATIONS, old, lambda _, mark: steps.append(mark.format_version)
        )
    opened = Store.open(local_store.location)
    assert opened.store_id == local_store.store_id
    assert steps == [FORMAT_VERSION, FORMAT_VERSION + 1]
    assert json.loads(opened.read_bytes("store.json"))["format_version"] == FORMAT_VERSION + 2
    Store.open(local_store.location)
    assert len(steps) == 2


def test_a_format_without_migration_is_refused(local_store, monkeypatch):
    monkeypatch.setattr(format, "FORMAT_VERSION", FORMAT_VERSION + 1)
    with pytest.raises(StoreError, match="no longer reads"):
        Store.open(local_store.location)


def test_small_files(store):
    assert store.write_bytes_if_absent("models/a/weights", b"1")
    assert not store.write_bytes_if_absent("models/a/weights", b"2")
    assert store.read_bytes("models/a/weights") == b"1"
    store.write_bytes("models/a/weights", b"3")
    store.write_bytes("models/ab/config.json", b"{}")
    assert store.read_bytes("models/a/weights") == b"3"
    assert list(store.list("models/a")) == ["models/a/weights"]
    assert sorted(store.list("models")) == ["models/a/weights", "models/ab/config.json"]
    assert list(store.list("none")) == []
    assert store.exists("models/a/weights")
    assert not store.exists("models/a")
    with pytest.raises(StoreError, match="no file 'models/x'"):
        store.read_bytes("models/x")


def test_a_large_file_is_created_once_too(store):
    large = bytes(range(256)) * 80_000
    assert store.write_bytes_if_absent("embedders/x/weights.safetensors", large)
    assert not store.write_bytes_if_absent("embedders/x/weights.safetensors", large[:10])
    assert store.read_bytes("embedders/x/weights.safetensors") == large


@pytest.mark.parametrize("path", ["../x", "a/../../x", "/etc/x", "", "a//b", "./a"])
def test_paths_stay_below_the_root(local_store, path):
    with pytest.raises(StoreError, match="below the store's root"):
        local_store.write_bytes(path, b"")


def test_wrong_keys_are_an_error_without_the_keys_in_it(s3):
    place = Location.parse(s3.location().uri, s3.options | {"AWS_SECRET_ACCESS_KEY": "not-it"})
    with pytest.raises(StoreError) as caught:
        Store.open(place, create=True)
    assert "not-it" not in str(caught.value)


def test_a_missing_bucket_is_told(s3):
    missing = Location.parse("s3://no-such-bucket/x", s3.options)
    with pytest.raises(StoreError, match="bucket's name right"):
        Store.open(missing, create=True)


def test_a_folder_that_cannot_be_made_is_told():
    with pytest.raises(StoreError, match="Cannot use the folder"):
        Store.open("/dev/null/store", create=True)
