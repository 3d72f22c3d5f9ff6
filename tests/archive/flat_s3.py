"""A server of S3's listing and reading for keys that other servers tidy up: as they are, flat."""

import http.server
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import parse_qs, quote, unquote, urlsplit
from xml.sax.saxutils import escape

from artcluster.location import Location

BUCKET = "museum"


@dataclass
class FlatS3:
    """A running server: where its bucket is, and how many requests it had by method."""

    location: Location
    requests: Counter[str]


@contextmanager
def flat_s3(objects: dict[str, bytes], page_keys: int = 1000) -> Iterator[FlatS3]:
    """Serve a bucket whose keys are kept to the letter."""
    requests: Counter[str] = Counter()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

        def do_GET(self) -> None:
            requests[self.command] += 1
            parts = urlsplit(self.path)
            asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
            key = unquote(parts.path).removeprefix(f"/{BUCKET}").removeprefix("/")
            if "list-type" in asked:
                self._answer(_page(objects, asked, page_keys), "application/xml")
            elif key in objects:
                self._answer(objects[key], "image/png")
            else:
                self._answer(b"<Error><Code>NoSuchKey</Code></Error>", "application/xml", 404)

        do_HEAD = do_GET

        def _answer(self, body: bytes, kind: str, status: int = 200) -> None:
            asked = self.headers.get("Range", "")
            whole = len(body)
            if asked and status == 200:
                start, _, end = asked.removeprefix("bytes=").partition("-")
                body = body[int(start) : int(end) + 1]
                status = 206
            self.send_response(status)
            if status == 206:
                shown = f"bytes {start}-{int(start) + len(body) - 1}/{whole}"
                self.send_header("Content-Range", shown)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("ETag", '"0f3a"')
            self.send_header("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            options = {
                "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}",
                "AWS_ALLOW_HTTP": "true",
                "AWS_ACCESS_KEY_ID": "key",
                "AWS_SECRET_ACCESS_KEY": "secret",
                "AWS_REGION": "us-east-1",
            }
            yield FlatS3(Location.parse(f"s3://{BUCKET}", options), requests)
        finally:
            server.shutdown()


def _page(objects: dict[str, bytes], asked: dict[str, str], page_keys: int) -> bytes:
    prefix = asked.get("prefix", "")
    after = asked.get("continuation-token", asked.get("start-after", ""))
    keys = sorted(key for key in objects if key.startswith(prefix) and key > after)
    shown = keys[: min(page_keys, int(asked.get("max-keys", page_keys)))]
    encode = quote if asked.get("encoding-type") == "url" else escape
    rows = "".join(
        f"<Contents><Key>{encode(key)}</Key><Size>{len(objects[key])}</Size>"
        "<ETag>&quot;0f3a&quot;</ETag>"
        "<LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>"
        for key in shown
    )
    more = len(shown) < len(keys)
    token = f"<NextContinuationToken>{escape(shown[-1])}</NextContinuationToken>" if more else ""
    coded = "<EncodingType>url</EncodingType>" if encode is quote else ""
    return (
        '<?xml version="1.0"?><ListBucketResult>'
        f"<Name>{BUCKET}</Name><Prefix>{encode(prefix)}</Prefix>{coded}"
        f"<KeyCount>{len(shown)}</KeyCount><IsTruncated>{str(more).lower()}</IsTruncated>"
        f"{token}{rows}</ListBucketResult>"
    ).encode()
