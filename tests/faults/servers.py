"""An S3 server that is killed while a job writes to it."""

import time
from pathlib import Path

from artcluster.store import Store
from tests.faults.driver import Driver
from tests.faults.outcome import Outcome, doubled, lost
from tests.faults.reader import watched
from tests.s3_server import S3Server
from tests.workflows.jobs import copy_pictures


def server_killed(folder: Path, times: int) -> Outcome:
    """Kill the server while jobs write, start it again, and start the job again if it gave up."""
    server = S3Server(folder / "s3")
    server.start()
    images = folder / "images"
    copy_pictures(images, 24)
    place = server.location()
    Store.open(place, create=True)
    gave_up = 0
    environment = {key: value for key, value in server.options.items() if key.startswith("AWS_")}
    try:
        with watched(place, folder / "reader.json") as seen:
            for number in range(times):
                driver = Driver(
                    "run", images, place.uri, log=folder / "driver.log", environment=environment
                )
                shards = Store.open(place).list("embeddings/embedder_id")
                before = sum(path.endswith(".parquet") for path in shards)
                while driver.running:
                    found = sum(
                        path.endswith(".parquet") and "_delta_log" not in path
                        for path in Store.open(place).list("embeddings")
                    )
                    if found > before:
                        break
                    time.sleep(0.02)
                copy_pictures(images, 4, start=24 + 4 * number)
                server.kill()
                time.sleep(0.5)
                server.start()
                gave_up += driver.end() != 0
            began = time.monotonic()
            driver = Driver(
                "run", images, place.uri, log=folder / "driver.log", environment=environment
            )
            assert driver.end() == 0, driver.text()[-4000:]
            recovery_s = time.monotonic() - began
        opened = Store.open(place)
        return Outcome(
            "the S3 server is killed (SIGKILL) while a job writes",
            times,
            lost(opened, images),
            doubled(opened),
            len(seen.wrong),
            recovery_s,
            f"{times - gave_up} jobs waited and went on, {gave_up} ended with a message and were "
            f"started again; a reader looked {seen.polls} times",
        )
    finally:
        server.kill()
