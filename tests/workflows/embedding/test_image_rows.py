from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from artcluster.archive.parts import Part, PartRow
from artcluster.archive.readers import FetchedFile
from artcluster.images.rejects import ImageInfo, Reject
from artcluster.images.sandbox.messages import unpack_info
from artcluster.schema import IMAGES
from artcluster.workflows.embedding.decode_task import image_row, images_table

ROW = PartRow("a.png", "/x/a.png", 3, "7", None)
PART = Part("p", "archive", 2, (ROW,))
FILE = FetchedFile("ok", b"abc", "0" * 64, 3, "7")


def row_of(info: ImageInfo | None, file: FetchedFile = FILE) -> dict[str, Any]:
    return image_row(PART, ROW, file, info, "v1", datetime(2026, 1, 1, tzinfo=UTC))


def test_a_sound_picture_and_a_reject() -> None:
    sound = row_of(ImageInfo(4, 5, "PNG", None))
    bad = row_of(ImageInfo(None, None, None, Reject("decode", "corrupt", "no")))
    found = images_table([sound, bad])
    assert found.schema == IMAGES.schema
    assert found["status"].to_pylist() == ["ok", "rejected"]
    assert found["width"].to_pylist() == [4, None]


@pytest.mark.parametrize("side", [2**31, 2**32 - 1, 2**70, -5])
def test_a_size_beyond_the_table_is_not_stated(side: int) -> None:
    info = ImageInfo(side, 7, "PNG", Reject("identify", "too-large", "x"))
    assert images_table([row_of(info)]).to_pylist()[0]["width"] is None


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("width", 2**31),
        ("height", "tall"),
        ("format", "\ud800"),
        ("format", b"\xff"),
        ("version", "\udcff"),
    ],
)
def test_a_row_that_cannot_be_built_is_a_reject_and_the_others_stay(
    column: str, value: object
) -> None:
    rows = [row_of(ImageInfo(4, 5, "PNG", None)) for _ in range(3)]
    rows[1][column] = value
    found = images_table(rows).to_pylist()
    assert [each["status"] for each in found] == ["ok", "rejected", "ok"]
    assert (found[1]["reason"], found[1]["path"]) == ("corrupt", "a.png")


def test_a_detail_with_broken_text_is_kept_readable() -> None:
    info = ImageInfo(None, None, None, Reject("decode", "corrupt", "\ud800 odd \x00 words"))
    assert "odd" in images_table([row_of(info)]).to_pylist()[0]["detail"]


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"[]",
        b"\xff\xfe",
        b'{"width": 1}',
        b'{"width": "9", "height": 1, "format": "PNG", "reject": null, "more": 1}',
        b'{"width": 1, "height": 1, "format": null, "reject": {"stage": "x", "reason": "y"}}',
    ],
)
def test_a_child_that_talks_nonsense_is_a_reject(answer: bytes) -> None:
    reject = unpack_info(answer).reject
    assert reject is not None
    assert reject.reason == "decoder-crash"


def test_a_damaged_picture_is_ok_and_says_what_it_lacks() -> None:
    row = row_of(ImageInfo(4, 5, "JPEG", None, "2.0% of the rows are missing"))
    assert (row["status"], row["reason"]) == ("ok", "damaged")
    assert "2.0%" in row["detail"]


def test_a_file_that_is_gone_is_removed_as_it_was_listed() -> None:
    gone = row_of(None, replace(FILE, outcome="gone", content_id=None, version=None))
    assert (gone["status"], gone["version"], gone["size_bytes"]) == ("removed", "7", 3)
