"""Globs over paths with '/' between folders."""

import os
import re

from fsspec.utils import glob_translate

_MAGIC = re.compile(r"[*?\[{]")
_BRACES = re.compile(r"\{([^{}]*)\}")


def compile_glob(pattern: str) -> re.Pattern[str]:
    """Compile a glob that is to match a whole path.

    `*` and `?` stay within a folder, `**` spans folders (none too), `[ab]` is one character of
    several, `{a,b}` one of several texts.

    Raises:
        ValueError: `**` is not a whole folder of the pattern.

    >>> bool(compile_glob("**/*.{jpg,png}").match("a/b/c.png"))
    True
    >>> bool(compile_glob("*.jpg").match("a/b.jpg"))
    False
    """
    return re.compile("|".join(glob_translate(plain) for plain in _expand_braces(pattern)))


def split_glob(path_or_uri: str) -> tuple[str, str | None]:
    """Split what a user wrote into the folder above its first wildcard, and the glob below it.

    A local path that exists as written is no glob, whatever characters it holds.

    >>> split_glob("s3://museum/scans/2026-*/**/*.tif")
    ('s3://museum/scans', '2026-*/**/*.tif')
    >>> split_glob("s3://museum/scans")
    ('s3://museum/scans', None)
    """
    query = path_or_uri.startswith(("http://", "https://"))
    if "::" in path_or_uri or query or not _MAGIC.search(path_or_uri):
        return path_or_uri, None
    if "://" not in path_or_uri and os.path.lexists(os.path.expanduser(path_or_uri)):  # noqa: PTH111
        return path_or_uri, None
    segments = path_or_uri.split("/")
    first = next(i for i, segment in enumerate(segments) if _MAGIC.search(segment))
    root = "/".join(segments[:first])
    if not root:
        root = "/" if path_or_uri.startswith("/") else "."
    return root, "/".join(segments[first:])


def _expand_braces(pattern: str) -> list[str]:
    found = _BRACES.search(pattern)
    if found is None:
        return [pattern]
    before, after = pattern[: found.start()], pattern[found.end() :]
    return [
        expanded
        for choice in found[1].split(",")
        for expanded in _expand_braces(before + choice + after)
    ]
