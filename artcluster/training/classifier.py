"""Fine-tuning a backbone to tell classes apart, in two phases with early stopping.

Supervised: what it learns from labels is measured and shown, and never becomes an embedder.
"""

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from artcluster.embedders.fine_tuning import FineTunedNetwork, parameter_count
from artcluster.training.batches import BatchPlan
from artcluster.training.checkpoints import (
    CheckpointClock,
    State,
    deciding,
    identity,
    load_state,
    save_state,
    unpack,
)
from artcluster.training.classification import (
    Classified,
    ClassifierConfig,
    Epoch,
    Labelled,
    Phase,
    validated,
)
from artcluster.training.frozen import Draw, FrozenOutputs, PixelRows, dropout_masks
from artcluster.training.worker import Worker, make_optimizer, sum_gradients


def train_classifier(
    worker: Worker,
    network: FineTunedNetwork,
    classes: Mapping[int, np.ndarray],
    validation: Labelled,
    config: ClassifierConfig,
    *,
    row_shape: tuple[int, int, int],
    told: Callable[[int], None] | None = None,
) -> Classified:
    """Train a head on a frozen backbone, then its last block with it.

    In each phase the cross-entropy of the softmax is minimised by Adam until the validation loss
    has not fallen for `patience` epochs; the weights of the best epoch are kept (DELIUS does not
    say whether it did). The gradient of a batch is that of its mean loss over all ranks.

    Args:
        worker: This rank; its shards are uint8 (rows, H, W, 3).
        network: With the same weights on every rank. It is trained in place.
        classes: Classes of the rows of each shard that this rank owns, int64 from 0.
        validation: This rank's share of the validation images.
        row_shape: Height, width and channels of the pictures.
        told: Called with numbers of images as they are seen.

    Raises:
        ValueError: The loss is no longer finite, or the job's checkpoint is of another job.

    Source: Castellano and Vessio 2021 (DELIUS), §5.4.
    """
    network.to(worker.device)
    return _Training(worker, network, classes, validation, config, row_shape, told).run()


class _Training:
    """Both phases of one rank."""

    def __init__(
        self,
        worker: Worker,
        network: FineTunedNetwork,
        classes: Mapping[int, np.ndarray],
        validation: Labelled,
        config: ClassifierConfig,
        row_shape: tuple[int, int, int],
        told: Callable[[int], None] | None,
    ) -> None:
        self._worker = worker
        self._network = network
        self._config = config
        self._told = told
        owned = sorted(worker.shards)
        self._plan = BatchPlan(worker.shard_rows, owned, config.batch_size, config.seed)
        firsts = np.cumsum([0, *worker.shard_rows])
        self._numbers = _joined([np.arange(firsts[each], firsts[each + 1]) for each in owned])
        self._classes = _joined([classes[each] for each in owned])
        self._validation_classes = validation.classes
        self._left_bytes = config.map_bytes
        pixels = PixelRows([worker.shards[each] for each in owned], row_shape, worker.device)
        self._maps = self._frozen(pixels, pixels.count, network.maps)
        seen = PixelRows(validation.pixels, row_shape, worker.device)
        self._validation_maps = self._frozen(seen, seen.count, network.maps)
        self._tail = nn.ModuleDict({"block": network.block, "head": network.head})
        self._named = identity("classifier", deciding(config), worker.shard_rows)
        count = network.head.out_features
        self._phases = [Phase(config.patience, count) for _ in range(2)]
        self._epochs: list[Epoch] = []
        self._order = np.empty(0, np.int64)
        self._ordered = -1

    def run(self) -> Classified:
        network, config = self._network, self._config
        state = load_state(self._worker, self._named)
        at = 0
        if state is not None:
            at = state["phase"]
            self._epochs = [Epoch(int(row[0]), *row[1:]) for row in state["epochs"].tolist()]
            for number, phase in enumerate(self._phases):
                phase.restore(state, f"phase{number}")
        network.head.requires_grad_(True)
        if at == 0:
            rows = self._frozen(self._maps, self._maps.count, network.features)
            seen = self._frozen(
                self._validation_maps, self._validation_maps.count, network.features
            )
            self._run_phase(0, rows, seen, nn.Identity(), config.learning_rate, state)
            state = None
        network.block.requires_grad_(True)
        self._run_phase(
            1, self._maps, self._validation_maps, network.block, config.fine_tuning_rate, state
        )
        head, tail = self._phases
        return Classified(
            epochs=tuple(self._epochs),
            best=(head.best, tail.best),
            stopped=(head.stopped, tail.stopped),
            confusion_CC=tail.confusion_CC.numpy(),
            confusion_head_CC=head.confusion_CC.numpy(),
            trained=(parameter_count(network.head), parameter_count(network.block, network.head)),
        )

    def _frozen(
        self, rows: Draw, count: int, function: Callable[[torch.Tensor], torch.Tensor]
    ) -> FrozenOutputs:
        outputs = FrozenOutputs(
            rows,
            count,
            function,
            device=self._worker.device,
            budget_bytes=self._left_bytes,
            told=self._told,
        )
        self._left_bytes -= outputs.kept_bytes
        return outputs

    def _run_phase(
        self,
        number: int,
        rows: Draw,
        validation: Draw,
        features: nn.Module,
        learning_rate: float,
        state: State | None,
    ) -> None:
        """Train until patience or the budget runs out, and load the best weights."""
        config, worker, phase = self._config, self._worker, self._phases[number]
        parameters = [each for each in self._tail.parameters() if each.requires_grad]
        optimizer = make_optimizer("adam", parameters, learning_rate)
        sums = torch.zeros(2, dtype=torch.float64, device=worker.device)
        step = 0
        if state is not None:
            unpack(state, self._tail, optimizer)
            step = state["step"]
            if worker.rank == 0:
                sums.copy_(state["sums"])
        clock = CheckpointClock(worker, config.checkpoint_interval_s)
        most = config.max_epochs * self._plan.batches
        total = most if config.max_steps is None else min(most, config.max_steps)
        while step < total and not phase.stopping.is_over:
            sums += self._train_batch(number, step, rows, features, optimizer, parameters)
            step += 1
            if step % self._plan.batches == 0 or step == total:
                self._close_epoch(number, step, sums, validation, features)
                sums.zero_()
            over = step == total or phase.stopping.is_over
            if over:
                reason = "max_epochs" if total == most else "max_steps"
                phase.stopped = "patience" if phase.stopping.is_over else reason
            if over or (step % config.checkpoint_steps == 0 and clock.due()):
                progress = self._packed(number, step, sums)
                save_state(worker, self._named, self._tail, optimizer, progress, {"step": step})
        # What is frozen, the statistics of normalisations too, is not among them.
        self._tail.load_state_dict(phase.weights, strict=False)

    def _train_batch(
        self,
        phase: int,
        step: int,
        rows: Draw,
        features: nn.Module,
        optimizer: torch.optim.Optimizer,
        parameters: Sequence[torch.Tensor],
    ) -> torch.Tensor:
        """Take one step; return this rank's summed loss and number of images told right."""
        epoch, batch = divmod(step, self._plan.batches)
        if epoch != self._ordered:
            self._order, self._ordered = self._plan.order(epoch), epoch
        start, stop = self._plan.span(batch)
        mine = self._order[start:stop]
        found = torch.zeros(2, dtype=torch.float64, device=self._worker.device)
        optimizer.zero_grad(set_to_none=True)
        if len(mine):
            wanted = torch.from_numpy(self._classes[mine]).to(self._worker.device)
            pooled_ND = features(rows(mine))
            masks_ND = dropout_masks(
                self._numbers[mine],
                pooled_ND.shape[1],
                self._config.dropout,
                self._config.seed,
                # A row has another mask in each epoch of each phase.
                2 * epoch + phase,
            )
            scores_NC = self._network.scores(pooled_ND * torch.from_numpy(masks_ND).to(pooled_ND))
            loss = functional.cross_entropy(scores_NC, wanted, reduction="sum")
            torch.autograd.backward(loss / self._plan.batch_rows(batch))
            found[0] = loss.detach()
            found[1] = (scores_NC.detach().argmax(1) == wanted).sum()
            if self._told is not None:
                self._told(len(mine))
        sum_gradients(parameters, self._worker)
        optimizer.step()
        return found

    def _close_epoch(
        self, number: int, step: int, sums: torch.Tensor, validation: Draw, features: nn.Module
    ) -> None:
        """Measure an epoch that ended, and keep the weights where it is the phase's best."""
        seen = self._plan.rows_through(step - 1)
        loss, right = (self._worker.reduce(sums.clone()) / seen).tolist()
        validation_loss, confusion_CC = validated(
            self._worker, self._network, features, validation, self._validation_classes
        )
        images = max(1, int(confusion_CC.sum()))
        epoch = Epoch(
            number + 1,
            loss,
            right,
            validation_loss / images,
            int(confusion_CC.trace()) / images,
        )
        if not all(map(math.isfinite, epoch)):
            raise ValueError(
                f"the loss of epoch {len(self._epochs)} is not finite ({epoch}): lower the "
                "learning rates"
            )
        self._epochs.append(epoch)
        phase = self._phases[number]
        if phase.stopping.is_best(epoch.validation_loss):
            phase.best = len(self._epochs) - 1
            phase.confusion_CC = confusion_CC
            phase.weights = {
                name: value.detach().to("cpu", copy=True)
                for name, value in self._tail.named_parameters()
                if value.requires_grad
            }

    def _packed(self, number: int, step: int, sums: torch.Tensor) -> State:
        """Return the progress for a checkpoint; every rank calls it."""
        state: State = {
            "phase": number,
            "step": step,
            "sums": self._worker.reduce(sums.clone()).cpu(),
            "epochs": torch.tensor(self._epochs, dtype=torch.float64).view(-1, len(Epoch._fields)),
        }
        for each, phase in enumerate(self._phases):
            state |= phase.packed(f"phase{each}")
        return state


def _joined(arrays: Sequence[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.empty(0, np.int64), *arrays])
