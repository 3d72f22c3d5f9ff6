"""Data for the pages, as scripts: pages opened from disk may not fetch files, but load scripts."""

import base64
import json
from typing import Any

import numpy as np


def script(name: str, value: Any) -> bytes:
    """Return a script that hands a value over under a name.

    Inert whatever the value holds: it is JSON, in ASCII, and no `<` is left in it.

    >>> script("a", "</script>")
    b'artcluster.data("a",JSON.parse("\\\\"\\\\\\\\u003c/script>\\\\""));\\n'
    """
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":")).replace("<", "\\u003c")
    return f"artcluster.data({json.dumps(name)},JSON.parse({json.dumps(text)}));\n".encode("ascii")


def packed(array: np.ndarray) -> str:
    """Return an array's little-endian bytes in base64.

    >>> packed(np.array([1, 2], np.uint16))
    'AQACAA=='
    """
    data = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    return base64.b64encode(data.tobytes()).decode()
