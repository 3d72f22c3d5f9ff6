import os
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from artcluster.images.policy import PixelPolicy
from artcluster.images.sandbox.decoder import Decoder
from artcluster.images.sandbox.fork_server import ForkServer, end_idle
from artcluster.images.sandbox.messages import Settings
from artcluster.images.sandbox.zygote import DecodeOne
from tests.images.handmade import DEMO_ARCHIVE

PICTURE = sorted((DEMO_ARCHIVE / "images" / "drawings" / "people").glob("*.jpg"))[0]


@pytest.fixture(autouse=True)
def none_idle() -> Iterator[None]:
    end_idle()
    yield
    end_idle()


def test_a_process_that_decodes_has_no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "RAY_AUTH_TOKEN", "DB_PASSWORD")
    for name in (*secrets, "google_application_credentials"):
        monkeypatch.setenv(name, "hunter2")
    monkeypatch.setenv("LANG", "C.UTF-8")
    server = ForkServer(Settings(PixelPolicy(), (8, 8), 1 << 28, None))
    environment = Path(f"/proc/{server.pid}/environ").read_bytes()
    server.close()
    assert b"hunter2" not in environment
    assert b"LANG=C.UTF-8" in environment


def decoded(
    size_px: tuple[int, int], decode_one: DecodeOne | None = None
) -> tuple[int, np.ndarray]:
    picture = PICTURE.read_bytes()
    with Decoder(PixelPolicy(), size_px, decode_one=decode_one) as decoder:
        pixels = decoder.decode([picture]).pixels_NHWC
        return decoder.child.zygote_pid, pixels


def test_decoders_one_after_the_other_share_a_zygote_and_keep_to_their_settings() -> None:
    first, small = decoded((8, 8))
    second, large = decoded((16, 24))
    again, same = decoded((8, 8))
    assert first == second == again
    assert large.shape == (1, 16, 24, 3)
    np.testing.assert_array_equal(same, small)


def test_decoders_open_at_once_have_zygotes_of_their_own_and_one_stays() -> None:
    with Decoder(PixelPolicy(), (8, 8)) as one, Decoder(PixelPolicy(), (8, 8)) as other:
        pids = {one.child.zygote_pid, other.child.zygote_pid}
        for decoder in (one, other):
            assert len(decoder.decode([PICTURE.read_bytes()]).accepted) == 1
    assert len(pids) == 2
    left, _ = decoded((8, 8))
    assert left in pids


def test_an_idle_zygote_that_died_is_replaced() -> None:
    pid, before = decoded((8, 8))
    os.kill(pid, signal.SIGKILL)
    fresh, after = decoded((8, 8))
    assert fresh != pid
    np.testing.assert_array_equal(after, before)


def test_what_an_idle_zygote_cannot_import_a_new_one_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid, plain = decoded((8, 8))
    (tmp_path / "my_decoding.py").write_text(
        "from artcluster.images.decode import decode_image\n"
        "def negative(blob, policy, size_px):\n"
        "    pixels, info = decode_image(blob, policy, size_px)\n"
        "    return 255 - pixels, info\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    from my_decoding import negative  # type: ignore[import-not-found]

    fresh, turned = decoded((8, 8), negative)
    assert fresh != pid
    np.testing.assert_array_equal(turned, 255 - plain)
