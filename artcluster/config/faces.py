"""What can be set about faces: which are found, and what makes a group of the same one."""

from typing import Annotated, Literal

from pydantic import Field

from artcluster.config.base import Settings


class FaceSettings(Settings):
    """Which faces the embedder `faces` finds. Other settings make it another embedder."""

    picture_px: Annotated[int, Field(ge=64, le=8192)] = 2048
    """Pictures are decoded to this longest side at most; faces are cut out of that."""
    detect_px: Annotated[int, Field(ge=64, le=4096)] = 960
    """The detector sees them shrunk to this longest side."""
    min_score: Annotated[float, Field(ge=0, le=1)] = 0.8
    """Faces that the detector is less sure of are left out."""
    min_side_px: Annotated[int, Field(ge=8)] = 24
    """Smaller faces in the decoded picture are left out: too little is in them to compare."""
    max_faces: Annotated[int, Field(ge=1, le=1000)] = 64
    """Faces a picture at most, the surest."""


class DbscanSettings(Settings):
    """DBSCAN of `faces-dbscan`."""

    eps: Annotated[float, Field(gt=0)] | Literal["knee"] = 0.42
    """Faces within this distance count as alike. The network was trained so that two faces of a
    person lie within 0.6; groups are chains of pairs, for which that joins others, too: drawn
    faces of others lie from 0.40 on. `knee` takes the knee of the distances to nearest faces, for
    archives of some hundred faces and more."""
    min_samples: Annotated[int, Field(ge=2)] = 2
    """Faces within eps, itself included, that make a face the core of a group."""
