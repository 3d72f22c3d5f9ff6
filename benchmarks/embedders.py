"""Images a second of the networks alone: no reading, decoding or resizing.

Work: uint8 224×224 images in memory to float32 vectors, weights at random (speed is the same).
Peers: on a CPU OpenVINO, this package's torch engine and a bare torch loop in NCHW, by threads; on
a GPU the bare loop in float32, then this package's engine in float32, bfloat16 and float16 (all
channels_last), and compiled. Peers take turns in one run; the median of the rounds is reported.

    python benchmarks/embedders.py [--images 32] [--rounds 3] [--batch-size 256] [--no-compile]
"""

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

from artcluster.embedders import Contract, load, prepare
from artcluster.embedders.networks import PixelsToVectors, build_network, fill

RESULTS = Path(__file__).parent / "results" / "embedders.json"
Embed = Callable[[np.ndarray], np.ndarray]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, help="images a round; 32, with a GPU 4096")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=256, help="on a GPU")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], help="on a CPU")
    parser.add_argument("--no-compile", action="store_true")
    parser.add_argument("--networks", nargs="+", default=["densenet121", "mobilenet_v2"])
    arguments = parser.parse_args()
    gpu = torch.cuda.is_available()
    images = arguments.images or (4096 if gpu else 32)
    pixels = np.random.default_rng(0).integers(0, 256, (images, 224, 224, 3), dtype=np.uint8)

    rows: list[dict[str, Any]] = []
    for name in arguments.networks:
        contract, state = prepare(f"random:{name}", pixel_policy_id="none", fit="none")
        brain, _ = prepare(
            f"random:{name}", pixel_policy_id="none", fit="none", precision="bfloat16"
        )
        peers = (
            gpu_peers(contract, brain, state, arguments.batch_size, not arguments.no_compile)
            if gpu
            else cpu_peers(contract, state, arguments.threads)
        )
        first_s = {peer: timed(embed, pixels) for peer, embed in peers.items()}
        rounds = [
            {peer: timed(embed, pixels) for peer, embed in peers.items()}
            for _ in range(arguments.rounds)
        ]
        for peer in peers:
            median_s = statistics.median(r[peer] for r in rounds)
            rows.append(
                {
                    "network": name,
                    "peer": peer,
                    "images_per_s": round(images / median_s, 1),
                    "best_images_per_s": round(images / min(r[peer] for r in rounds), 1),
                    "first_round_s": round(first_s[peer], 2),
                }
            )
            print(f"{name:14} {peer:34} {rows[-1]['images_per_s']:>10.1f} images/s", flush=True)
    RESULTS.parent.mkdir(exist_ok=True)
    result = {
        "what": "model only, uint8 224x224 in memory to float32 vectors",
        "images": images,
        "rounds": arguments.rounds,
        "batch_size": arguments.batch_size if gpu else None,
        "machine": machine(gpu),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "rows": rows,
    }
    path = RESULTS.with_name("embedders-gpu.json") if gpu else RESULTS
    path.write_text(json.dumps(result, indent=1) + "\n")


def timed(embed: Embed, pixels: np.ndarray) -> float:
    start = time.perf_counter()
    embed(pixels)
    return time.perf_counter() - start


def cpu_peers(
    contract: Contract, state: dict[str, torch.Tensor], threads: list[int]
) -> dict[str, Embed]:
    peers: dict[str, Embed] = {}
    for count in threads:
        for engine in ("openvino", "torch"):
            peers[f"{engine}, {count} threads"] = load(
                contract, state, device="cpu", engine=engine, threads=count
            )
        peers[f"bare torch NCHW, {count} threads"] = bare_loop(contract, state, "cpu", 32, count)
    return peers


def gpu_peers(
    contract: Contract,
    brain: Contract,
    state: dict[str, torch.Tensor],
    batch_size: int,
    compile: bool,
) -> dict[str, Embed]:
    peers: dict[str, Embed] = {
        "bare torch NCHW float32": bare_loop(contract, state, "cuda", batch_size, 1)
    }
    for precision in ("float32", "bfloat16", "float16"):
        for compiled in (False, True) if compile else (False,):
            peers[f"{precision}{' compiled' if compiled else ''}"] = load(
                brain if precision == "bfloat16" else contract,
                state,
                device="cuda",
                precision=precision,
                batch_size=batch_size,
                compile=compiled,
            )
    return peers


def bare_loop(
    contract: Contract, state: dict[str, torch.Tensor], device: str, batch_size: int, threads: int
) -> Embed:
    """What a script would do: batches one after the other, each waited for."""
    network = fill(build_network(contract.network, contract.input_px), state)
    module = PixelsToVectors(contract, network).to(device)

    def embed(pixels: np.ndarray) -> np.ndarray:
        torch.set_num_threads(threads)
        with torch.inference_mode():
            return np.concatenate(
                [
                    module(torch.from_numpy(pixels[i : i + batch_size]).to(device)).cpu().numpy()
                    for i in range(0, len(pixels), batch_size)
                ]
            )

    return embed


def machine(gpu: bool) -> dict[str, Any]:
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    return {
        "cpu": model,
        "gpu": torch.cuda.get_device_name() if gpu else None,
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


if __name__ == "__main__":
    main()
