"""Names made of the facts that decide a result: the same facts, the same name."""

import hashlib
import json


def digest(facts: object) -> str:
    """Return 12 hexadecimal digits that stand for facts, which JSON must be able to hold.

    >>> digest({"b": 1, "a": 2}) == digest({"a": 2, "b": 1})
    True
    """
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]
