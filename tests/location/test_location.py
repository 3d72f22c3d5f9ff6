import pickle
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from artcluster.errors import StoreError, UsageError
from artcluster.location import Location, redact
from tests.s3_server import KEY_ID, SECRET, S3Server

ODD = "ü/100% é #?&+/a b"
NEWLINE = "line\nbreak.jpg"


def places(tmp_path: Path, s3: S3Server) -> list[Location]:
    return [Location.parse(tmp_path / "here"), s3.location()]


@pytest.mark.s3
def test_one_file_is_seen_alike_by_every_library(tmp_path, s3):
    for root in places(tmp_path, s3):
        place = root.child(ODD)
        place.objects(create=True).put("k.bin", b"bytes")
        filesystem, path = place.fsspec()
        assert filesystem.cat(f"{path}/k.bin") == b"bytes"
        arrow, path = place.arrow()
        assert arrow.open_input_stream(f"{path}/k.bin").read() == b"bytes"
        table = place.child("table")
        options = table.delta_options()
        write_deltalake(table.delta_uri(), pa.table({"a": [1, 2]}), storage_options=options)
        opened = DeltaTable(table.delta_uri(), storage_options=options)
        assert opened.to_pyarrow_dataset().count_rows() == 2
        assert filesystem.exists(f"{table.fsspec()[1]}/_delta_log")


@pytest.mark.s3
def test_names_with_newlines_are_read_through_fsspec_and_arrow(tmp_path, s3):
    for root in places(tmp_path, s3):
        place = root.child(NEWLINE)
        filesystem, path = place.fsspec()
        filesystem.makedirs(root.fsspec()[1], exist_ok=True)
        filesystem.pipe_file(path, b"bytes")
        arrow, path = place.arrow()
        assert arrow.open_input_stream(path).read() == b"bytes"


@pytest.mark.s3
def test_the_environment_gives_what_options_leave_out(s3, monkeypatch):
    given = s3.location()
    given.objects().put("k", b"1")
    for key, value in s3.options.items():
        monkeypatch.setenv(key, value)
    bare = Location.parse(given.uri)
    assert bare.objects().get("k").bytes() == b"1"
    assert bare.fsspec()[0].ls(bare.fsspec()[1])
    assert bare.arrow()[0].open_input_stream(f"{bare.arrow()[1]}/k").read() == b"1"
    write_deltalake(bare.delta_uri(), pa.table({"a": [1]}), storage_options=bare.delta_options())


@pytest.mark.s3
def test_keys_in_a_uri_move_to_the_options(s3):
    uri = s3.location().uri.replace("s3://", f"s3://{KEY_ID}:{SECRET}@")
    place = Location.parse(uri, {"endpoint_url": s3.endpoint})
    place.objects().put("k", b"1")
    assert SECRET not in place.uri
    assert SECRET not in repr(place)
    assert SECRET not in str(place)


def test_given_keys_are_not_mixed_with_a_session_token_of_the_environment(monkeypatch):
    monkeypatch.setenv("AWS_SESSION_TOKEN", "stray")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "theirs")
    place = Location.parse("s3://b/c", {"access_key_id": "mine", "secret_access_key": "s"})
    options = place.delta_options()
    assert options["AWS_ACCESS_KEY_ID"] == "mine"
    assert "AWS_SESSION_TOKEN" not in options


def test_keys_come_from_a_profile_too(s3, tmp_path, monkeypatch):
    place = s3.location()
    place.objects().put("k", b"1")
    (tmp_path / "credentials").write_text(
        f"[museum]\naws_access_key_id = {KEY_ID}\naws_secret_access_key = {SECRET}\n"
    )
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_PROFILE", "museum")
    by_profile = Location.parse(place.uri, {"endpoint_url": s3.endpoint})
    assert by_profile.objects().get("k").bytes() == b"1"
    write_deltalake(
        by_profile.child("table").delta_uri(),
        pa.table({"a": [1]}),
        storage_options=by_profile.delta_options(),
    )
    assert by_profile.fsspec()[0].exists(by_profile.child("table").fsspec()[1])


def test_plain_http_is_allowed_on_this_machine_alone(monkeypatch):
    keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    near = Location.parse("s3://b", keys | {"endpoint_url": "http://127.0.0.1:9"})
    assert near.delta_options()["allow_http"] == "true"
    far = Location.parse("s3://b", keys | {"endpoint_url": "http://minio.example:9000"})
    with pytest.raises(UsageError, match="AWS_ALLOW_HTTP=true"):
        far.objects()
    allowed = Location.parse(far.uri, {**far.options, "allow_http": "true"})
    assert allowed.delta_options()["allow_http"] == "true"
    allowed.objects()


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("s3a://b/x/", "s3://b/x"),
        ("gcs://b/x", "gs://b/x"),
        ("/a/../b/./c", "/b/c"),
        ("file:///a%20b/100%25", "/a b/100%"),
        ("file://localhost/a", "/a"),
        ("https://u:p@h.org/a/?token=1", "https://h.org/a/"),
        ("sftp://u:p@h:22/d", "sftp://h:22/d"),
        ("github://org:repo@main/p", "github://org:repo@main/p"),
        ("hf://datasets/a/b@main/x", "hf://datasets/a/b@main/x"),
        ("abfss://c@acct.dfs.core.windows.net/p q", "abfss://c@acct.dfs.core.windows.net/p q"),
        ("zip://*.jpg::s3://b/a.zip", "zip://*.jpg::s3://b/a.zip"),
    ],
)
def test_spellings_of_one_place_become_one(written, canonical):
    assert Location.parse(written).uri == canonical


def test_paths_are_absolute_and_home_is_expanded(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/me")
    assert Location.parse("pictures").uri == str(tmp_path / "pictures")
    assert Location.parse("~/pictures").uri == "/home/me/pictures"
    assert Location.parse(Path("s3:/odd")).uri == str(tmp_path / "s3:/odd")


def test_a_chained_archive_is_read_with_the_keys_of_its_last_link(tmp_path, s3):
    import io
    import zipfile

    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("in/a.txt", "words")
    place = s3.location()
    place.objects().put("a.zip", packed.getvalue())
    inside = Location.parse(f"zip://in::{place.uri}/a.zip", s3.options)
    filesystem, path = inside.child("a.txt").fsspec()
    assert filesystem.cat(path) == b"words"


def test_signed_addresses_keep_their_query_for_reading_and_hide_it_elsewhere():
    place = Location.parse("https://me:pw@h.org/a.jpg?X-Amz-Signature=abc")
    assert "abc" not in repr(place)
    filesystem, address = place.fsspec()
    assert address == "https://h.org/a.jpg?X-Amz-Signature=abc"
    assert filesystem.client_kwargs["headers"]["Authorization"] == "Basic bWU6cHc="


@pytest.mark.parametrize("uri", ["memory://x", "https://h.org/x", "hf://datasets/a", "zip://a::/b"])
def test_a_store_where_no_file_can_be_created_only_if_absent_is_refused(uri):
    with pytest.raises(StoreError, match="cannot lie at"):
        Location.parse(uri).objects()
    with pytest.raises(StoreError, match="cannot lie at"):
        Location.parse(uri).delta_uri()


@pytest.mark.parametrize("name", ["a%20b", "line\nbreak", "back\\slash", "a[b]", "a|b", "a^b"])
def test_a_store_that_delta_could_not_address_is_refused(name):
    with pytest.raises(StoreError, match="Choose another folder"):
        Location.parse(f"/stores/{name}").delta_uri()


@pytest.mark.parametrize("text", ["", "  ", "s3://", "gs:///"])
def test_a_place_that_names_nothing_is_refused(text):
    with pytest.raises(UsageError, match="Expected"):
        Location.parse(text)


def test_unknown_protocols_and_options_are_named():
    with pytest.raises(UsageError, match="nosuch"):
        Location.parse("nosuch://x").fsspec()
    with pytest.raises(UsageError, match="aws_bogus"):
        Location.parse("s3://b/c", {"bogus": "1"}).objects()


def test_it_travels_to_workers_whole():
    place = Location.parse("s3://b/c", {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"})
    assert pickle.loads(pickle.dumps(place)) == place
    assert len({place, place.child()}) == 1


@pytest.mark.parametrize(
    "text",
    [
        "https://h/a?X-Amz-Credential=SEKRET&X-Amz-Signature=SEKRET",
        "https://acct.blob.core.windows.net/c/a.jpg?sv=2024&sig=SEKRET",
        "https://h/a.jpg?token=SEKRET#x",
        "s3://AKIAABCDEFGHIJKLMNOP:SEKRET@bucket/k",
        "https://SEKRET@github.com/x",
        "AWS_SECRET_ACCESS_KEY=SEKRET",
        "{'aws_secret_access_key': 'SEKRET', 'x': 1}",
        '{"account_key": "SEKRET\\"SEKRET"}',
        "AccountKey=SEKRET;EndpointSuffix=core",
        "Authorization: Bearer SEKRETSEKRET",
        "HF_TOKEN='SEKRET'",
        '{"password":"SEKRET"}',
    ],
)
def test_secrets_are_hidden(text):
    assert "SEKRET" not in redact(text)
    assert "AKIA" not in redact(text)
    assert redact(redact(text)) == redact(text)


@pytest.mark.parametrize(
    "text",
    [
        "tokenizer=bert secretary=Ann",
        "/archive/password protected/a b.jpg",
        "az://container@account.dfs.core.windows.net/p",
        "No credentials: set AWS_PROFILE",
        "s3://bucket/key?x=1",
        "https://h/a.jpg?width=100&page=2",
    ],
)
def test_harmless_text_stays(text):
    assert redact(text) == text
