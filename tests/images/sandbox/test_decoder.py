"""The decoder's process: what kills it, what outlives it, and where it can be started."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from artcluster.errors import ArtclusterError
from artcluster.images.decode import decode_image
from artcluster.images.policy import PixelPolicy
from artcluster.images.sandbox.decoder import Decoder
from tests.images import poisons
from tests.images.handmade import (
    DEMO_ARCHIVE,
    encode,
    painting,
    quarters,
    with_declared_size,
)

POLICY = PixelPolicy()
SIZE = (64, 48)
GOOD = encode(quarters(), "PNG")
GOOD_PIXELS = decode_image(GOOD, POLICY, SIZE)[0]


@pytest.fixture(scope="module")
def decoder() -> Iterator[Decoder]:
    with Decoder(POLICY, SIZE) as made:
        yield made


@pytest.fixture(scope="module")
def mortal() -> Iterator[Decoder]:
    """A decoder whose child dies of marked blobs, with narrow limits."""
    with Decoder(
        POLICY, SIZE, timeout_s=1.0, memory_bytes=256 << 20, decode_one=poisons.decode_or_die
    ) as made:
        yield made


@pytest.fixture(scope="module")
def patient() -> Iterator[Decoder]:
    """The same, with time enough for a slow machine to fill its memory."""
    with Decoder(
        POLICY, SIZE, timeout_s=120.0, memory_bytes=256 << 20, decode_one=poisons.decode_or_die
    ) as made:
        yield made


def ended(pid: int) -> bool:
    """Wait until a process is gone, or is a zombie that its parent has yet to reap."""
    for _ in range(600):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False


def test_the_child_decodes_what_the_function_decodes(decoder: Decoder) -> None:
    blobs = [encode(painting(300, 200, seed), "JPEG") for seed in range(4)]
    batch = decoder.decode([blobs[0], b"", blobs[1], b"no image", blobs[2], blobs[3][:500]])
    assert batch.accepted.tolist() == [0, 2, 4]
    assert batch.accepted.dtype == np.int64
    assert batch.pixels_NHWC.shape == (3, *SIZE, 3)
    for row, blob in zip(batch.pixels_NHWC, blobs, strict=False):
        assert np.array_equal(row, decode_image(blob, POLICY, SIZE)[0])
    reasons = [info.reject and info.reject.reason for info in batch.infos]
    assert reasons == [None, "empty", None, "not-an-image", None, "truncated"]
    assert (batch.infos[0].width, batch.infos[0].height) == (300, 200)


def test_an_empty_batch_and_one_of_rejects_alone(decoder: Decoder) -> None:
    assert decoder.decode([]).pixels_NHWC.shape == (0, *SIZE, 3)
    batch = decoder.decode([b"", b""])
    assert batch.pixels_NHWC.shape == (0, *SIZE, 3)
    assert len(batch.infos) == 2


def test_probe_gives_sizes_and_rejects(decoder: Decoder) -> None:
    good, bad = decoder.probe([GOOD, b"no image"])
    assert (good.width, good.height, good.format, good.reject) == (96, 64, "PNG", None)
    assert bad.reject is not None
    assert bad.reject.stage == "identify"


def test_a_blob_far_larger_than_a_socket_buffer(decoder: Decoder) -> None:
    blob = GOOD + bytes(30 << 20)
    assert np.array_equal(decoder.decode([blob]).pixels_NHWC[0], GOOD_PIXELS)


def test_the_demo_archive_has_exactly_its_three_broken_files(decoder: Decoder) -> None:
    paths = sorted(path for path in (DEMO_ARCHIVE / "images").rglob("*") if path.is_file())
    batch = decoder.decode([path.read_bytes() for path in paths])
    refused = {
        path.name: info.reject.reason
        for path, info in zip(paths, batch.infos, strict=True)
        if info.reject is not None
    }
    assert refused == {
        "empty.png": "empty",
        "not-an-image.jpg": "not-an-image",
        "truncated.jpg": "truncated",
    }
    assert len(batch.pixels_NHWC) == len(paths) - 3 == 559


def test_the_child_may_reach_neither_the_network_nor_other_programs(decoder: Decoder) -> None:
    decoder.decode([GOOD])
    status = Path(f"/proc/{decoder.child.pid}/status").read_text()
    assert "Seccomp:\t2" in status
    assert "NoNewPrivs:\t1" in status


def test_child_and_zygote_have_one_thread(decoder: Decoder) -> None:
    decoder.decode([encode(painting(900, 900), "JPEG"), encode(painting(400, 400), "AVIF")])
    for pid in (decoder.child.pid, decoder.child.zygote_pid):
        assert len(list(Path(f"/proc/{pid}/task").iterdir())) == 1


@pytest.mark.faults
@pytest.mark.parametrize(
    ("poison", "reason", "words"),
    [
        (poisons.SEGFAULT, "decoder-crash", "SIGSEGV"),
        (poisons.ABORT, "decoder-crash", "SIGABRT"),
        (poisons.EXIT, "decoder-crash", "exit"),
        (poisons.HANG, "timeout", "1 s"),
        (poisons.SLEEP, "timeout", "1 s"),
        (poisons.RAISE, "corrupt", "broken data stream"),
        (poisons.OUTSIDE, "out-of-memory", "killed from outside"),
    ],
)
def test_a_poisonous_picture_is_rejected_alone(
    mortal: Decoder, poison: bytes, reason: str, words: str
) -> None:
    batch = mortal.decode([GOOD, poison, GOOD, GOOD])
    assert batch.accepted.tolist() == [0, 2, 3]
    assert all(np.array_equal(row, GOOD_PIXELS) for row in batch.pixels_NHWC)
    reject = batch.infos[1].reject
    assert reject is not None
    assert reject.reason == reason
    assert words in reject.detail


@pytest.mark.faults
def test_a_picture_that_eats_memory_is_rejected_alone(patient: Decoder) -> None:
    batch = patient.decode([GOOD, poisons.EAT, GOOD])
    assert batch.accepted.tolist() == [0, 2]
    reject = batch.infos[1].reject
    assert reject is not None
    assert reject.reason == "out-of-memory"


@pytest.mark.faults
def test_a_batch_of_poisons(patient: Decoder) -> None:
    batch = patient.decode([poisons.SEGFAULT, poisons.EAT, GOOD, poisons.ABORT, poisons.SEGFAULT])
    assert batch.accepted.tolist() == [2]


@pytest.mark.faults
def test_a_child_that_leaked_is_not_blamed_on_the_next_picture(mortal: Decoder) -> None:
    batch = mortal.decode([poisons.LEAK + bytes([number]) for number in range(4)] + [GOOD])
    assert batch.accepted.tolist() == [0, 1, 2, 3, 4]


@pytest.mark.faults
@pytest.mark.parametrize("who", ["pid", "zygote_pid"])
def test_child_or_zygote_killed_between_batches(mortal: Decoder, who: str) -> None:
    mortal.decode([GOOD])
    before = getattr(mortal.child, who)
    os.kill(before, signal.SIGKILL)
    assert ended(before)
    assert mortal.decode([GOOD]).accepted.tolist() == [0]
    assert getattr(mortal.child, who) != before


def test_a_file_larger_than_the_memory_limit_is_not_sent(mortal: Decoder) -> None:
    reject = mortal.decode([bytes((256 << 20) + 1)]).infos[0].reject
    assert reject is not None
    assert reject.reason == "out-of-memory"


def test_a_wrong_shape_from_decode_one_is_an_error_of_the_caller(mortal: Decoder) -> None:
    with pytest.raises(ValueError, match="decode_one must return an array of 9216 bytes"):
        mortal.decode([poisons.WRONG])
    assert mortal.decode([GOOD]).accepted.tolist() == [0]


def test_a_picture_beyond_the_memory_limit_keeps_its_size(mortal: Decoder) -> None:
    blob = with_declared_size(GOOD, 20_000, 20_000)
    batch = mortal.decode([GOOD, blob, GOOD])
    assert batch.accepted.tolist() == [0, 2]
    info = batch.infos[1]
    assert info.reject is not None
    assert info.reject.reason == "out-of-memory"
    assert (info.width, info.height, info.format) == (20_000, 20_000, "PNG")


SEEDS = [
    encode(painting(40, 30), "JPEG"),
    encode(painting(40, 30), "JPEG", progressive=True),
    encode(painting(40, 30), "PNG"),
    encode(painting(40, 30), "TIFF", compression="tiff_lzw"),
    encode(painting(40, 30), "TIFF", compression="jpeg"),
    encode(painting(40, 30), "WEBP"),
    encode(painting(40, 30), "GIF"),
    encode(painting(40, 30), "JPEG2000"),
    encode(painting(40, 30), "AVIF"),
    encode(painting(40, 30).convert("CMYK"), "JPEG"),
]


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    blob = bytearray(draw(st.sampled_from(SEEDS)))
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(blob) - 1))
        blob[at] = draw(st.integers(0, 255))
    return bytes(blob[: draw(st.integers(len(blob) // 2, len(blob)))])


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(blobs=st.lists(mutated() | st.binary(max_size=64), min_size=1, max_size=5))
def test_mutated_bytes_never_cost_a_good_neighbour(decoder: Decoder, blobs: list[bytes]) -> None:
    mixed = [GOOD] + [blob for bad in blobs for blob in (bad, GOOD)]
    batch = decoder.decode(mixed)
    assert len(batch.infos) == len(mixed)
    rows = dict(zip(batch.accepted.tolist(), batch.pixels_NHWC, strict=True))
    for place in range(0, len(mixed), 2):
        assert np.array_equal(rows[place], GOOD_PIXELS)
    for place, info in enumerate(batch.infos):
        assert (info.reject is None) == (place in rows)


SCRIPT = """
import sys
from artcluster.images.sandbox.decoder import Decoder
from artcluster.images.policy import PixelPolicy
decoder = Decoder(PixelPolicy(), (8, 8))
accepted = decoder.decode([open(sys.argv[1], "rb").read()]).accepted.tolist()
print(decoder.child.pid, decoder.child.zygote_pid, accepted, flush=True)
sys.stdin.read()
"""


@pytest.mark.faults
@pytest.mark.parametrize("end", ["kill", "exit"])
def test_no_process_outlives_a_script_without_a_main_guard(tmp_path: Path, end: str) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    (tmp_path / "good.png").write_bytes(GOOD)
    with subprocess.Popen(
        [sys.executable, str(tmp_path / "script.py"), str(tmp_path / "good.png")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    ) as script:
        assert script.stdout is not None
        child, zygote, accepted = script.stdout.readline().split()
        assert accepted == "[0]"
        if end == "kill":
            script.kill()
        else:
            script.communicate("")
            assert script.returncode == 0
    assert ended(int(child))
    assert ended(int(zygote))


def test_the_parent_imports_no_torch(tmp_path: Path) -> None:
    code = "import sys, artcluster.images.sandbox.decoder; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[3])


def test_a_child_that_cannot_start_says_why() -> None:
    with (
        Decoder(POLICY, SIZE, decode_one=_Unloadable()) as broken,  # type: ignore[arg-type]
        pytest.raises(ArtclusterError, match=r"did not start.*no such module.*can import torch"),
    ):
        broken.decode([GOOD])


class _Unloadable:
    """Pickles, but cannot be unpickled."""

    def __reduce__(self) -> tuple[object, ...]:
        return _raise, ("no such module",)


def _raise(words: str) -> None:
    raise ImportError(words)


def test_a_closed_decoder_says_so() -> None:
    closed = Decoder(POLICY, SIZE)
    closed.close()
    closed.close()
    with pytest.raises(ValueError, match="the decoder is closed"):
        closed.decode([GOOD])


@pytest.mark.parametrize(
    "wrong",
    [{"size_px": (0, 5)}, {"size_px": (5, 0)}, {"timeout_s": 0}, {"memory_bytes": 0}],
)
def test_limits_must_be_positive(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"must be above 0; got 0"):
        Decoder(**{"policy": POLICY, "size_px": SIZE, **wrong})  # type: ignore[arg-type]
