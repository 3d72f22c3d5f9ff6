"""Every night an update, on Sundays a clean-up. For Airflow 3."""

import subprocess
from datetime import timedelta

import pendulum
from airflow.sdk import Variable, dag, task
from airflow.sdk.exceptions import AirflowFailException

WRONG_USE, TOO_MANY_REJECTS = 2, 3
START = pendulum.datetime(2026, 1, 1, tz="UTC")


def artcluster(*arguments: str) -> None:
    """Run a command; codes that another try does not mend fail the task at once."""
    command = Variable.get("artcluster_command", default="artcluster")
    code = subprocess.run([command, *arguments], check=False).returncode
    if code in (WRONG_USE, TOO_MANY_REJECTS):
        raise AirflowFailException(f"artcluster ended with code {code}; its log says why")
    if code:
        raise RuntimeError(f"artcluster ended with code {code}; the same again goes on")


@dag(schedule="30 1 * * *", start_date=START, catchup=False, max_active_runs=1, tags=["artcluster"])
def artcluster_update() -> None:
    """Bring the store up to the archive."""

    @task(retries=3, retry_delay=timedelta(minutes=5))
    def update() -> None:
        images, store = Variable.get("artcluster_images"), Variable.get("artcluster_store")
        artcluster("update", images, store, "--json")

    update()


@dag(schedule="30 5 * * 0", start_date=START, catchup=False, max_active_runs=1, tags=["artcluster"])
def artcluster_vacuum() -> None:
    """Remove what the store no longer needs."""

    @task(retries=1)
    def vacuum() -> None:
        artcluster("vacuum", Variable.get("artcluster_store"), "--yes", "--json")

    vacuum()


artcluster_update()
artcluster_vacuum()
