"""A real browser, headless, that tells what a page did wrong."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from playwright.sync_api import Browser, ConsoleMessage, Dialog, Page, sync_playwright

from tests.absent import absent

FLAGS = (
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--no-first-run",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--ignore-gpu-blocklist",
)


@contextmanager
def open_browser() -> Iterator[Browser]:
    """Start Chromium; the test is skipped (in CI: failed) where there is none."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        absent("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        yield browser
        browser.close()


@dataclass
class Visit:
    """A page, and what it did wrong: errors, failed or outside requests, dialogs."""

    page: Page
    wrong: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


@contextmanager
def visit(browser: Browser, *, scheme: str = "light", phone: bool = False) -> Iterator[Visit]:
    """Open an empty page that is watched."""
    size = {"width": 390, "height": 844} if phone else {"width": 1280, "height": 900}
    context = browser.new_context(
        viewport=size,
        color_scheme=scheme,
        has_touch=phone,
    )
    page = context.new_page()
    visited = Visit(page)
    wrong = visited.wrong

    def note(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            wrong.append(f"console: {message.text}")

    def refuse(dialog: Dialog) -> None:
        wrong.append("a dialog opened: something ran")
        dialog.dismiss()

    page.on("console", note)
    page.on("dialog", refuse)
    page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
    page.on("requestfailed", lambda request: wrong.append(f"failed: {request.url}"))
    page.on("request", lambda request: visited.requests.append(request.url))
    yield visited
    context.close()
