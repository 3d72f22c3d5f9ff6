"""The rows of a listing: what is known of a file before its bytes are read."""

import hashlib
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from urllib.parse import quote, unquote_to_bytes

import pyarrow as pa
from fsspec.utils import glob_translate

from artcluster.errors import ArchiveError, UsageError
from artcluster.location import Location

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


_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def archive_id_of(location: Location, pattern: str | None = None) -> str:
    """Return an archive's default name: a readable part of its address and a hash of the whole.

    >>> archive_id_of(Location.parse("s3://museum/Scans 2026"))
    'scans-2026-b8e9f83b'
    """
    address = location.uri if pattern is None else f"{location.uri}\n{pattern}"
    digest = hashlib.sha256(address.encode(errors="surrogateescape")).hexdigest()[:8]
    return f"{slug(location.uri.rstrip('/').rpartition('/')[2])}-{digest}"


def check_archive_id(archive_id: str) -> str:
    """Return a name given by the user.

    Raises:
        UsageError: It could not be a folder's name everywhere.
    """
    if not _ID.fullmatch(archive_id):
        raise UsageError(
            f"archive id: expected up to 100 letters, digits, '.', '_' or '-', beginning with a "
            f"letter or digit, got {archive_id!r}."
        )
    return archive_id


def slug(text: str) -> str:
    """Return lower-case ASCII letters, digits and '-' for a text.

    >>> slug("Musée d'Orsay (1/2)")
    'musee-d-orsay-1-2'
    """
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", ascii_text).strip("-")[:40].strip("-") or "archive"


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
    r"m4a|md|mkv|mov|mp3|mp4|mpg|ods|odt|ogg|parquet|ppt|pptx|py|rar|rtf|sh|"
    r"sqlite|sql|tar|tsv|txt|wav|webm|xls|xlsx|xmp|xml|yaml|yml|zip"
    r")"
)
"""Files that are surely no pictures, by extension. SVG and EPS are pictures, and rejects; a PDF may
be a scan."""


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


_UNREACHABLE_LIMIT = 10_000

_SHOWN_PER_REASON = 10_000

MISSING = "missing"

NO_ANSWER = "no-answer"

LEFT_OUT_REASONS = {
    MISSING: "named by the list, and not there",
    NO_ANSWER: "named by the list, and its server or disk does not answer; tried again each time",
    "no-address": "a row of the list without an address",
    "excluded": "matches --exclude",
    "not-included": "matches no --include",
    "hidden": "a hidden file, or one of the operating system's; a folder counts once",
    "not-a-picture": "has the ending of texts, tables, films or sound",
    "not-a-file": "a device, pipe or socket",
    "folder-marker": "an empty object that marks a folder",
    "dot-segment": "has . or .. in the place of a folder's name",
    "broken-link": "a link that leads nowhere",
    "link-loop": "a link to a folder that it lies in",
    "unreadable-folder": "a folder that cannot be read, by archive.skip_unreadable",
    "vanished": "went away while it was listed",
    "store": "a store inside the archive",
}
"""Why something is not listed → in words."""


@dataclass(frozen=True)
class LeftOut:
    """A path that was not listed, and why."""

    path: str
    uri: str
    reason: str


@dataclass
class Tally:
    """What was not listed.

    Attributes:
        skipped: Reason → count. A hidden folder of a local disk counts as one.
        unreachable: Folders that could not be read and links that lead nowhere. What is known
            below them is not taken for removed.
    """

    skipped: Counter[str] = field(default_factory=Counter)
    unreachable: list[str] = field(default_factory=list)
    _left_out: list[LeftOut] = field(default_factory=list)

    def skip(self, reason: str, path: str, uri: str = "") -> None:
        """Count one file or folder that is not listed, and keep the first ones' paths."""
        self.skipped[reason] += 1
        if reason == MISSING or self.skipped[reason] <= _SHOWN_PER_REASON:
            self._left_out.append(LeftOut(path, uri, reason))

    def restore(self, paths: Collection[str]) -> None:
        """Forget that these paths, not taken yet, were left out."""
        for each in self._left_out:
            if each.path in paths:
                self.skipped[each.reason] -= 1
        self.skipped = +self.skipped
        self._left_out = [each for each in self._left_out if each.path not in paths]

    def take(self) -> list[LeftOut]:
        """Return what was left out since the last call."""
        taken, self._left_out = self._left_out, []
        return taken

    def lose(self, path: str, reason: str) -> None:
        """Record a path that could not be looked at.

        Raises:
            ArchiveError: There are so many of them that the listing is worth nothing.
        """
        self.skip(reason, path)
        self.unreachable.append(path)
        if len(self.unreachable) > _UNREACHABLE_LIMIT:
            raise ArchiveError(
                f"More than {_UNREACHABLE_LIMIT:,} folders or links of the archive cannot be read, "
                f"the last at {path!r}. Check that all its disks and shares are mounted."
            )


ENTRIES = pa.schema(
    [
        pa.field("path", pa.string(), nullable=False),
        pa.field("uri", pa.string(), nullable=False),
        pa.field("size_bytes", pa.int64()),
        pa.field("version", pa.string()),
    ]
)
"""One listed file: path below the archive's root ('/' between folders), where its bytes lie,
its size, and its change marker (etag, else modification time in nanoseconds). Size and version
are null where a list of addresses is taken without asking for them."""


BATCH_ROWS = 8192


_UNDECODABLE = "file://localhost"


class EntryBuffer:
    """Collects entries and hands them out as record batches of bounded size."""

    def __init__(self) -> None:
        self._clear()

    def add(self, path: str, uri: str, size_bytes: int | None, version: str | None) -> None:
        """Append one entry."""
        self._paths.append(path)
        self._uris.append(uri)
        self._sizes.append(size_bytes)
        self._versions.append(version)

    def full(self) -> Iterator[pa.RecordBatch]:
        """Yield the batch if it is full."""
        if len(self._paths) >= BATCH_ROWS:
            yield from self.rest()

    def rest(self) -> Iterator[pa.RecordBatch]:
        """Yield what is left, if anything."""
        if self._paths:
            columns = [self._paths, self._uris, self._sizes, self._versions]
            arrays = [
                pa.array(column, field.type) for column, field in zip(columns, ENTRIES, strict=True)
            ]
            self._clear()
            yield pa.record_batch(arrays, schema=ENTRIES)

    def _clear(self) -> None:
        self._paths: list[str] = []
        self._uris: list[str] = []
        self._sizes: list[int | None] = []
        self._versions: list[str | None] = []


def is_text(name: str) -> bool:
    """Tell whether a name from a local disk is valid Unicode, so that a table can hold it.

    >>> is_text("Dürer.jpg"), is_text(os.fsdecode(b"D\\xfcrer.jpg"))
    (True, False)
    """
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def printable(name: str) -> str:
    r"""Return a name with the bytes that are not valid UTF-8 percent-escaped.

    >>> printable(os.fsdecode(b"D\xfcrer 100%.jpg"))
    'D%FCrer 100%.jpg'
    """
    return "".join(
        f"%{ord(char) - 0xDC00:02X}" if 0xDC80 <= ord(char) <= 0xDCFF else char for char in name
    )


def local_uri(file: str) -> str:
    r"""Return where a local file lies: its plain path, or a file URI if that is not valid UTF-8.

    Only names that are not valid UTF-8 get a URI, told from plain paths by its host.

    >>> local_uri("/a/100% #1.jpg")
    '/a/100% #1.jpg'
    >>> local_uri(os.fsdecode(b"/a/D\xfcrer.jpg"))
    'file://localhost/a/D%FCrer.jpg'
    """
    return file if is_text(file) else _UNDECODABLE + quote(os.fsencode(file))


def local_file(uri: str) -> str:
    r"""Return the local file that `local_uri` named.

    >>> local_file("file://localhost/a/D%FCrer.jpg") == os.fsdecode(b"/a/D\xfcrer.jpg")
    True
    """
    if not uri.startswith(_UNDECODABLE):
        return uri
    return os.fsdecode(unquote_to_bytes(uri.removeprefix(_UNDECODABLE)))
