"""Times that follow the order of commits, whatever the writers' clocks say."""

import logging
from datetime import UTC, datetime, timedelta
from functools import cache

import pyarrow.compute as pc

from artcluster.schema import Table
from artcluster.store.store import Store

log = logging.getLogger(__name__)

_TOLERANCE = timedelta(minutes=2)
"""How far clocks of healthy machines may be apart."""


def next_time(
    store: Store, table: Table, column: str = "created_at", where: pc.Expression | None = None
) -> datetime:
    """Return the time to write into a new row: now, or just after the table's last row.

    So rows sort by time in the order in which they were committed, even where one was written on
    a machine whose clock was ahead.

    Args:
        column: The column of times.
        where: The rows that the new one is compared with; None for all.
    """
    return time_after(pc.max(store.table(table).read([column], where)[column]).as_py())


def time_after(last: datetime | None) -> datetime:
    """Return now, or one microsecond after `last` where that is later.

    >>> time_after(datetime(2020, 1, 1, tzinfo=UTC)).year > 2020
    True
    """
    now = datetime.now(UTC)
    return now if last is None else max(now, last + timedelta(microseconds=1))


def warn_of_future(when: datetime, what: str) -> None:
    """Log, once per process, that the time of something is ahead of this machine's clock."""
    if when - datetime.now(UTC) > _TOLERANCE:
        _warn(what, f"{when:%Y-%m-%d %H:%M} UTC")


@cache
def _warn(what: str, when: str) -> None:
    log.warning(
        "%s is dated %s, which is in the future: a clock was wrong when it was written, or is "
        "wrong here. The order of runs, names and edits is right all the same",
        what,
        when,
    )
