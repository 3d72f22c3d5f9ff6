"""Principal components of pixels that do not fit into memory, by passes over the shards."""

from dataclasses import dataclass

import torch

from artcluster.training.autoencoders import check_bytes, pixel_budget
from artcluster.training.checkpoints import CheckpointClock, identity, load_state
from artcluster.training.rows import Rows, place_rows
from artcluster.training.worker import Worker


@dataclass(frozen=True, kw_only=True)
class PcaConfig:
    """How to find components.

    Attributes:
        components: How many.
        oversampling: Directions followed beyond them, which are dropped at the end.
        tolerance: Stops once no component's variance changed by a larger share in a pass.
        max_passes: Stops there at the latest.
        seed: Draws the first directions.
        chunk_rows: Pictures scaled at once.
        resident_bytes: Pixels larger than this are streamed.
        checkpoint_interval_s: Least seconds between checkpoints, which are taken after passes.
    """

    components: int
    oversampling: int = 10
    tolerance: float
    max_passes: int
    seed: int
    chunk_rows: int = 128
    resident_bytes: int | None = None
    checkpoint_interval_s: float = 60.0

    def __post_init__(self) -> None:
        for name in ("components", "max_passes", "chunk_rows"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.oversampling < 0 or self.tolerance < 0:
            raise ValueError(
                "oversampling and tolerance must be at least 0, got "
                f"{self.oversampling} and {self.tolerance}"
            )


@dataclass(frozen=True)
class PrincipalComponents:
    """Components of pixels in [0, 1], flattened as the bytes lie.

    Attributes:
        mean_P: Mean picture, float32.
        components_CP: Orthonormal, by falling variance, float32; each one's largest number is
            positive.
        variance_C: Variance along each, with N − 1 in the denominator as scikit-learn has it.
        total_variance: Over all directions.
        passes: Passes over the pixels, but that for the mean.
        converged: False: `max_passes` ended it.
    """

    mean_P: torch.Tensor
    components_CP: torch.Tensor
    variance_C: torch.Tensor
    total_variance: float
    passes: int
    converged: bool


def principal_components(
    worker: Worker, config: PcaConfig, *, row_shape: tuple[int, int, int]
) -> PrincipalComponents:
    """Find the principal components of the worker's pictures, N×H×W×3 shards of uint8.

    A few directions are multiplied by the covariance in each pass, which needs a chunk of pixels
    in memory and a sum of P × C numbers over the ranks, and made orthonormal again, until their
    variances stand still.

    Args:
        worker: This rank.
        config: How to find them.
        row_shape: Height, width and channels of the pictures.

    Returns:
        The same, but for rounding, with any number of ranks.

    Raises:
        ValueError: The shards are not uint8 or of another shape, there are fewer pictures or
            pixels than components, or the job's checkpoint is of another job.

    Source: Halko, Martinsson and Tropp 2011, "Finding structure with randomness", Algorithm 4.4.
    """
    check_bytes(worker)
    total = sum(worker.shard_rows)
    height, width, channels = row_shape
    numbers = height * width * channels
    if config.components > min(total, numbers):
        raise ValueError(
            f"components must be at most {min(total, numbers)}, the number of pictures or of their "
            f"pixels, got {config.components}"
        )
    pixels = _Pixels(worker, config, row_shape)
    mean_P, square_sum = pixels.moments(total, numbers)
    directions = min(config.components + config.oversampling, total, numbers)
    named = identity(
        "pca", {"components": config.components, "seed": config.seed}, worker.shard_rows
    )
    state = load_state(worker, named)
    if state is None:
        generator = torch.Generator().manual_seed(config.seed)
        drawn = torch.randn(numbers, directions, generator=generator)
        basis_PC, variance_C, passes = _orthonormal(drawn.to(worker.device)), torch.zeros(0), 0
    else:
        basis_PC, variance_C = state["basis"].to(worker.device), state["variance"]
        passes = state["passes"]
    clock = CheckpointClock(worker, config.checkpoint_interval_s)
    converged = False
    while not converged and passes < config.max_passes:
        product_PC = pixels.covariance_times(basis_PC, mean_P, total)
        # The variances along the best directions within the span, by Rayleigh and Ritz.
        small_CC = (basis_PC.T @ product_PC).double()
        values, vectors = torch.linalg.eigh((small_CC + small_CC.T) / 2)
        found_C = values.flip(0)[: config.components].cpu()
        passes += 1
        if len(variance_C):
            change = (found_C - variance_C).abs().max() / found_C.max().clamp(min=1e-30)
            converged = change.item() <= config.tolerance
        variance_C = found_C
        rotated_PC = basis_PC @ vectors.flip(1).to(basis_PC.dtype)
        if converged or passes == config.max_passes:
            break
        basis_PC = _orthonormal(product_PC)
        if clock.due():
            saved = {"basis": basis_PC.cpu(), "variance": variance_C, "passes": passes}
            worker.save_checkpoint({"identity": named, **saved}, {"passes": passes})
    components_CP = rotated_PC[:, : config.components].T.contiguous()
    largest = components_CP.abs().argmax(dim=1, keepdim=True)
    components_CP *= components_CP.gather(1, largest).sign()
    overall = square_sum - total * mean_P.double().square().sum().item()
    return PrincipalComponents(
        mean_P.cpu(),
        components_CP.cpu(),
        variance_C.clamp(min=0),
        max(0.0, overall) / max(1, total - 1),
        passes,
        converged,
    )


class _Pixels:
    """A rank's pictures, read through a chunk at a time as rows of numbers in [0, 1]."""

    def __init__(self, worker: Worker, config: PcaConfig, row_shape: tuple[int, int, int]) -> None:
        self._worker = worker
        self._chunk_rows = config.chunk_rows
        self._rows: Rows = place_rows(
            [worker.shards[shard] for shard in sorted(worker.shards)],
            row_shape=row_shape,
            dtype=torch.uint8,
            device=worker.device,
            resident_bytes=pixel_budget(worker, config.resident_bytes),
        )

    def _chunk(self, start: int) -> torch.Tensor:
        stop = min(start + self._chunk_rows, self._rows.count)
        return self._rows.chunk(start, stop).flatten(1).float().div_(255.0)

    def moments(self, total: int, numbers: int) -> tuple[torch.Tensor, float]:
        """Return the mean picture over all ranks, float32, and the sum of all squares."""
        sums = torch.zeros(numbers + 1, dtype=torch.float64, device=self._worker.device)
        for start in range(0, self._rows.count, self._chunk_rows):
            chunk = self._chunk(start)
            sums[:numbers] += chunk.sum(dim=0, dtype=torch.float64)
            sums[numbers] += chunk.square().sum(dtype=torch.float64)
        self._worker.reduce(sums)
        return (sums[:numbers] / total).float(), sums[numbers].item()

    def covariance_times(
        self, basis_PC: torch.Tensor, mean_P: torch.Tensor, total: int
    ) -> torch.Tensor:
        """Return the covariance over all ranks times a basis."""
        product_PC = torch.zeros_like(basis_PC)
        for start in range(0, self._rows.count, self._chunk_rows):
            centred = self._chunk(start).sub_(mean_P)
            product_PC.addmm_(centred.T, centred @ basis_PC)
        return self._worker.reduce(product_PC).div_(max(1, total - 1))


def _orthonormal(columns_PC: torch.Tensor) -> torch.Tensor:
    basis_PC: torch.Tensor = torch.linalg.qr(columns_PC)[0]
    return basis_PC
