"""What pages are drawn with: templates, scripts with data, colours of clusters."""

import base64
import hashlib
import json
import math
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined


def page_templates() -> Environment:
    """Return the environment of all templates."""
    return Environment(
        loader=PackageLoader("artcluster.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def content_hash(text: str) -> str:
    """Return the hash by which a content security policy allows an inline style or script."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


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


_GOLDEN_TURN = 137.508
_RINGS = ((0.58, 0.125), (0.48, 0.10), (0.68, 0.105))
_LIFT_ON_DARK = 0.14


def cluster_colour(number: int, *, dark: bool = False) -> str:
    """Return the colour of the cluster in a place of the order, as `#rrggbb`.

    Hues go round by the golden angle, so that neighbours in the order differ; every twelve the
    lightness changes. Noise (−1) is grey.

    >>> cluster_colour(-1)
    '#8a8a8a'
    >>> len({cluster_colour(number) for number in range(36)})
    36
    """
    if number < 0:
        return "#8a8a8a"
    lightness, chroma = _RINGS[number // 12 % len(_RINGS)]
    hue = math.radians((30 + number * _GOLDEN_TURN) % 360)
    return _from_oklch(lightness + (_LIFT_ON_DARK if dark else 0), chroma, hue)


def _from_oklch(lightness: float, chroma: float, hue: float) -> str:
    """Convert OKLCH to sRGB. Source: Ottosson 2020, A perceptual color space."""
    a, b = chroma * math.cos(hue), chroma * math.sin(hue)
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    linear = (
        4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
    )
    return "#" + "".join(f"{round(255 * _gamma(value)):02x}" for value in linear)


def _gamma(value: float) -> float:
    value = min(1.0, max(0.0, value))
    return 12.92 * value if value <= 0.0031308 else 1.055 * value ** (1 / 2.4) - 0.055
