"""What can be set about studies: the genre study and the study of backbones."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from artcluster.config.base import Settings
from artcluster.config.embedding import GenreSettings

Share = Annotated[float, Field(gt=0, lt=1)]


class GenreStudySettings(GenreSettings):
    """Reconstruction by an autoencoder, genre by genre (`artcluster study genres`)."""

    network: Literal["genre-cae", "genre-v2", "cae"] = "genre-cae"
    """The paper's Autoencoder, whose code is 1/12 of its input; its second, with 1/163; or
    DCEC-Paint's."""
    colours: Literal["rgb", "grey"] = "rgb"
    input_px: Annotated[int, Field(ge=16, le=1024, multiple_of=8)] = 128
    """Side of the squares that the network sees."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Seeds the split, the weights, the batches and the augmentation."""
    style_column: str = "style"
    """Metadata column that `top_styles` counts by."""
    top_styles: Annotated[int, Field(ge=1)] | None = None
    """Only images of so many most frequent styles; the paper has 10."""
    pool_below: Annotated[int, Field(ge=0)] = 0
    """Genres with fewer images are pooled as `others`."""
    slice_px: Annotated[int, Field(ge=16)] = 1024
    """A picture larger than one and a half of this is cut into slices of about this side."""
    max_slices: Annotated[int, Field(ge=1, le=256)] = 16
    """Slices of one picture at most; 1 cuts none."""
    face_genres: tuple[str, ...] = ("portrait", "self-portrait")
    """Genres whose pictures are cropped to the surest face, where the extra `faces` is installed
    and one is found."""
    augment_to: Annotated[int, Field(ge=0)] = 5000
    """Rarer genres are brought up to so many training images by altered copies; 0 for none."""
    max_copies: Annotated[int, Field(ge=1)] = 100
    """Altered copies of one image at most."""
    validation_share: Share = 0.1
    """Images of each genre that are not trained on."""
    examples: Annotated[int, Field(ge=1, le=20)] = 4
    """Reconstructions shown of each genre."""

    @model_validator(mode="after")
    def _check(self) -> "GenreStudySettings":
        if self.network == "cae" and self.colours == "grey":
            raise ValueError("the network cae sees colours: choose genre-cae or genre-v2 for grey")
        return self


class WeightsFile(Settings):
    """Weights at a path or URI."""

    uri: str
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    """The SHA-256 that they must have."""


class BackboneStudySettings(Settings):
    """Fine-tuning of backbones on a label (`artcluster study backbones`; DELIUS, §5.4)."""

    backbones: Annotated[tuple[str, ...], Field(min_length=1)] = (
        "vgg16",
        "resnet50",
        "densenet121",
    )
    """Which: vgg16, resnet50, densenet121, mobilenet_v2; random:NAME is one untrained."""
    weights: dict[str, WeightsFile] = Field(default_factory=dict)
    """By backbone, where its weights lie; else a package's or torchvision's own."""
    input_px: Annotated[int, Field(ge=32, le=1024)] = 224
    seed: Annotated[int, Field(ge=0)] = 0
    """Seeds the split, the heads, the batches and dropout."""
    classes: Annotated[int, Field(ge=2)] | None = None
    """Only the images of so many most frequent labels."""
    min_images: Annotated[int, Field(ge=2)] = 10
    """Labels with fewer images are left out: there would be nothing to validate on."""
    validation_share: Share = 0.1
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.2
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    """Adam's, of the head on the frozen backbone."""
    fine_tuning_rate: Annotated[float, Field(gt=0)] = 1e-4
    """Adam's, of the last convolutional block and the head."""
    patience: Annotated[int, Field(ge=1)] = 2
    """Epochs without a new least validation loss that end a phase."""
    max_epochs: Annotated[int, Field(ge=1)] = 100
    """Epochs of a phase at most."""
    max_steps: Annotated[int, Field(ge=1)] | None = None
    """A budget of each phase, in batches."""
    batch_size: Annotated[int, Field(ge=1)] = 32
    """DELIUS does not state it; Keras's default."""
    max_images: Annotated[int, Field(ge=10)] = 100_000
    """A sample past it. Their pixels are kept in the store, 147 KiB an image of 224 px, and workers
    map them from temporary files of the same size."""
    map_bytes: Annotated[int, Field(ge=0)] = 8 << 30
    """Outputs of the frozen part are kept in a temporary file of at most this size on each worker,
    else computed anew in every epoch."""


class StudySettings(Settings):
    """What is studied, and how."""

    label: str | None = None
    """Metadata column of the genres, or of the classes."""
    genres: GenreStudySettings = GenreStudySettings()
    backbones: BackboneStudySettings = BackboneStudySettings()
