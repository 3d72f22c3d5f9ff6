"""Every night an update, on Sundays a clean-up. For Airflow 3."""

from datetime import timedelta

import pendulum
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG

COMMAND = "{{ var.value.get('artcluster_command', 'artcluster') }}"
IMAGES = "{{ var.value.artcluster_images }}"
STORE = "{{ var.value.artcluster_store }}"
WRONG_USE, TOO_MANY_REJECTS = 2, 3


def once(code: str) -> str:
    """Let codes that another try does not mend fail the task at once (Airflow retries the rest)."""
    return f"""
    {code}
    code=$?
    if [ $code -eq {WRONG_USE} ] || [ $code -eq {TOO_MANY_REJECTS} ]; then exit 255; fi
    exit $code
    """


with DAG(
    "artcluster_update",
    schedule="30 1 * * *",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    tags=["artcluster"],
):
    BashOperator(
        task_id="update",
        bash_command=once(f'{COMMAND} update "{IMAGES}" "{STORE}" --json'),
        retries=3,
        retry_delay=timedelta(minutes=5),
    )

with DAG(
    "artcluster_vacuum",
    schedule="30 5 * * 0",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    tags=["artcluster"],
):
    BashOperator(
        task_id="vacuum",
        bash_command=once(f'{COMMAND} vacuum "{STORE}" --yes --json'),
        retries=1,
    )
