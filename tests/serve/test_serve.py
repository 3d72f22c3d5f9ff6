"""The server as it is started, by real requests and in a real browser."""

import http.client
import json
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from PIL import Image

from artcluster.store import Store
from artcluster.workflows.clustering.cluster import cluster_archive
from artcluster.workflows.runs import choose_run
from tests.browser import open_browser, visit
from tests.cli.test_commands import run
from tests.curated import ASKED, EVIL, Curated
from tests.workflows.jobs import make_job

REPORT = """<!doctype html><html lang="en" data-root=""><head><title>r</title>
<link rel="icon" href="data:,"></head><body>
<header class="top"><nav><button>x</button></nav></header></body></html>"""


class Server:
    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")

    def ask(
        self, path: str, data: bytes | None = None, **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=120)
        method = "GET" if data is None else "POST"
        connection.request(method, path, data, {k.replace("_", "-"): v for k, v in headers.items()})
        response = connection.getresponse()
        body = response.read()
        connection.close()
        return response.status, {k.lower(): v for k, v in response.getheaders()}, body


@contextmanager
def serving(store: Path, *arguments: str) -> Iterator[Server]:
    process = subprocess.Popen(
        [sys.executable, "-m", "artcluster", "serve", str(store), *arguments],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line.startswith("{"):
            break
    yield Server(json.loads(lines[-1])["url"])
    process.send_signal(signal.SIGINT)
    process.wait(30)


@pytest.fixture(scope="module")
def server(curated: Curated, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    report = tmp_path_factory.mktemp("serve") / "report"
    report.mkdir()
    (report / "index.html").write_text(REPORT)
    (report.parent / "secret.txt").write_text("sesame")
    arguments = ["--report", str(report), "--port", "0", "--json", "--max-upload-bytes", "400000"]
    with serving(curated.store, *arguments) as started:
        yield started


def test_it_listens_on_loopback_alone_and_shows_the_report(server: Server) -> None:
    assert urlsplit(server.url).hostname == "127.0.0.1"
    status, headers, _ = server.ask("/")
    assert (status, headers["location"]) == (307, "/report/index.html")
    status, headers, body = server.ask("/report/index.html")
    assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert b"/live/live.js" in body
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert server.ask("/live/live.js")[0] == 200


@pytest.mark.parametrize(
    "path",
    [
        "/report/../secret.txt",
        "/report/%2e%2e/secret.txt",
        "/report/..%2fsecret.txt",
        "/report//etc/hostname",
        "/report/%2fetc%2fhostname",
        "/report/..%5csecret.txt",
        "/report/x%00.html",
        "/report/",
        "/live/../guard.py",
        "/live/guard.py",
        "/picture/..%2f..%2fsecret",
        "/picture/zz",
    ],
)
def test_paths_lead_nowhere_else(server: Server, path: str) -> None:
    status, _, body = server.ask(path)
    assert status == 404
    assert b"sesame" not in body


def test_foreign_hosts_and_origins_are_refused(server: Server) -> None:
    assert server.ask("/similar", Host="evil.example")[0] == 421
    assert server.ask("/upload", b"x", Origin="http://evil.example")[0] == 403


def test_neighbours_of_a_picture(server: Server) -> None:
    status, _, body = server.ask(f"/similar.json?image={ASKED}&top=4")
    assert status == 200
    found = json.loads(body)
    assert len(found["matches"]) == 4
    assert "uri" not in found["matches"][0]
    status, headers, body = server.ask(f"/picture/{found['matches'][0]['content_id']}")
    assert (status, headers["content-type"], body[8:12]) == (200, "image/webp", b"WEBP")
    # Files of this machine that are no pictures of the store are not looked at.
    for name in ("/etc/hostname", "nowhere.jpg", "page.jpg", "%00", "x" * 3000):
        assert server.ask(f"/similar?image={quote(name)}")[0] == 404


def test_names_are_inert(server: Server) -> None:
    body = server.ask(f"/similar?image={quote(EVIL)}")[2].decode()
    assert "<img src=x" not in body
    body = server.ask("/similar?image=" + quote("<script>alert(1)</script>"))[2].decode()
    assert "<script>alert" not in body


def test_a_picture_handed_in_gets_its_cluster(server: Server, curated: Curated) -> None:
    data = (curated.images / ASKED).read_bytes()
    status, headers, body = server.ask("/upload?top=3", data)
    assert (status, headers["cache-control"]) == (200, "no-store")
    found = json.loads(body)
    inside = json.loads(server.ask(f"/similar.json?image={ASKED}&top=3")[2])
    assert found["matches"] == inside["matches"]
    assert found["cluster"]["cluster"] in range(4)
    assert 0 < found["cluster"]["confidence"] <= 1


def test_what_is_no_picture_or_too_large_is_refused(server: Server) -> None:
    assert server.ask("/upload", b"<html>")[0] == 422
    assert server.ask("/upload", b"")[0] == 422
    assert server.ask("/upload", b"\xff" * 400_001)[0] == 413
    status, _, body = server.ask("/upload", b"\x89PNG\r\n\x1a\n" + b"\0" * 100)
    assert status == 422
    assert b"cannot be used" in body


def test_in_a_browser(server: Server, curated: Curated, tmp_path: Path) -> None:
    Image.open(curated.images / ASKED).convert("RGB").rotate(1).save(tmp_path / "mine.png")
    with open_browser() as browser, visit(browser) as visited:
        page = visited.page
        page.goto(f"{server.url}/")
        page.get_by_role("link", name="Similar").click()
        page.wait_for_url("**/similar")
        page.locator("#some a").first.click()
        page.wait_for_url("**/similar?image=*")
        page.locator("figure.asked img").wait_for()
        assert page.locator(".found figure").count() > 10
        page.set_input_files("#file", tmp_path / "mine.png")
        page.locator("#results figure").first.wait_for()
        assert re.match(r"Cluster \d", page.locator("#told").inner_text())
        assert page.locator("#results figcaption").first.inner_text().startswith((ASKED, "copy"))
        page.goto(f"{server.url}/similar?image={quote(EVIL)}")
        assert page.locator("h2").first.inner_text() == f"Pictures similar to {EVIL}"
        # Pictures still on their way are given up when the page is left.
        given_up = f"failed: {server.url}/picture/"
        assert [each for each in visited.wrong if not each.startswith(given_up)] == []
        assert all(each.startswith((server.url, "blob:", "data:")) for each in visited.requests)


def test_an_address_that_is_taken_is_told(
    server: Server, curated: Curated, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("serve", curated.store, "--host", "256.0.0.1") == 2
    assert "--host" in capsys.readouterr().err


def test_a_new_run_is_drawn_and_shown(curated: Curated, tmp_path: Path) -> None:
    place = tmp_path / "store"
    shutil.copytree(curated.store, place)
    (place / "report").mkdir()
    (place / "report" / "index.html").write_text(REPORT)
    old = choose_run(Store.open(place), None).run_id
    (place / "report" / "run.json").write_text(json.dumps({"run_id": old}))
    with serving(place, "--port", "0", "--json") as server:

        def state() -> dict[str, object]:
            return dict(json.loads(server.ask("/report.json")[2]))

        assert state()["run_id"] == state()["latest_run_id"] == old
        cluster_archive(make_job(place, cluster__method="kmeans", cluster__k=3), None)
        new = choose_run(Store.open(place), None).run_id
        assert new != old
        while state()["run_id"] != new:
            assert not state()["failed"]
            time.sleep(0.2)  # The test's timeout ends it.
        body = server.ask("/report/index.html")[2].decode()
        assert f"run <code>{new}</code>" in body
        assert "live-note" not in body
        data = (curated.images / ASKED).read_bytes()
        assert json.loads(server.ask("/upload", data)[2])["cluster"]["cluster"] in range(3)
        assert new in server.ask("/similar")[2].decode()
