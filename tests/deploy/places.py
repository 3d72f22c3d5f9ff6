"""Where the files for deploying are, and the programs that look at them."""

import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
OVERLAYS = ROOT / "deploy" / "kubernetes" / "overlays"


def program(name: str) -> str:
    """Return a program that a Python package has installed."""
    return str(Path(sys.executable).parent / name)


@cache
def built(folder: Path) -> list[dict[str, Any]]:
    """Return the resources that `kubectl apply -k FOLDER` would send."""
    done = subprocess.run(
        [program("kubectl"), "kustomize", str(folder)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))
