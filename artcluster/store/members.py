"""What is clustered, by name: a whole picture by its content_id, a part of it with its region.

A member is `content_id` or `content_id#x,y,w,h`, so that all that works on pictures works on their
faces and slices, too. In tables content and region are two columns.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

Ids: TypeAlias = pa.Array | pa.ChunkedArray | Sequence[str]
"""content_ids or members as they come: Arrow strings, or any sequence of Python strings."""


MOST_BYTES = 2**31 - 1
"""What Arrow's strings hold in one array: some 33 million content_ids. More are large strings."""


def in_one(strings: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Return strings as one array."""
    if not isinstance(strings, pa.ChunkedArray):
        return strings
    if pa.types.is_string(strings.type) and strings.nbytes > MOST_BYTES:
        strings = strings.cast(pa.large_string())
    return strings.combine_chunks()


def as_keys(ids: Ids) -> np.ndarray:
    """Return content_ids as fixed-width bytes, which numpy sorts and searches fast."""
    if not isinstance(ids, pa.Array | pa.ChunkedArray):
        ids = pa.array(ids, pa.string())
    ids = in_one(ids)
    if len(ids) == 0:
        return np.empty(0, "S64")
    lengths = pc.min_max(pc.binary_length(ids)).as_py()
    if ids.null_count:
        raise ValueError("content_ids: expected strings, got a null.")
    width = max(1, lengths["max"])
    if lengths["min"] != width:
        ids = pc.ascii_rpad(ids, width, "\0")
    fixed = ids.cast(pa.large_binary())
    data = np.frombuffer(fixed.buffers()[2], np.uint8)
    start = np.frombuffer(fixed.buffers()[1], np.int64)[fixed.offset]
    chosen = data[start : start + len(fixed) * width]
    keys: np.ndarray = chosen.view(f"S{width}")
    return keys


def from_keys(keys: np.ndarray) -> pa.Array:
    """Return fixed-width bytes as an array of strings."""
    large = keys.nbytes > MOST_BYTES
    width = keys.itemsize
    bytes_NW = np.ascontiguousarray(keys).view(np.uint8).reshape(len(keys), width)
    if len(keys) and bytes_NW[:, -1].all():
        # All as long as the longest, as content_ids are: they lie as Arrow's strings do.
        offsets = np.arange(len(keys) + 1, dtype=np.int64 if large else np.int32) * width
        kind = pa.LargeStringArray if large else pa.StringArray
        return kind.from_buffers(len(keys), pa.py_buffer(offsets), pa.py_buffer(bytes_NW))
    found = pa.array(keys.tolist(), pa.large_binary() if large else pa.binary())
    return found.cast(pa.large_string() if large else pa.string())


def sorted_keys(ids: Ids) -> np.ndarray:
    """Return the distinct content_ids as sorted keys, without a copy where they are that."""
    keys = as_keys(ids)
    return keys if (keys[:-1] < keys[1:]).all() else np.unique(keys)


def positions(keys: np.ndarray, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where each id would stand in the sorted keys, and whether it is there."""
    position = np.searchsorted(keys, ids)
    inside = position < len(keys)
    position[~inside] = 0
    hit = inside & (keys[position] == ids) if len(keys) else inside
    return position, hit


Strings: TypeAlias = pa.Array | pa.ChunkedArray


_BETWEEN = "#"


MEMBER_SQL = f"content_id || CASE WHEN region = '' THEN '' ELSE '{_BETWEEN}' || region END"
"""The member of a row with `content_id` and `region`, in SQL."""


IS_PART_SQL = f"contains(content_id, '{_BETWEEN}')"
"""Whether a member in a column `content_id` is a part of a picture, in SQL."""


@dataclass(frozen=True)
class Box:
    """A part of an upright picture, in its pixels."""

    x: int
    y: int
    width: int
    height: int

    @property
    def region(self) -> str:
        """The key of the part, as IIIF writes regions.

        >>> Box(10, 20, 30, 40).region
        '10,20,30,40'
        """
        return f"{self.x},{self.y},{self.width},{self.height}"

    @classmethod
    def of(cls, region: str) -> "Box | None":
        """Return the box of a region's key; None for the whole picture.

        >>> Box.of("10,20,30,40"), Box.of("")
        (Box(x=10, y=20, width=30, height=40), None)
        """
        return cls(*map(int, region.split(","))) if region else None


def member_id(content_id: str, region: str) -> str:
    """Return the name of one member.

    >>> member_id("ab12", "0,0,9,9"), member_id("ab12", "")
    ('ab12#0,0,9,9', 'ab12')
    """
    return f"{content_id}{_BETWEEN}{region}" if region else content_id


def split_member(member: str) -> tuple[str, str]:
    """Return content_id and region of one member.

    >>> split_member("ab12#0,0,9,9"), split_member("ab12")
    (('ab12', '0,0,9,9'), ('ab12', ''))
    """
    content_id, _, region = member.partition(_BETWEEN)
    return content_id, region


def member_ids(content_ids: Strings, regions: Strings) -> pa.Array:
    """Return the members' names of two columns.

    >>> member_ids(pa.array(["a", "b"]), pa.array(["", "1,2,3,4"])).to_pylist()
    ['a', 'b#1,2,3,4']
    """
    content_ids, regions = in_one(content_ids), in_one(regions)
    is_part = pc.not_equal(regions, "")
    if not pc.any(is_part).as_py():
        return content_ids
    parts = pc.binary_join_element_wise(content_ids, regions, _BETWEEN)
    return pc.if_else(is_part, parts, content_ids)


def split_members(members: Strings) -> tuple[pa.Array, pa.Array]:
    """Return the content_ids and regions of members.

    >>> ids, regions = split_members(pa.array(["a", "b#1,2,3,4"]))
    >>> ids.to_pylist(), regions.to_pylist()
    (['a', 'b'], ['', '1,2,3,4'])
    """
    members = in_one(members)
    if not pc.any(pc.match_substring(members, _BETWEEN)).as_py():
        return members, pa.repeat("", len(members))
    halves = pc.extract_regex(members, f"^(?P<content>[^{_BETWEEN}]*){_BETWEEN}?(?P<region>.*)$")
    content_ids, regions = halves.flatten()
    return content_ids, regions


def by_member(rows: pa.Table) -> pa.Table:
    """Return rows with the column `member` in the place of `content_id` and `region`.

    >>> rows = pa.table({"content_id": ["a"], "region": ["1,2,3,4"], "cluster": [0]})
    >>> by_member(rows).to_pylist()
    [{'member': 'a#1,2,3,4', 'cluster': 0}]
    """
    members = member_ids(rows["content_id"], rows["region"])
    return rows.drop_columns(["content_id", "region"]).add_column(0, "member", members)


def rows_among(some: Strings, whole: Strings) -> np.ndarray:
    """Return the row in `whole`, which is sorted, of each of `some`, which it holds all.

    >>> rows_among(pa.array(["b", "d"]), pa.array(["a", "b", "c", "d"]))
    array([1, 3])
    """
    return positions(as_keys(whole), as_keys(some))[0]
