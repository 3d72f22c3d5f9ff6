"""Names of files and folders that every filesystem takes and no shell trips over."""

import re
import unicodedata

_LONGEST_BYTES = 180
_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*]')
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")


def safe_name(text: str) -> str:
    r"""Return a text as the name of a file or folder.

    Characters that Windows forbids, control characters and signs that turn the direction of
    writing become '_'; names do not begin with a dash or a dot, nor end with a dot or a space.

    >>> safe_name("Saints <& sinners>: 1/2?")
    'Saints _& sinners__ 1_2_'
    >>> safe_name("../../etc"), safe_name("nul.txt"), safe_name(" .\u202egnp ")
    ('__.._etc', '_nul.txt', '__gnp')
    """
    text = unicodedata.normalize("NFC", text)
    text = "".join("_" if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co") else c for c in text)
    text = _FORBIDDEN.sub("_", text).strip()
    text = re.sub(r"^[.\-~]+", "_", text).rstrip(". ")
    return _cut(f"_{text}" if _RESERVED.fullmatch(text) else text, _LONGEST_BYTES) or "_"


def safe_file_name(path: str) -> str:
    """Return the last part of a path as a safe name; a long one keeps its ending.

    >>> safe_file_name("constellations/aztec/a?b.jpg")
    'a_b.jpg'
    >>> name = safe_file_name("ü" * 300 + ".jpeg"); len(name.encode()), name[-6:]
    (179, 'ü.jpeg')
    """
    name = path.rsplit("/", 1)[-1]
    stem, dot, ending = name.rpartition(".")
    if not dot or not stem or len(ending) > 8:
        return safe_name(name)
    ending = safe_name(ending)
    return f"{_cut(safe_name(stem), _LONGEST_BYTES - len(ending.encode()) - 1)}.{ending}"


def _cut(text: str, size_bytes: int) -> str:
    return text.encode()[:size_bytes].decode(errors="ignore").rstrip(". ")
