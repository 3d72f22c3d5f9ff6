"""What GPUs of a kind were measured to do, and by whom; none of it by this project."""

from dataclasses import dataclass

from artcluster.errors import UsageError


@dataclass(frozen=True)
class GpuFigure:
    """Images a second of one GPU, the network alone, at 224², with its source."""

    images_per_s: float
    source: str


_TIMM_4090 = (
    "timm's results/benchmark-infer-amp-nhwc-pt240-cu124-rtx4090.csv (float16, channels last, "
    "batches of 512)"
)
GPUS: dict[str, dict[str, GpuFigure]] = {
    "rtx4090": {
        "densenet121": GpuFigure(3896, _TIMM_4090),
        "resnet50": GpuFigure(5088, _TIMM_4090),
        "mobilenet_v2": GpuFigure(11768, _TIMM_4090),
    }
}
"""By kind of GPU, then by network."""


def gpu_figure(kind: str, backbone: str) -> GpuFigure:
    """Return the figure of a GPU for a backbone; `random:NAME` costs what NAME does.

    Raises:
        UsageError: There is none; names those there are.
    """
    network = backbone.removeprefix("random:")
    if kind not in GPUS or network not in GPUS[kind]:
        known = "; ".join(f"{gpu}: {', '.join(networks)}" for gpu, networks in GPUS.items())
        raise UsageError(
            f"no figure is known for {network!r} on {kind!r}: there are {known}. Measure one GPU "
            "with benchmarks/embedders.py and give its images a second with --gpu-rate."
        )
    return GPUS[kind][network]
