"""How a picture becomes aligned faces: stated whole, so that it can be part of a contract."""

import json
from dataclasses import asdict, dataclass, field

from artcluster.errors import UsageError
from artcluster.images.face_detector import PACKAGE, detector_version
from artcluster.images.faces import FaceLimits

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
