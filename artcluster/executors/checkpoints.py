"""The latest checkpoint of a training job, one object beside the store's models.

Both executors keep checkpoints the same way, so that what began in one process goes on on a
cluster. A state is tensors, numbers, strings and containers of these, and is read back as nothing
else: a checkpoint never runs code.
"""

import io
import re
from dataclasses import dataclass
from typing import Any

import obstore
import torch

from artcluster.errors import StoreError, UsageError
from artcluster.location import Location

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._=-]*(/[A-Za-z0-9][A-Za-z0-9._=-]*)*")


@dataclass(frozen=True)
class Checkpoints:
    """Where the checkpoint of one training job lies; picklable.

    Attributes:
        place: The folder of all training jobs' checkpoints.
        name: The job's name; a later job of the same name goes on from its checkpoint.
    """

    place: Location
    name: str

    @classmethod
    def at(cls, checkpoint_uri: str | Location, name: str) -> "Checkpoints":
        """Check a name and resolve a URI.

        Raises:
            UsageError: The name is not made of letters, digits, '.', '_', '=', '-' and '/'.
        """
        if not _NAME.fullmatch(name):
            raise UsageError(
                f"Expected a training job's name of letters, digits, '.', '_', '=', '-' and '/', "
                f"got {name!r}."
            )
        if not isinstance(checkpoint_uri, Location):
            checkpoint_uri = Location.parse(checkpoint_uri)
        return cls(checkpoint_uri, name)

    @property
    def key(self) -> str:
        """The object's key below `place`."""
        return f"{self.name}/checkpoint.pt"

    def load(self) -> dict[str, Any] | None:
        """Return the state saved last, on the CPU, or None if there is none.

        Raises:
            StoreError: What lies there is not a checkpoint.
        """
        store = self.place.objects(create=True)
        try:
            saved = bytes(obstore.get(store, self.key).bytes())
        except FileNotFoundError:
            return None
        try:
            state: dict[str, Any] = torch.load(
                io.BytesIO(saved), map_location="cpu", weights_only=True
            )
        except Exception as error:
            raise StoreError(
                f"Expected a checkpoint of tensors, numbers and strings at "
                f"{self.place.child(self.key)}, and it cannot be read ({error}). Delete it to "
                "train from the start."
            ) from error
        return state

    def save(self, state: dict[str, Any]) -> None:
        """Replace the saved state; a reader sees the old one or the new one whole.

        Raises:
            TypeError: The state holds something that could not be read back.
        """
        file = io.BytesIO()
        torch.save(state, file)
        written = file.getvalue()
        try:
            torch.load(io.BytesIO(written), map_location="meta", weights_only=True)
        except Exception as error:
            raise TypeError(
                f"A checkpoint holds tensors, numbers, strings and containers of these: {error}"
            ) from error
        obstore.put(self.place.objects(create=True), self.key, written)
