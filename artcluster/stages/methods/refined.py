"""What is worth knowing of a refinement by DEC, and how it ended."""

from dataclasses import asdict
from typing import Any

from artcluster.training.refinement import DecResult


def refinement_facts(refined: DecResult) -> dict[str, Any]:
    """Return what a refinement told, as JSON has it."""
    facts = {
        "iterations": refined.iterations,
        "converged": refined.converged,
        "history": [asdict(refresh) for refresh in refined.history],
    }
    return {"dec": facts}


def how_it_ended(refined: DecResult) -> str:
    """Return whether a refinement converged, and after how long, in words."""
    how = "converged" if refined.converged else "stopped at max_iterations"
    return f"{how} after {refined.iterations} iterations"
