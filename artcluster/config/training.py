"""What can be set about the training of autoencoders."""

from typing import Annotated

from pydantic import Field

from artcluster.config.base import Settings


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
