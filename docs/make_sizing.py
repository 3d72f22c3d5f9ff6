"""Writes the table of docs/sizing.md: `python docs/make_sizing.py`. The rest is by hand."""

from pathlib import Path

from artcluster.config import Config
from artcluster.runtime.executor import Hardware
from artcluster.workflows.embedding.sizing import Rates, Work, size
from artcluster.workflows.embedding.throughput import reference_rate

PAGE = Path(__file__).parent / "sizing.md"
BEGIN, END = "<!-- table: docs/make_sizing.py -->", "<!-- end of the table -->"

DECODE_S = 0.0100
"""2000×1500 JPEG, scaled: 8.8 ms, and the killable child's 1.2 (benchmarks/README.md)."""
EMBED_S = 2 / 19.0
"""densenet121 by OpenVINO: 19.0 images/s on two threads (benchmarks/README.md)."""
GPU_S = 1 / reference_rate("rtx4090", "densenet121").images_per_s

MACHINES = {
    "2 CPUs": (Hardware(1, 2), EMBED_S),
    "16 CPUs": (Hardware(1, 16), EMBED_S),
    "4 × 16 CPUs": (Hardware(4, 16), EMBED_S),
    "32 CPUs, 1 RTX 4090 †": (Hardware(1, 32, 1), GPU_S),
}


def table() -> str:
    """Return the table in Markdown."""
    head = [
        *("images", "vectors", "images' table", "reads", "writes", "part_images", "driver"),
        *MACHINES,
    ]
    rows = []
    for images in (100_000, 1_000_000, 10_000_000, 100_000_000):
        work = Work(images, 400_000, 3_000_000, 224, 1024)
        sized = [
            size(work, Rates(DECODE_S, embed_s), machines, Config())
            for machines, embed_s in MACHINES.values()
        ]
        first = sized[0]
        rows.append(
            [
                f"{images:,}",
                _bytes(first.vector_bytes),
                _bytes(first.table_bytes),
                f"{first.requests['reads']:,}",
                f"{first.requests['writes']:,}",
                str(first.settings["embed"]["part_images"]),
                _bytes(first.driver_bytes),
                *(_time(each.hours) for each in sized),
            ]
        )
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def page(text: str) -> str:
    """Return the page with the table of today."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"expected {BEGIN!r} and {END!r} in {PAGE}")
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def _bytes(count: int) -> str:
    return f"{count / 1e9:,.1f} GB" if count >= 1e8 else f"{count / 1e6:,.0f} MB"


def _time(hours: float) -> str:
    if hours < 1:
        return f"{60 * hours:,.0f} min"
    return f"{hours:,.1f} h" if hours < 48 else f"{hours / 24:,.0f} days"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
