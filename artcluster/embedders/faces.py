"""Faces to vectors: dlib's landmarks turn a face upright, its network tells people apart.

Weights are those of the package `face-recognition-models` (Davis King's dlib-models, CC0). The
library `dlib` is under the Boost licence, its build for Python the package `dlib-bin`.
"""

import hashlib
import importlib.util
import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from artcluster.embedders.contract import Contract
from artcluster.embedders.embedder import check_pixels
from artcluster.errors import UsageError
from artcluster.images.faces import (
    PACKAGE,
    Face,
    FaceLimits,
    detect_faces,
    detector_version,
    find_faces,
    missing,
)

if TYPE_CHECKING:
    import torch

FACES = "faces"
"""Name of the embedder of faces."""


CHIP_PX = 150
"""Side of an aligned face, as the network takes it."""


def finds_faces(embedder: str) -> bool:
    """Tell whether an embedder's vectors, by its id or name, are of faces, not whole pictures.

    >>> finds_faces("faces-443a818dfd9a"), finds_faces("densenet121-0123456789ab")
    (True, False)
    >>> finds_faces("faces")
    True
    """
    return embedder == FACES or embedder.startswith(f"{FACES}-")


@dataclass(frozen=True)
class FaceRecipe:
    """All that decides which faces are found in a picture, and what the network sees of them.

    Attributes:
        detector: The package that finds faces and its version, which stands for its weights.
        picture_px: Pictures are decoded to this longest side at most.
        limits: Which faces count.
        padding: What is left around an aligned face, as a share of it.
        alignment: How a face is turned upright and scaled.
    """

    detector: str
    picture_px: int = 2048
    limits: FaceLimits = field(default_factory=FaceLimits)
    padding: float = 0.25
    alignment: str = "dlib-5-landmarks"

    @classmethod
    def of_installed(cls, picture_px: int, limits: FaceLimits) -> "FaceRecipe":
        """Return the recipe with the installed detector.

        Raises:
            UsageError: There is none.
        """
        return cls(f"{PACKAGE} {detector_version()}", picture_px, limits)

    def to_text(self) -> str:
        """Return it as a contract keeps it; `of_text` reads it back.

        >>> recipe = FaceRecipe("yuface 2023.5.1", 1024)
        >>> FaceRecipe.of_text(recipe.to_text()) == recipe
        True
        """
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))

    @classmethod
    def of_text(cls, text: str) -> "FaceRecipe":
        """Read a recipe back.

        Raises:
            UsageError: It is another version's.
        """
        try:
            fields = json.loads(text)
            return cls(**{**fields, "limits": FaceLimits(**fields["limits"])})
        except (ValueError, KeyError, TypeError) as error:
            raise UsageError(
                f"the contract's way to find faces is not known here ({error}): use the version "
                "that made it, or find the faces anew"
            ) from error

    def check_detector(self) -> None:
        """Make sure that the detector installed here is the recipe's.

        Raises:
            UsageError: It is another one, or there is none.
        """
        installed = f"{PACKAGE} {detector_version()}"
        if installed != self.detector:
            raise UsageError(
                f"faces of this store were found by {self.detector}, and here {installed} is "
                "installed: other faces would be found. Install the former, or find them anew"
            )


_PACKAGE = "face_recognition_models"
_FILES = {
    "landmarks": (
        "shape_predictor_5_face_landmarks.dat",
        "c4b1e9804792707d3a405c2c16a80a20269e6675021f64a41d30fffafbc41888",
    ),
    "network": (
        "dlib_face_recognition_resnet_model_v1.dat",
        "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
    ),
}
_AT_ONCE = 16


def packaged_weights() -> "tuple[dict[str, torch.Tensor], str]":
    """Return the installed weights, each file's bytes as a tensor, and where they came from.

    Raises:
        UsageError: The package is not installed, or its files are others.
    """
    import torch

    spec = importlib.util.find_spec(_PACKAGE)
    folders = (spec.submodule_search_locations or []) if spec else []
    state = {}
    for name, (file, sha256) in _FILES.items():
        path = next((p for f in folders if (p := Path(f, "models", file)).is_file()), None)
        if path is None:
            raise missing("face-recognition-models")
        data = path.read_bytes()
        if hashlib.sha256(data).hexdigest() != sha256:
            raise UsageError(f"{path} is damaged, or another one: expected SHA-256 {sha256}")
        state[name] = torch.frombuffer(bytearray(data), dtype=torch.uint8)
    return state, f"package {_PACKAGE}"


class FaceCutter:
    """Finds a picture's faces and turns them upright.

    Args:
        recipe: How.
        landmarks: Weights of the landmarks, the bytes of dlib's file.

    Raises:
        UsageError: A package is not installed, or the detector is another one.
    """

    def __init__(self, recipe: FaceRecipe, landmarks: bytes) -> None:
        recipe.check_detector()
        self._recipe = recipe
        self._landmarks = _loaded(landmarks, _dlib().shape_predictor)

    def __call__(self, image_HW3: np.ndarray) -> tuple[list[Face], np.ndarray]:
        """Return the faces of an upright uint8 RGB picture and, uint8 (N, 150, 150, 3), them."""
        dlib = _dlib()
        image = np.ascontiguousarray(image_HW3)
        faces = find_faces(image, detect_faces, self._recipe.limits)
        chips = np.empty((len(faces), CHIP_PX, CHIP_PX, 3), np.uint8)
        for chip, face in zip(chips, faces, strict=True):
            corners = (face.left, face.top, face.left + face.width, face.top + face.height)
            shape = self._landmarks(image, dlib.rectangle(*map(round, corners)))
            chip[:] = dlib.get_face_chip(image, shape, CHIP_PX, self._recipe.padding)
        return faces, chips


class FaceEmbedder:
    """dlib's face recognition network: a face within 0.6 of another is most likely the same.

    Args:
        contract: What to compute.
        state: The tensors of `packaged_weights`, or a function that reads them.

    Source: King 2017, "High quality face recognition with deep metric learning": a ResNet of 29
    convolutions, 99.38 % on Labeled Faces in the Wild.
    """

    def __init__(
        self,
        contract: Contract,
        state: "Mapping[str, torch.Tensor] | Callable[[], Mapping[str, torch.Tensor]]",
    ) -> None:
        self.dim = contract.dim
        self.input_px = contract.input_px
        weights = state() if callable(state) else state
        self._network = _loaded(bytes_of(weights["network"]), _dlib().face_recognition_model_v1)
        self.engine: Mapping[str, str] = {"engine": "dlib", "dlib": _dlib().__version__}

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """Map aligned faces, uint8 (N, 150, 150, 3), to float32 (N, 128)."""
        check_pixels(pixels, self.input_px)
        vectors = np.empty((len(pixels), self.dim), np.float32)
        for start in range(0, len(pixels), _AT_ONCE):
            # dlib takes no read-only arrays.
            some: Sequence[np.ndarray] = [np.array(each) for each in pixels[start:][:_AT_ONCE]]
            found = self._network.compute_face_descriptor(some)
            vectors[start : start + len(some)] = np.asarray(found, np.float32)
        return vectors


def bytes_of(tensor: "torch.Tensor") -> bytes:
    """Return the file that a tensor of bytes holds."""
    data: bytes = tensor.numpy().tobytes()
    return data


def _loaded(data: bytes, load: Callable[[str], Any]) -> Any:
    """Load a model by dlib, which reads files alone."""
    with tempfile.NamedTemporaryFile(suffix=".dat") as file:
        file.write(data)
        file.flush()
        return load(file.name)


def _dlib() -> Any:
    if importlib.util.find_spec("dlib") is None:
        raise missing("dlib-bin")
    import dlib

    return dlib
