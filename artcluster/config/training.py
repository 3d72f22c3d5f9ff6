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
    pixels are kept in the store and in memory, 48 KiB an image."""
