"""Pictures that crash, hang or eat up their decoder."""

from pathlib import Path
from typing import Any
from unittest import mock

from artcluster.images.sandbox.decoder import Decoder
from artcluster.store import Store
from artcluster.store.views import read_view
from artcluster.workflows.embedding import decoding
from artcluster.workflows.embedding.embed import embed_archive
from tests.faults.outcome import Outcome, doubled, lost
from tests.images import poisons
from tests.workflows.jobs import copy_pictures, make_job

POISONS = {
    "segfault": (poisons.SEGFAULT, "decoder-crash"),
    "hang": (poisons.HANG, "timeout"),
    "eat": (poisons.EAT, "out-of-memory"),
}


def decoders_break(folder: Path, times: int) -> Outcome:
    """Embed good pictures with poisonous ones among them, in the same parts."""
    images = folder / "images"
    copy_pictures(images, 12)
    for name, (blob, _) in POISONS.items():
        for number in range(times):
            (images / f"{name}-{number}.jpg").write_bytes(blob + b"\0" * number)
    memory_bytes = 4 << 30
    settings = {"images__timeout_s": 10, "images__memory_bytes": memory_bytes}
    with mock.patch.object(decoding, "Decoder", _poisonous):
        job = make_job(folder / "store", embed__part_images=32, **settings)
        done = embed_archive(job, str(images))
    opened = Store.open(folder / "store")
    rows = read_view(opened, "rejects", "arrow").to_pylist()
    reasons = {row["path"]: row["reason"] for row in rows}
    expected = {
        f"{name}-{number}.jpg": reason
        for name, (_, reason) in POISONS.items()
        for number in range(times)
    }
    assert reasons == expected, reasons
    assert done.images == 12
    return Outcome(
        "a decoder crashes (segfault), hangs, takes 4 GB",
        len(expected),
        lost(opened, images),
        doubled(opened),
        None,
        None,
        "the one picture is rejected with its reason, its neighbours are embedded",
    )


def _poisonous(*given: Any, **settings: Any) -> Decoder:
    return Decoder(*given, **{**settings, "decode_one": _decode})


def _decode(blob: bytes, *rest: object) -> object:
    return poisons.decode_or_die(blob.rstrip(b"\0"), *rest)  # type: ignore[arg-type]
