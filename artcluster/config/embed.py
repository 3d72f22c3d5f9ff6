"""What can be set about the embedder and the job that runs it."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from artcluster.config.base import Settings
from artcluster.config.faces import FaceSettings
from artcluster.config.training import CaeSettings, GenreSettings, PcaSettings


class EmbedSettings(Settings):
    """The embedder, where its weights come from, and how the work is spread."""

    backbone: str = "densenet121"
    """densenet121, vgg16, resnet50, mobilenet_v2, timm:NAME, clip:NAME or clip:NAME/TAG, cae,
    genre-cae, genre-v2 (both also with -grey), pca:N, color-histogram, random:NAME, faces."""
    weights: str = "auto"
    """`auto` (an installed package, else the network's library's download), or a path or URI."""
    weights_sha256: str | None = Field(None, pattern=r"^[0-9a-f]{64}$")
    """SHA-256 that the weights file must have; required with a path or URI."""
    input_px: Annotated[int, Field(ge=16, le=2048)] | None = None
    """Side of the network's square input; by default the network's own."""
    normalize: bool = True
    """Apply the backbone's channel normalisation after scaling to [0, 1]."""
    seed: int = 0
    """Seed of random:NAME networks and of the convolutional autoencoder's training."""
    cae: CaeSettings = CaeSettings()
    """How the embedder `cae` is trained, which the first job over an archive does."""
    genre: GenreSettings = GenreSettings()
    """The same for `genre-cae`, `genre-v2` and their grey forms."""
    pca: PcaSettings = PcaSettings()
    """How the components of `pca:N` are found."""
    faces: FaceSettings = FaceSettings()
    """Which faces the embedder `faces` finds."""
    engine: Literal["auto", "openvino", "torch"] = "auto"
    """OpenVINO on CPUs where it is installed, torch otherwise."""
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """Arithmetic; auto is float16 on a GPU, float32 on a CPU, which mix. bfloat16's do not."""
    compile: bool = False
    """Compile the network with torch.compile on a GPU."""
    batch_size: Annotated[int, Field(ge=1)] = 32
    """Images the network sees at once; halved by itself where they do not fit on the GPU."""
    part_images: Annotated[int, Field(ge=1, le=10_000)] = 256
    """Images a part: the unit of work, of commit and of shards."""
    part_bytes: Annotated[int, Field(gt=0)] = 512 << 20
    """A part holds no more bytes of files than this (one larger file makes its own part)."""
    min_workers: Annotated[int, Field(ge=1)] = 1
    """Embedding actors that are always there."""
    max_workers: Annotated[int, Field(ge=1)] | None = None
    """Embedding actors at most; by default one a GPU, else one for each two CPUs or so."""
    cpus_per_worker: Annotated[float, Field(gt=0)] | None = None
    """CPUs of one embedding actor, and its threads; by default 1 with a GPU."""
    gpus_per_worker: Annotated[float, Field(ge=0)] | None = None
    """GPUs of one embedding actor; by default 1 where the cluster has any, else 0."""
    stall_timeout_s: Annotated[float, Field(gt=0)] = 600.0
    """Without any progress for so long the job ends and names the stage."""
    commit_every_s: Annotated[float, Field(ge=0)] = 60.0
    """Finished parts are committed at least this often …"""
    commit_every_images: Annotated[int, Field(ge=1)] = 10_000
    """… or once so many images are finished."""

    @model_validator(mode="after")
    def _check(self) -> "EmbedSettings":
        if self.max_workers is not None and self.max_workers < self.min_workers:
            raise ValueError(
                f"max_workers ({self.max_workers}) must be at least min_workers "
                f"({self.min_workers})"
            )
        if self.weights != "auto" and self.weights_sha256 is None:
            raise ValueError("weights from a path or URI need weights_sha256, their SHA-256")
        return self
