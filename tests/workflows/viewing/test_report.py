"""Reports as a browser shows them: opened from disk, used, and given hostile names."""

import csv
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from artcluster.errors import UsageError
from artcluster.location import Location
from artcluster.pages.findings import Findings
from artcluster.pages.site import POLICY
from artcluster.schema import CLUSTERS
from artcluster.workflows.clustering.cluster import cluster_archive
from artcluster.workflows.embedding.embed import embed_archive
from artcluster.workflows.viewing.report.make import ReportSummary, make_report
from artcluster.workflows.viewing.report.page import Report, ReportPage
from artcluster.workflows.viewing.report.pages import PAGES
from tests.browser import open_browser, visit
from tests.workflows.jobs import DEMO, copy_pictures, make_job

SCRIPT = "<script>alert(1)</script>.jpg"
ATTRIBUTE = '"><img src=x onerror=alert(2)>.png'
TITLE = "</script><script>alert(3)</script><b onclick=alert(4)>Title & more</b>"
STYLE = "<img src=x onerror=alert(5)> baroque"
QUICK = {"map__iterations": 30, "map__early_iterations": 20, "cluster__restarts": 2}
SETTINGS = {
    **QUICK,
    "cluster__method": "kmeans",
    "cluster__k": 3,
    "cluster__labels": ["style"],
    "report__number_column": "number",
    "report__title": "Prints <i>& drawings</i>",
}
NAMES = ["index", "map", "distribution", "runs", "rejects", "clusters/0", "clusters/1"]


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures under hostile names, metadata full of HTML, a cut file and a text."""
    root = tmp_path_factory.mktemp("archive")
    images = root / "images"
    pictures = copy_pictures(images, 26)
    hostile = images / SCRIPT
    hostile.parent.mkdir(parents=True)
    pictures[0].rename(hostile)
    pictures[1].rename(images / ATTRIBUTE)
    shutil.copy(DEMO / "images/drawings/people/truncated.jpg", images / "truncated.jpg")
    (images / "page.jpg").write_text("<html><script>alert(6)</script>")
    rows = [
        (path.relative_to(images).as_posix(), TITLE, STYLE if number % 2 else "plain", number)
        for number, path in enumerate(sorted(images.rglob("*.*")))
    ]
    with (root / "metadata.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("path", "title", "style", "number"), *rows])
    return root


@pytest.fixture(scope="module")
def made(archive: Path) -> ReportSummary:
    job = make_job(archive / "store", metadata__source=str(archive / "metadata.csv"), **SETTINGS)
    embed_archive(job, str(archive / "images"))
    cluster_archive(job, None)
    return make_report(job, None, None, None)


@pytest.fixture(scope="module")
def report(archive: Path, made: ReportSummary) -> Path:
    return archive / "store" / "report"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as opened:
        yield opened


def go(page: Page, report: Path, name: str) -> None:
    page.goto(f"file://{report}/{name}")
    if name.startswith("map"):
        page.locator("#map[data-ready=true]").wait_for()


def test_the_summary_says_what_to_open(made: ReportSummary, report: Path) -> None:
    assert made.first_page == str(report / "index.html")
    assert (made.images, made.clusters, made.unread) == (26, 3, 0)
    files = [file for file in report.rglob("*") if file.is_file() and file.name != "files.json"]
    assert made.size_bytes == sum(file.stat().st_size for file in files)


@pytest.mark.parametrize(("scheme", "phone"), [("light", False), ("dark", True)])
def test_pages_load_clean_from_disk(
    browser: Browser, report: Path, scheme: str, phone: bool
) -> None:
    with visit(browser, scheme=scheme, phone=phone) as visited:
        page = visited.page
        for name in NAMES:
            go(page, report, f"{name}.html")
            policy = page.locator("meta[http-equiv=Content-Security-Policy]")
            assert policy.get_attribute("content") == POLICY
            assert page.evaluate(UNNAMED) == [], name
            assert page.evaluate("document.documentElement.scrollWidth") <= (
                390 if phone else 1280
            ), name
        own = (f"file://{report}/", "data:")
        assert [url for url in visited.requests if not url.startswith(own)] == []
        assert visited.wrong == []


UNNAMED = """() => {
  const wrong = [];
  const name = (e) => (e.getAttribute("aria-label") || e.getAttribute("alt") || e.textContent ||
    [...(e.labels || [])].map((l) => l.textContent).join("")).trim();
  for (const e of document.querySelectorAll("a[href], button, input, select, img, [role=img]"))
    if (!name(e)) wrong.push(e.outerHTML);
  if (document.querySelectorAll("h1").length !== 1) wrong.push("headings");
  if (!document.documentElement.lang) wrong.push("language");
  const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
  if (new Set(ids).size !== ids.length) wrong.push("ids twice");
  for (const e of document.querySelectorAll("[onclick], [onerror], [onload]"))
    wrong.push(e.outerHTML);
  return wrong;
}"""


def test_hostile_names_and_metadata_are_text(browser: Browser, report: Path) -> None:
    with visit(browser) as visited:
        page = visited.page
        told = ""
        for cluster in range(3):
            go(page, report, f"clusters/{cluster}.html")
            for link in page.locator("#sample ~ .gallery a").all():
                link.click()
                told += page.locator("#lightbox").inner_text()
                page.keyboard.press("Escape")
        for text in (SCRIPT, ATTRIBUTE, TITLE, STYLE):
            assert text in told
        go(page, report, "map.html")
        page.get_by_label("Search by name").fill("onerror=alert(2)")
        page.locator("#found button").first.click()
        expect(page.locator("#tip")).to_contain_text(TITLE)
        page.locator("#field").select_option("style")
        page.locator("#value").select_option(STYLE)
        go(page, report, "rejects.html")
        expect(page.locator("main")).to_contain_text("page.jpg")
        assert page.title() == "Rejects · Prints <i>& drawings</i>"
        assert visited.wrong == []


def test_the_map_draws_its_points(browser: Browser, report: Path) -> None:
    with visit(browser) as visited:
        page = visited.page
        go(page, report, "map.html")
        assert page.evaluate("artcluster.map.size") == 26
        expect(page.locator("#map-state")).to_have_text("26 images")
        colours = page.evaluate(
            """() => new Promise((done) => {
                artcluster.map.pan(1, 0);
                requestAnimationFrame(() => {
                    const gl = document.getElementById("points").getContext("webgl2");
                    const { drawingBufferWidth: w, drawingBufferHeight: h } = gl;
                    const pixels = new Uint8Array(4 * w * h), seen = new Set();
                    gl.readPixels(0, 0, w, h, gl.RGBA, gl.UNSIGNED_BYTE, pixels);
                    for (let i = 0; i < pixels.length; i += 4)
                        if (pixels[i + 3]) seen.add(pixels.slice(i, i + 3).join());
                    done(seen.size);
                });
            })"""
        )
        assert colours == 3
        assert visited.wrong == []


def point(page: Page, index: int) -> tuple[float, float]:
    box = page.locator("#map").bounding_box()
    assert box is not None
    x, y = page.evaluate(f"[artcluster.map.toX({index}), artcluster.map.toY({index})]")
    return box["x"] + x, box["y"] + y


def test_hover_click_and_permalinks(browser: Browser, report: Path) -> None:
    with visit(browser) as visited:
        page = visited.page
        go(page, report, "map.html")
        page.mouse.move(*point(page, 0))
        expect(page.locator("#tip")).to_be_visible()
        picture = page.locator(".tip-picture").evaluate("e => e.style.backgroundImage")
        assert "thumbnails/128/" in picture
        page.mouse.click(*point(page, 0))
        page.wait_for_url("**/clusters/*.html#*")
        expect(page.locator("#lightbox")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.locator("#lightbox")).to_be_hidden()
        page.wait_for_url("**/clusters/*.html")

        first = page.locator("figure a").first
        first.focus()
        page.keyboard.press("Enter")
        page.wait_for_url(f"**{first.get_attribute('href')}")
        address = page.url
        page.keyboard.press("ArrowRight")
        page.wait_for_url(lambda url: "#" in url and url != address)
        page.keyboard.press("Escape")
        page.goto("about:blank")
        page.goto(address)
        expect(page.locator("#lightbox")).to_be_visible()
        assert visited.wrong == []


def test_filter_search_and_keys_of_the_map(browser: Browser, report: Path) -> None:
    with visit(browser) as visited:
        page = visited.page
        go(page, report, "map.html")
        state = page.locator("#map-state")
        legend = page.locator("#legend button").first
        size = legend.locator(".quiet").inner_text()
        legend.click()
        expect(state).to_have_text(f"{size} of 26 images")
        expect(legend).to_have_attribute("aria-pressed", "true")
        page.locator("#field").select_option("style")
        page.locator("#value").select_option("plain")
        both = state.inner_text()
        address = page.url
        page.get_by_role("button", name="Show all").click()
        expect(state).to_have_text("26 images")
        page.get_by_label("Search by name").fill("onerror")
        expect(page.locator("#found li")).to_have_count(1)
        expect(state).to_have_text("1 of 26 images")

        page.goto("about:blank")
        page.goto(address)
        page.locator("#map[data-ready=true]").wait_for()
        expect(state).to_have_text(both)

        page.locator("#map").focus()
        before = page.evaluate("artcluster.map.view.scale")
        page.keyboard.press("+")
        page.keyboard.press("ArrowRight")
        assert page.evaluate("artcluster.map.view.scale") > before
        page.keyboard.press("Home")
        assert page.evaluate("artcluster.map.view.scale === artcluster.map.home()")
        assert visited.wrong == []


def test_the_scheme_is_kept_and_clusters_filtered(browser: Browser, report: Path) -> None:
    with visit(browser) as visited:
        page = visited.page
        go(page, report, "index.html")
        ground = "getComputedStyle(document.documentElement).backgroundColor"
        light = page.evaluate(ground)
        page.get_by_label("Switch between light and dark").click()
        dark = page.evaluate(ground)
        assert light != dark
        go(page, report, "runs.html")
        assert page.evaluate(ground) == dark
        go(page, report, "index.html")
        page.locator("#cluster-filter").fill("cluster 1")
        expect(page.locator(".cards > li:visible")).to_have_count(1)
        page.locator("#cluster-filter").fill("no such cluster")
        expect(page.locator("#filter-none")).to_be_visible()
        assert visited.wrong == []


def test_metadata_is_normalised_both_ways(browser: Browser, report: Path) -> None:
    with visit(browser) as visited:
        page = visited.page
        go(page, report, "distribution.html")

        def shares(css: str) -> list[int]:
            texts = page.locator(f"{css} span:visible").all_inner_texts()
            return [int(text.replace(" %", "").replace(",", "")) for text in texts]

        row = ".heat tbody tr:nth-child(1) td"
        column = ".heat tbody td:nth-child(2)"
        assert 98 <= sum(shares(row)) <= 102
        page.get_by_label("Share of the value").check()
        assert 98 <= sum(shares(column)) <= 102
        page.get_by_label("Images").check()
        assert sum(shares(".heat tbody td")) == 26
        assert visited.wrong == []


def test_rejects_are_shown_with_what_is_left_of_them(browser: Browser, report: Path) -> None:
    with visit(browser) as visited:
        page = visited.page
        go(page, report, "rejects.html")
        expect(page.locator("#r-truncated")).to_contain_text("Truncated")
        expect(page.get_by_role("img", name="What could be read of truncated.jpg")).to_be_visible()
        expect(page.locator("section", has_text="Not an image")).to_contain_text("Fetch it again")


def test_a_page_is_added_by_a_record(
    archive: Path, made: ReportSummary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def build(report: Report) -> dict[str, object]:
        return {"all_findings": [Findings("A <new> page", f"{report.members.images} images")]}

    monkeypatch.setitem(PAGES, "new", ReportPage("New page", build, "findings.html"))
    monkeypatch.setitem(PAGES, "empty", ReportPage("Empty", lambda report: None, "findings.html"))
    job = make_job(archive / "store", **SETTINGS)
    again = make_report(job, None, None, Location.parse(str(tmp_path / "out")))
    assert again.pages == made.pages + 1
    assert "A &lt;new&gt; page" in (tmp_path / "out/new.html").read_text()
    navigation = (tmp_path / "out/clusters/0.html").read_text().partition("</nav>")[0]
    assert '<a href="../new.html">New page</a>' in navigation
    assert "Empty" not in navigation


def test_clusters_keep_their_terms(archive: Path, made: ReportSummary) -> None:
    rows = make_job(archive / "store").store.table(CLUSTERS).read(["terms"])["terms"].to_pylist()
    values = {term for terms in rows for term in terms}
    assert values <= {f"style: {STYLE}", "style: plain"}


def test_a_second_report_makes_only_what_is_new(
    archive: Path, made: ReportSummary, tmp_path: Path
) -> None:
    store, images = tmp_path / "store", tmp_path / "images"
    shutil.copytree(archive / "store", store)
    shutil.copytree(archive / "images", images)
    cache = store / "report-cache"
    before = {path: path.stat().st_mtime_ns for path in cache.rglob("*") if path.is_file()}
    job = make_job(store, **SETTINGS)
    same = make_report(job, None, None, None)
    assert (same.images, same.clusters, same.pages) == (26, 3, made.pages)
    after = {path: path.stat().st_mtime_ns for path in cache.rglob("*") if path.is_file()}
    assert after == before

    copy_pictures(images, 4, start=26)
    grown = make_job(store, **{**SETTINGS, "cluster__k": 2}, archive__id=made_archive(store))
    embed_archive(grown, str(images))
    cluster_archive(grown, None)
    again = make_report(grown, None, None, None)
    assert (again.images, again.clusters) == (30, 2)
    assert not (store / "report/clusters/2.html").exists()
    new = [path for path in cache.rglob("*.webp") if path not in before]
    assert {path.parent.name for path in new} <= {"thumbnails-320", "thumbnails-128"}
    assert len([path for path in new if path.parent.name == "thumbnails-128"]) == 1


def made_archive(store: Path) -> str:
    return str(make_job(store).store.table("runs").read(["archive_id"])["archive_id"][0].as_py())


def test_links_follow_the_pattern(
    browser: Browser, archive: Path, made: ReportSummary, tmp_path: Path
) -> None:
    link = "https://iiif.example.org/{number}/{stem}/full.jpg"
    job = make_job(archive / "store", **SETTINGS, report__link=link)
    make_report(job, None, None, Location.parse(str(tmp_path / "out")))
    with visit(browser) as visited:
        go(visited.page, tmp_path / "out", "clusters/0.html")
        visited.page.locator("figure a").first.click()
        target = visited.page.get_by_role("link", name="Open the original").get_attribute("href")
        assert target is not None
        assert target.startswith("https://iiif.example.org/")
        assert "<" not in target
        assert visited.wrong == []


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"report__link": "https://x.org/{nothing}"}, "nothing"),
        ({"report__link": "javascript:alert(1)"}, "https://"),
        ({"report__number_column": "nothing"}, "nothing"),
        ({"report__columns": ["nothing"]}, "nothing"),
    ],
)
def test_wrong_settings_are_named(
    archive: Path, made: ReportSummary, tmp_path: Path, settings: dict[str, object], words: str
) -> None:
    job = make_job(archive / "store", **{**SETTINGS, **settings})
    with pytest.raises(UsageError, match=words):
        make_report(job, None, None, Location.parse(str(tmp_path / "out")))
