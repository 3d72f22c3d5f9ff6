"""All that decides an image's vector, and the embedder_id made of it. Imports no torch."""

import hashlib
import json
import re
from dataclasses import asdict, dataclass, field, fields

from artcluster.errors import UsageError

REVISION = 1
"""Raised when this package computes other vectors than before from the same contract."""


PRECISION_CLASSES = {"float": 1e-3, "bfloat16": 1e-1}
"""The largest cosine distance between a vector of each class and the float32 vector.

float32, TF32 and float16 are one class, `float`: a GPU's archive goes on with a CPU's additions.
bfloat16 keeps 8 bits of a number to their 11, and its vectors are never mixed with theirs: with
MobileNetV2 on 80 pictures float16 lay at a median of 1e-5 and at most 4e-4, bfloat16 at 3e-3 and
4e-2, where the nearest other picture lies at a few tenths.
"""


def precision_class(precision: str) -> str:
    """Return the class of a precision as users name it.

    >>> precision_class("auto"), precision_class("float16"), precision_class("bfloat16")
    ('float', 'float', 'bfloat16')

    Raises:
        UsageError: No such precision.
    """
    if precision in ("auto", "float32", "float16"):
        return "float"
    if precision == "bfloat16":
        return "bfloat16"
    raise UsageError(
        f"precision must be auto, float32, float16 or bfloat16, got {precision!r}; "
        "auto is float16 on a GPU and float32 on a CPU"
    )


@dataclass(frozen=True)
class Contract:
    """What decides a vector. Equal contracts give vectors that may be mixed.

    Attributes:
        name: The embedder's name, as asked for.
        network: The network under it.
        dim: Length of the vectors.
        input_px: Height and width of the pixels it takes.
        mean: Subtracted from RGB in [0, 1], a number a channel.
        std: Divides what remains, a number a channel.
        fit: How an image is brought to `input_px`, as the pixel policy names it.
        pixel_policy_id: Id of the policy that turns bytes into RGB.
        weights_sha256: `state_sha256` of the tensors in use; "" for no weights.
        precision: Class of arithmetic, a key of `PRECISION_CLASSES`.
        revision: `REVISION` of the package that made it.
        origin: Where the weights came from. Told, but not part of the identity.
    """

    name: str
    network: str
    dim: int
    input_px: tuple[int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    fit: str
    pixel_policy_id: str
    weights_sha256: str
    precision: str = "float"
    revision: int = REVISION
    origin: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        if self.precision not in PRECISION_CLASSES:
            raise UsageError(
                f"this version computes the precision classes {', '.join(PRECISION_CLASSES)}, "
                f"got {self.precision!r}: use the version that made the contract"
            )
        if self.revision != REVISION:
            raise UsageError(
                f"this version computes revision {REVISION} of its embedders, the contract of "
                f"{self.name} asks for revision {self.revision}: use the version that made it, "
                "or embed the archive anew"
            )

    @property
    def embedder_id(self) -> str:
        """Return the path-safe name and twelve digits of the identity's SHA-256."""
        identity = {k: v for k, v in asdict(self).items() if k != "origin"}
        digest = hashlib.sha256(_canonical(identity)).hexdigest()
        return f"{re.sub(r'[^A-Za-z0-9_.-]+', '.', self.name)}-{digest[:12]}"

    def to_json(self) -> str:
        """Return the contract as JSON; `from_json` reads it back."""
        return _canonical(asdict(self)).decode()

    @classmethod
    def from_json(cls, text: str) -> "Contract":
        """Read a contract back.

        Raises:
            UsageError: Fields are missing or unknown, or another version of the package made it.
        """
        values = json.loads(text)
        known = {f.name for f in fields(cls)}
        if not isinstance(values, dict) or set(values) != known:
            got = sorted(values) if isinstance(values, dict) else type(values).__name__
            raise UsageError(
                f"an embedder's contract must have the fields {sorted(known)}, got {got}: "
                "was it written by another version?"
            )
        lists = {k: tuple(v) for k, v in values.items() if isinstance(v, list)}
        return cls(**{**values, **lists})


def _canonical(values: dict[str, object]) -> bytes:
    return json.dumps(values, sort_keys=True, separators=(",", ":")).encode()
