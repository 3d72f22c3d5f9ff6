"""Short descriptions of items for messages."""

import reprlib

from artcluster.stages.executor import Item

_LONGEST = 160
_SHORT = reprlib.Repr()
_SHORT.maxlevel, _SHORT.maxstring, _SHORT.maxother = 3, 80, 120


def describe(item: Item) -> str:
    """Return what names an item to a reader, in at most 160 characters.

    >>> describe({"path": "a.jpg"})
    "{'path': 'a.jpg'}"
    """
    try:
        text = _SHORT.repr(item)
    except Exception:
        text = f"<{type(item).__name__}>"
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
