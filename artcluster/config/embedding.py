"""What can be set about the embedder and the job that runs it."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from artcluster.config.base import Settings


class ArchiveSettings(Settings):
    """Which files an archive holds, how they are read, and what is known about them."""

    id: str | None = Field(None, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")
    """Name of the archive in the store; by default a readable part of its URI and a hash."""
    include: tuple[str, ...] = ()
    """Globs of paths to take; empty takes everything."""
    exclude: tuple[str, ...] = ()
    """Globs of paths to leave out."""
    list_column: str | None = None
    """Column of addresses, where the archive is a CSV or Parquet list; by default guessed."""
    list_root: str | None = None
    """What a list's relative addresses are relative to; by default the list's own folder."""
    skip_unreadable: bool = False
    """Leave out folders that cannot be read, where otherwise the listing fails."""
    options: dict[str, str] = Field(default_factory=dict, repr=False)
    """Storage options (credentials, endpoint) of the archive; never written anywhere."""
    max_removed_share: Annotated[float, Field(ge=0, le=1)] = 0.5
    """A scan that would remove more than this share of the known images stops."""
    fetch_threads: Annotated[int, Field(ge=1, le=256)] = 16
    """Files fetched at once by one worker from object storage."""
    fetch_retries: Annotated[int, Field(ge=0, le=20)] = 5
    """How often a failing read is tried again, with exponential backoff, before the file is left
    for the next job."""
    max_unread_share: Annotated[float, Field(ge=0, le=1)] = 0.1
    """A job ends with exit code 4, and does not cluster, when more than this share of the files
    cannot be read."""
    max_unread_in_a_row: Annotated[int, Field(ge=1)] = 20
    """A job ends with exit code 5 when so many files one after another cannot be read: the server
    is down, or refuses the credentials."""
    max_file_bytes: Annotated[int, Field(gt=0)] = 2 << 30
    """A larger file is a reject, and is not read."""


class MetadataSettings(Settings):
    """A table of the user's own columns, joined to the images."""

    source: str | None = None
    """CSV, Parquet or JSONL at a path or URI."""
    join: str | None = None
    """The column that names the image; by default `path`, then usual names."""
    encoding: str | None = None
    """Encoding of a CSV or JSONL, such as cp1252; by default UTF-8, or what its byte order mark
    says."""
    delimiter: str | None = Field(None, min_length=1, max_length=1)
    """Delimiter of a CSV; by default found in its header."""
    many: Literal["skip", "first", "list"] = "skip"
    """What to do with several rows of one image: `skip` joins none of them, `first` the first,
    `list` makes lists of the columns in which they differ."""
    ignore_folders: bool = False
    """Compare file names only: join a row to an image in another folder than it states."""
    max_lost_share: Annotated[float, Field(ge=0, le=1)] = 0.2
    """A table that takes the metadata from more than this share of the images that had some stops
    the job."""


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


class ImageSettings(Settings):
    """The pixel policy (first three fields) and the limits under which pictures are decoded."""

    fit: Literal["squash", "crop"] = "squash"
    """Squash to the network's square, or resize the shorter side and crop the centre."""
    decode: Literal["scaled", "exact"] = "scaled"
    """Scaled lets libjpeg shrink large JPEGs by 2 or 4 first; exact is within ±1 of Pillow."""
    max_pixels: Annotated[int, Field(gt=0)] = 500_000_000
    """A larger picture is rejected as too-large."""
    max_missing_share: Annotated[float, Field(ge=0, le=1)] = 0.05
    """A damaged picture is read, and marked as damaged, if no more than this share of its rows is
    missing; otherwise it is rejected as truncated."""
    timeout_s: Annotated[float, Field(gt=0)] = 20.0
    """Seconds one picture may take to decode before its decoder is killed."""
    memory_bytes: Annotated[int, Field(ge=1 << 28)] = 4 << 30
    """Memory one decoder may take before it is killed."""
    retry_reasons: tuple[str, ...] = ()
    """Rejects with these reasons are tried again once, such as timeout or out-of-memory."""
    max_reject_share: Annotated[float, Field(ge=0, le=1)] = 0.2
    """A job ends with exit code 3 when more than this share of the images is rejected."""


class PretrainSettings(Settings):
    """Pre-training of the dense autoencoder. Whichever of epochs and min_steps is more counts."""

    epochs: Annotated[int, Field(ge=1)] = 200
    min_steps: Annotated[int, Field(ge=0)] = 1000
    """An archive too small for the epochs to add up to this many steps trains longer."""
    max_steps: Annotated[int, Field(ge=1)] | None = None
    """A budget: training stops there."""
    batch_size: Annotated[int, Field(ge=1)] = 256
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3


class CaeSettings(PretrainSettings):
    """Training of the convolutional autoencoder on the archive itself (DCEC-Paint)."""

    batch_size: Annotated[int, Field(ge=1)] = 128
    max_images: Annotated[int, Field(ge=1)] = 50_000
    """It is trained on at most so many images, whole parts of the archive drawn at random; their
    pixels are kept in the store, 48 KiB an image of 128 px, and mapped, not held in memory."""


class GenreSettings(CaeSettings):
    """Training of the genre paper's autoencoders: 140 epochs. It does not state the batches."""

    epochs: Annotated[int, Field(ge=1)] = 140
    batch_size: Annotated[int, Field(ge=1)] = 32


class PcaSettings(Settings):
    """How the components of `pca:N` are found, by passes over the archive's pixels."""

    tolerance: Annotated[float, Field(ge=0)] = 1e-4
    """Stops once no component's variance changed by a larger share of the first in a pass."""
    max_passes: Annotated[int, Field(ge=1)] = 50
    max_images: Annotated[int, Field(ge=1)] = 50_000
    """They are found on at most so many images, as for `cae`; 147 KiB an image of 224 px."""


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
    autoscale: Literal["auto", "yes", "no"] = "auto"
    """Ask a Ray cluster for more workers than it has room for, up to max_workers, so that its
    autoscaler adds machines; `auto` does so where Ray's autoscaler v2 runs."""
    queue_timeout_s: Annotated[float, Field(gt=0)] | None = None
    """How long a job waits for its first workers while other jobs hold the cluster's CPUs and GPUs;
    by default as long as it takes."""
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
