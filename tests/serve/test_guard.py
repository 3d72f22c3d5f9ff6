"""Who is let in: names, origins and methods, without a network."""

import asyncio

import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Message

from artcluster.serve.guard import Guard

OURS = ("localhost", "127.0.0.1", "[::1]", "pictures.museum.org")


def answer(method: str = "GET", **headers: str) -> tuple[int, dict[str, str]]:
    sent: list[Message] = []
    given = [(name.replace("_", "-").encode(), text.encode()) for name, text in headers.items()]
    scope = {"type": "http", "method": method, "path": "/", "headers": given}

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(Guard(PlainTextResponse("in"), OURS)(scope, receive, send))
    named = {name.decode(): text.decode() for name, text in sent[0]["headers"]}
    return sent[0]["status"], named


@pytest.mark.parametrize("host", ["localhost:8020", "127.0.0.1", "[::1]:80", "PICTURES.museum.org"])
def test_its_own_names_are_let_in_with_a_policy(host: str) -> None:
    status, headers = answer(host=host)
    assert status == 200
    assert "default-src 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "host",
    ["evil.example", "localhost.evil.example", "evil.example:8020", "", "127.0.0.1.evil", "::1"],
)
def test_other_names_are_not(host: str) -> None:
    assert answer(host=host)[0] == 421


def test_without_a_name_nobody_is_let_in() -> None:
    assert answer()[0] == 421


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"origin": "http://localhost:8020"}, 200),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "http://localhost:9999"}, 403),
        ({"origin": "null"}, 403),
        ({"sec_fetch_site": "cross-site"}, 403),
        ({"sec_fetch_site": "same-site"}, 403),
        ({"sec_fetch_site": "same-origin", "origin": "http://localhost:8020"}, 200),
    ],
)
def test_only_its_own_pages_may_send(headers: dict[str, str], status: int) -> None:
    assert answer("POST", host="localhost:8020", **headers)[0] == status


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "TRACE"])
def test_other_methods_are_refused(method: str) -> None:
    assert answer(method, host="localhost")[0] == 405
