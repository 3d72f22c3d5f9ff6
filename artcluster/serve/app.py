"""The server's addresses: the report, the search, and pictures."""

import re
from collections.abc import Collection
from dataclasses import asdict
from importlib.resources import files

from jinja2 import Environment, PackageLoader
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from artcluster.serve.guard import Guard
from artcluster.serve.live import Live
from artcluster.serve.live_report import LiveReport, State
from artcluster.workflows.searching.similar import Similar, match_words

_CONTENT_ID = re.compile(r"[0-9a-f]{64}")
_FILES = {
    "live.js": ("artcluster.serve", "static/live.js", "text/javascript; charset=utf-8"),
    "live.css": ("artcluster.serve", "static/live.css", "text/css; charset=utf-8"),
    "style.css": ("artcluster.pages", "static/style.css", "text/css; charset=utf-8"),
}
_MOST = 200


def make_app(
    live: Live, report: LiveReport, hosts: Collection[str], max_upload_bytes: int
) -> ASGIApp:
    """Return the application.

    Args:
        live: Answers questions about the store.
        report: The pages of the run that is shown.
        hosts: Names this server is called by.
        max_upload_bytes: Larger pictures are refused unread.
    """
    pages = Environment(loader=PackageLoader("artcluster.serve"), autoescape=True)
    pages.globals.update(words=match_words, has_report=lambda: report.pages.exists())

    def page(**values: object) -> HTMLResponse:
        told = _note(report.look())
        text = pages.get_template("search.html").render(run=live.run, note=told, **values)
        return HTMLResponse(text)

    def first(_request: Request) -> Response:
        report.look()
        return RedirectResponse("/report/index.html" if report.pages.exists() else "/similar")

    def report_file(request: Request) -> Response:
        path = request.path_params["path"]
        note = _note(report.look()) if path.endswith(".html") else ""
        before = report.pages_before
        try:
            return report.pages.response(path, note)
        except HTTPException:
            # Pages opened before the last change still want their pictures.
            if before is None or not path.endswith(".webp"):
                raise
            return before.response(path)

    def report_json(_request: Request) -> Response:
        return JSONResponse(asdict(report.look()), headers={"cache-control": "no-store"})

    def similar(request: Request) -> Response:
        name = request.query_params.get("image", "").strip()
        if not name:
            return page(some=live.some(48))
        answer = live.similar(name, _top(request))
        if answer is None:
            shown = page(unknown=name, some=live.some(48))
            shown.status_code = 404
            return shown
        return page(answer=answer)

    def similar_json(request: Request) -> Response:
        answer = live.similar(request.query_params.get("image", ""), _top(request))
        if answer is None:
            raise HTTPException(404, "There is no such picture in the store.")
        return JSONResponse(_public(answer))

    def picture(request: Request) -> Response:
        content_id = request.path_params["content_id"]
        copy = live.copy(content_id) if _CONTENT_ID.fullmatch(content_id) else None
        if copy is None:
            raise HTTPException(404)
        kept = {"cache-control": "private, max-age=86400, immutable"}
        return Response(copy, media_type="image/webp", headers=kept)

    async def upload(request: Request) -> Response:
        data = await _body(request, max_upload_bytes)
        answer, cluster = await run_in_threadpool(live.uploaded, data, _top(request))
        if answer.reason:
            raise HTTPException(422, f"This picture cannot be used: {answer.reason}")
        told = _public(answer) | {"cluster": None if cluster is None else asdict(cluster)}
        return JSONResponse(told, headers={"cache-control": "no-store"})

    def own_file(request: Request) -> Response:
        found = _FILES.get(request.path_params["name"])
        if found is None:
            raise HTTPException(404)
        package, path, kind = found
        content = (files(package) / path).read_bytes()
        return Response(content, media_type=kind, headers={"cache-control": "no-cache"})

    app = Starlette(
        routes=[
            Route("/", first),
            Route("/report.json", report_json),
            Route("/report/{path:path}", report_file),
            Route("/similar", similar),
            Route("/similar.json", similar_json),
            Route("/picture/{content_id}", picture),
            Route("/upload", upload, methods=["POST"]),
            Route("/live/{name}", own_file),
        ]
    )
    return Guard(app, hosts)


def _note(state: State) -> str:
    """Return what pages tell of a run that is newer than theirs; '' where there is none."""
    if state.drawing:
        return (
            f"The report of run {state.latest_run_id} is being generated and will appear when it "
            f"is complete. Until then you see run {state.run_id}."
            if state.run_id != state.latest_run_id
            else f"The report of run {state.run_id} is being generated."
        )
    if state.failed:
        return (
            f"The report of run {state.latest_run_id} could not be generated: see the server's log."
        )
    return ""


async def _body(request: Request, most: int) -> bytes:
    """Read what is sent, and stop reading where it is too much."""
    refused = HTTPException(413, f"This file is too large: the limit is {most:,} bytes.")
    length = request.headers.get("content-length", "0")
    if not length.isdigit() or int(length) > most:
        raise refused
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > most:
            raise refused
    if not body:
        raise HTTPException(422, "Expected the bytes of a picture, got none.")
    return bytes(body)


def _top(request: Request) -> int:
    text = request.query_params.get("top", "24")
    return min(_MOST, max(1, int(text))) if text.isascii() and text.isdigit() else 24


def _public(answer: Similar) -> dict[str, object]:
    """Return an answer without the places of files on this machine."""
    matches = [
        {
            "content_id": each.content_id,
            "path": each.path,
            "distance": each.distance,
            "cluster": each.cluster,
            "cluster_name": each.cluster_name,
            "words": match_words(each),
        }
        for each in answer.matches
    ]
    return {"asked": answer.asked, "content_id": answer.content_id, "matches": matches}
