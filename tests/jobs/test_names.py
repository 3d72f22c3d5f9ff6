"""While a job runs, its folder is searched for modules first: none may stand for Python's own."""

import sys
from pathlib import Path

JOBS = Path(__file__).parent.parent.parent / "jobs"


def test_no_job_is_taken_for_a_module_of_python() -> None:
    names = {file.stem for file in JOBS.glob("*.py")}
    assert "run" in names
    assert not names & sys.stdlib_module_names
