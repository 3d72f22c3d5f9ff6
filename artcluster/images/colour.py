"""Pictures of any of Pillow's modes, brought to 8-bit sRGB on white."""

from PIL import Image

from artcluster.images.colour_profile import lab_to_srgb, to_srgb
from artcluster.images.depth import DEEP_MODES, deep_to_grey

_WHITE = (255, 255, 255)
_PROFILED = ("L", "RGB", "CMYK")


def to_rgb(image: Image.Image) -> Image.Image:
    """Return a loaded picture in mode RGB, as `PixelPolicy` states for each mode."""
    profile = image.info.get("icc_profile")
    if image.mode in DEEP_MODES:
        image = deep_to_grey(image)
    alpha = None
    if image.has_transparency_data:
        image = image.convert("LA" if image.mode in ("LA", "La") else "RGBA")
        alpha = image.getchannel("A")
        image = image.convert("L" if image.mode == "LA" else "RGB")
    if image.mode == "LAB":
        return lab_to_srgb(image)
    if image.mode not in _PROFILED:
        image = image.convert("L" if image.mode == "1" else "RGB")
    rgb = to_srgb(image, profile if isinstance(profile, bytes) else None)
    if alpha is None:
        return rgb
    on_white = Image.new("RGB", rgb.size, _WHITE)
    on_white.paste(rgb, mask=alpha)
    return on_white
