"""The files of a report, with a link to the search put into its pages."""

import mimetypes
from html import escape

from starlette.exceptions import HTTPException
from starlette.responses import Response

from artcluster.errors import StoreError
from artcluster.location import Location
from artcluster.store.blobs import Blobs

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".webp": "image/webp",
}
_ADDED = (
    b'<link rel="stylesheet" href="/live/live.css">'
    b'<script src="/live/live.js" defer></script></head>'
)


class ReportPages:
    """Reads a report, wherever it lies, as it is when asked for."""

    def __init__(self, place: Location) -> None:
        self.place = place
        self._blobs = Blobs(place)

    def exists(self) -> bool:
        """Tell whether there is a report."""
        try:
            return self._blobs.exists("index.html")
        except StoreError:
            return False

    def response(self, path: str, note: str = "") -> Response:
        """Return a file of the report.

        Args:
            path: Its path in the report.
            note: What is told at the top of a page.

        Raises:
            HTTPException: There is none (404).
        """
        content = self._read(path)
        ending = f".{path.rsplit('.', 1)[-1]}"
        kind = _TYPES.get(ending) or mimetypes.guess_type(path)[0] or "application/octet-stream"
        if ending == ".html":
            content = content.replace(b"</head>", _ADDED, 1)
            if note:
                told = f'</header><p class="live-note" role="status">{escape(note)}</p>'
                content = content.replace(b"</header>", told.encode(), 1)
        return Response(content, media_type=kind, headers={"cache-control": "no-cache"})

    def _read(self, path: str) -> bytes:
        parts = path.split("/")
        odd = any(part in ("", ".", "..") or part.startswith(".") for part in parts)
        if odd or "\\" in path or "\0" in path:
            raise HTTPException(404)
        try:
            content = self._blobs.read_if_exists(path)
        except StoreError:
            content = None
        if content is None:
            raise HTTPException(404)
        return content
