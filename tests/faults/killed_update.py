"""An update that kills itself with SIGKILL at a step: `python -m tests.faults.killed_update`.

Arguments: `before` or `after`, the table at whose commit it dies, then those of `artcluster`.
"""

import os
import signal
import sys
from typing import Any

from artcluster.cli import main
from artcluster.store import Store


def die_at(moment: str, table_name: str) -> None:
    """Make the process die at the first commit to a table."""

    def dying(commit: Any) -> Any:
        def wrapped(self: Store, table: Any, *rest: Any) -> Any:
            mine = table.name == table_name
            if mine and moment == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            done = commit(self, table, *rest)
            if mine:
                os.kill(os.getpid(), signal.SIGKILL)
            return done

        return wrapped

    for name in ("append", "commit_shards"):
        setattr(Store, name, dying(getattr(Store, name)))


if __name__ == "__main__":
    die_at(sys.argv[1], sys.argv[2])
    main(sys.argv[3:])
