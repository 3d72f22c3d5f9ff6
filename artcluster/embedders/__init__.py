"""Embedders by name: from uint8 pixels to float32 vectors.

The driver calls `prepare` once: it fetches the weights and states the contract. Workers call
`load` with both. Importing this package imports neither torch nor OpenVINO, and a worker on a CPU
that finds its network converted never imports torch: that would be most of its start-up.
"""

from artcluster.embedders.catalogue import EMBEDDERS, defaults_of, is_trained_here, parse_name
from artcluster.embedders.contract import PRECISION_CLASSES, Contract
from artcluster.embedders.embedder import Embedder
from artcluster.embedders.faces import FACES, FaceRecipe, finds_faces
from artcluster.embedders.loading import CPU_BATCH, load
from artcluster.embedders.preparing import prepare
from artcluster.embedders.state import load_state, save_state

__all__ = [
    "CPU_BATCH",
    "EMBEDDERS",
    "FACES",
    "PRECISION_CLASSES",
    "Contract",
    "Embedder",
    "FaceRecipe",
    "defaults_of",
    "finds_faces",
    "is_trained_here",
    "load",
    "load_state",
    "parse_name",
    "prepare",
    "save_state",
]
