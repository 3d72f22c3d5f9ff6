"""Which files of an archive are listed. Whether one is a picture is decided by its content."""

import re
from collections.abc import Iterable

from artcluster.archive.globs import compile_glob
from artcluster.errors import UsageError

SYSTEM_NAMES = frozenset(
    {
        "Thumbs.db",
        "desktop.ini",
        "__MACOSX",
        "@eaDir",
        "#recycle",
        "$RECYCLE.BIN",
        "System Volume Information",
        "lost+found",
    }
)
"""Files and folders that operating systems and network drives leave about."""

_NOT_PICTURE = re.compile(
    r"(?is).*\.("
    r"7z|aac|aae|avi|bz2|cfg|csv|db|doc|docx|flac|gz|htm|html|ini|js|json|jsonl|log|"
    r"m4a|md|mkv|mov|mp3|mp4|mpg|ods|odt|ogg|parquet|pdf|ppt|pptx|py|rar|rtf|sh|"
    r"sqlite|sql|tar|tsv|txt|wav|webm|xls|xlsx|xmp|xml|yaml|yml|zip"
    r")"
)
"""Files that are surely no pictures, by extension (SVG and EPS are pictures, and rejects)."""


class Selection:
    """Decides by a path alone whether it is listed.

    Without `include`, everything is taken but hidden and system files, and files whose extension
    says that they are surely no pictures. With it, what one of its globs matches, whatever the
    extension; hidden files only where a glob names a folder or file that begins with a dot.
    `exclude` always leaves out.

    >>> Selection().refusal("a/b.jpg"), Selection().refusal("a/.b.jpg")
    (None, 'hidden')
    >>> Selection(include=["**/*.pdf"]).refusal("a/b.pdf")
    """

    def __init__(self, include: Iterable[str] = (), exclude: Iterable[str] = ()) -> None:
        include, exclude = tuple(include), tuple(exclude)
        self._include = _compile(include, "include")
        self._exclude = _compile(exclude, "exclude")
        self._hidden_too = any(is_hidden(name) for glob in include for name in glob.split("/"))

    def enters(self, folder: str) -> bool:
        """Tell whether to look into a folder of this name."""
        return self._hidden_too or not is_hidden(folder)

    def refusal(self, path: str) -> str | None:
        """Return why a path is not listed, or None if it is."""
        if self._exclude and self._exclude.match(path):
            return "excluded"
        if self._include and not self._include.match(path):
            return "not-included"
        if not self._hidden_too and any(map(is_hidden, path.split("/"))):
            return "hidden"
        if not self._include and _NOT_PICTURE.fullmatch(path):
            return "not-a-picture"
        return None


def is_hidden(name: str) -> bool:
    """Tell whether a file's or folder's name marks it as hidden or the system's own."""
    return name.startswith(".") or name in SYSTEM_NAMES


def _compile(globs: tuple[str, ...], argument: str) -> re.Pattern[str] | None:
    if not globs:
        return None
    try:
        return re.compile("|".join(f"(?:{compile_glob(glob).pattern})" for glob in globs))
    except (ValueError, re.error) as error:
        raise UsageError(f"{argument}: {error} in {', '.join(globs)}.") from None
