"""A place where a remote process leaves one value for the driver."""

from typing import Any


class Mailbox:
    """Holds what was put last."""

    def __init__(self) -> None:
        self._value: Any = None

    def put(self, value: Any) -> None:
        """Leave a value; it takes the place of an earlier one."""
        self._value = value

    def is_full(self) -> bool:
        """Return whether a value waits."""
        return self._value is not None

    def take(self) -> Any:
        """Return the value, or None, and forget it."""
        value, self._value = self._value, None
        return value
