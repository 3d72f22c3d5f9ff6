"""A job in a process of its own, for tests that kill or stop it: `python -m tests.store.worker`.

Reads its orders as JSON from standard input, one a line; answers one line each.
"""

import json
import subprocess
import sys
from typing import Any

from artcluster.errors import ArtclusterError
from artcluster.location import Location
from artcluster.schema import EMBEDDINGS
from artcluster.store import Store, shard_name
from tests.store.rows import PARTITION, vectors

LEASE = "embeddings"
ROWS = 3


class Worker:
    """Starts the process and talks to it."""

    def __init__(self, store: Store) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.store.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.say(uri=store.location.uri, options=dict(store.location.options))

    def say(self, **order: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()

    def hear(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()


def commit_part(store: Store, lease: Any, part: int) -> None:
    name = shard_name(str(part))
    rows = vectors([f"{part}/{row}" for row in range(ROWS)])
    info = store.shard_writer(EMBEDDINGS).write(name, rows, PARTITION)
    store.commit_shards(EMBEDDINGS, [info], lease.fence)


class WithoutPandas:
    """pyarrow imports pandas where it finds it, which takes longer than all else done here."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name == "pandas":
            raise ModuleNotFoundError(name)


def answer(text: object) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> None:
    sys.meta_path.insert(0, WithoutPandas())
    place = json.loads(sys.stdin.readline())
    store = Store.open(Location.parse(place["uri"], place["options"]))
    order = json.loads(sys.stdin.readline())
    with store.lease(LEASE, [EMBEDDINGS], ttl_s=order.get("ttl_s", 60)) as lease:
        answer("held")
        if order["do"] == "commit on and on":
            for part in range(order["first"], 1_000_000):
                commit_part(store, lease, part)
                answer(part)
        for line in sys.stdin:
            part = json.loads(line)["part"]
            try:
                commit_part(store, lease, part)
                answer("committed")
            except ArtclusterError as refused:
                answer(type(refused).__name__)


if __name__ == "__main__":
    main()
