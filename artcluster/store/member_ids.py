"""What is clustered, by name: a whole picture by its content_id, a part of it with its region.

A member is `content_id` or `content_id#x,y,w,h`, so that all that works on pictures works on their
faces and slices, too. In tables content and region are two columns.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from artcluster.store.content_keys import as_keys, in_one, positions

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
