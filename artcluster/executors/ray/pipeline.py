"""A stream's steps as a Ray Data pipeline, read from a thread that may be given up."""

import queue
import threading
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
from ray.data import ActorPoolStrategy, DataContext, Dataset, TaskPoolStrategy
from ray.data.read_api import from_blocks

from artcluster.executors.ray import private
from artcluster.executors.ray.placement import Placement
from artcluster.executors.ray.steps import RemoteStep, StepActor, as_task

_READ_AHEAD = 2
_IN_FLIGHT_AN_ACTOR = 2


def build(
    rows: Sequence[pa.Table], steps: Sequence[RemoteStep], placements: Sequence[Placement]
) -> Dataset:
    """Return the pipeline: one row a block, one item a row, so that items arrive whole."""
    context = DataContext.get_current().copy()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    context.enable_auto_log_stats = False
    context.execution_options.preserve_order = False
    context.execution_options.verbose_progress = False
    context.log_internal_stack_trace = False
    private.record_executions(context)
    with DataContext.current(context):
        dataset: Dataset = from_blocks(list(rows))
        for remote, placed in zip(steps, placements, strict=True):
            shared: dict[str, Any] = {
                "batch_size": 1,
                "batch_format": "pyarrow",
                "zero_copy_batch": True,
                "num_cpus": placed.cpus,
                "udf_modifying_row_count": False,
            }
            if placed.pool is None:
                dataset = dataset.map_batches(
                    as_task(remote), compute=TaskPoolStrategy(size=placed.tasks), **shared
                )
                continue
            least, most = placed.pool
            dataset = dataset.map_batches(
                StepActor,
                fn_constructor_args=(remote,),
                num_gpus=placed.gpus or None,
                compute=ActorPoolStrategy(
                    min_size=least,
                    max_size=most,
                    max_tasks_in_flight_per_actor=_IN_FLIGHT_AN_ACTOR,
                ),
                **shared,
            )
    return dataset


class Reading:
    """Reads a pipeline's rows in a thread."""

    END = object()

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._rows: queue.Queue[Any] = queue.Queue(_READ_AHEAD)
        self._stopped = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="artcluster-stream", daemon=True)
        self._thread.start()

    def next_within(self, seconds: float) -> Any:
        """Return the next row's table, or END.

        Raises:
            TimeoutError: There was none for so long.
            Exception: As Ray Data raised it.
        """
        try:
            row = self._rows.get(timeout=seconds)
        except queue.Empty:
            raise TimeoutError from None
        if row is self.END and self._error is not None:
            raise self._error
        return row

    def stop(self) -> None:
        """Stop the pipeline, whatever state it is in."""
        self._stopped.set()
        private.stop_executions()
        while self._thread.is_alive():
            try:
                self._rows.get(timeout=0.05)
            except queue.Empty:
                break

    def _run(self) -> None:
        try:
            for row in private.iterate_blocks(self._dataset):
                if not self._put(row):
                    return
        except BaseException as error:
            self._error = error
        self._put(self.END)

    def _put(self, row: Any) -> bool:
        while not self._stopped.is_set():
            try:
                self._rows.put(row, timeout=0.5)
            except queue.Full:
                continue
            return True
        return False
