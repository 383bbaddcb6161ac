"""The training loop: steps, epochs, and their measurements."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from math import isfinite
from time import perf_counter

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_, get_total_norm

from archscope.build import Network
from archscope.records.training import Epoch, Interval, Scores
from archscope.train import schedule
from archscope.train.callbacks import Callback
from archscope.train.device import Arithmetic
from archscope.train.diagnostics import diagnose
from archscope.train.distributed import ALONE, Processes
from archscope.train.evaluation import means
from archscope.train.kept_weights import KeptWeights, kept_weights
from archscope.train.loader import TrainingLoader
from archscope.train.losses import l1_penalty
from archscope.train.recipe import Recipe
from archscope.train.rounded_weights import GRADUAL
from archscope.train.run_folder import Recorder
from archscope.train.state import TrainingState
from archscope.train.tasks import Task
from archscope.train.time_limit import TimeLimit
from archscope.train.validation import Validation

DIVERGED = 100.0
"""Multiple of the first mean loss above which a training cannot recover."""

Report = Callable[[int, Scores], bool]
"""Called with each epoch's number and validation scores; returns whether to stop."""


class Diverged(Exception):  # noqa: N818
    """The loss is not finite, or too large to recover."""


class Interrupted(Exception):  # noqa: N818
    """The training was asked to stop; its state is saved."""


class Loop:
    """Trains a network step by step; `state` holds everything that changes."""

    def __init__(
        self,
        network: Network,
        task: Task,
        loader: TrainingLoader,
        recipe: Recipe,
        how: Arithmetic,
        *,
        recorder: Recorder,
        callback: Callback,
        processes: Processes = ALONE,
        report: Report = lambda epoch, scores: False,
        stop: Callable[[], bool] = lambda: False,
    ) -> None:
        self.task, self.loader, self.recipe, self.how = task, loader, recipe, how
        self.recorder, self.callback, self.processes = recorder, callback, processes
        self.report, self.stop = report, stop
        self.device = torch.device(how.device)
        task.begin(network, loader)
        self.state = TrainingState(network, recipe, self.device, how.dtype, len(task.measures))
        self.validation = Validation(self.state, task, loader, how, processes)
        self.runner: nn.Module = network
        if recipe.compile:
            self.runner = torch.compile(network)  # type: ignore[assignment]
        if processes.count > 1:
            self.runner = nn.parallel.DistributedDataParallel(self.runner)
        self.total = None if recipe.epochs is None else recipe.epochs * loader.steps
        self.time = TimeLimit(recipe.max_time, self.total, processes, self.device)
        self.kept: KeptWeights | None = None  # known when the first weights are
        rounded = self.state.rounded
        # Weights may be rounded where the network computes, and in what is kept.
        self.computing: Callable[..., AbstractContextManager[None]] = (
            (lambda progress=1.0: nullcontext()) if rounded is None else rounded.applied
        )
        self.norm = torch.zeros(())
        self.rate = self.progress = 0.0  # of the last step
        self.saved = perf_counter()

    def run(self) -> str:
        """Train to the end and return the reason for the end: epochs, time, patience or report.

        Raises Diverged, and Interrupted when `stop` returns True.
        """
        state = self.state
        state.started = state.logged = self.saved = perf_counter()
        self.kept = kept_weights(state.network, self.recipe.keep)
        self.callback.on_begin(state.steps, self.total)
        if not state.steps:
            self.recorder.write_checkpoint(state.checkpoint())
        while not state.ended:
            self._epoch()
        return state.ended

    def _epoch(self) -> None:
        """Train on all images once and evaluate; sets `state.ended` if that ends the training."""
        state = self.state
        state.network.train()
        reason = ""
        for images, labels in self.loader.epoch(state.epoch, state.step):
            self._halt()
            self._step(images, labels)
            self.callback.on_step()
            ready = state.steps % self.recipe.log_every == 0
            if ready:
                self._log()
            if self.time.is_reached(state.seconds, ready):
                reason = "time"
                break
        self._log()
        with self.computing():
            row = self._measure()
        better = self.validation.is_better(row, state.best)
        if better:
            state.best = row
        state.epochs.append(row)
        state.epoch, state.step, state.epoch_sums = state.epoch + 1, 0, state.zeros()
        state.epoch_seconds = 0.0
        state.ended = reason or self._enough(row)
        if self.processes.first:
            with self.computing():
                self._diagnose()
            with self.computing(), self.validation.weights_of(row):
                if better:
                    self.recorder.write_best(state.model.state_dict(), row)
                self.recorder.write_last(state.model.state_dict(), row)
            self.recorder.write_epoch(row)
            self._save()
        self.callback.on_epoch(row)
        state.logged = perf_counter()

    def _step(self, images: Tensor, labels: Tensor) -> None:
        state, recipe = self.state, self.recipe
        self.progress = self.time.progress(state.steps, state.seconds)
        self.rate = schedule.rate(recipe, self.progress)
        for group in state.optimizer.param_groups:
            group["lr"] = self.rate
        state.optimizer.zero_grad()
        together = self.loader.images_of(state.step)
        parts = min(recipe.accumulate, len(images))
        with self.computing(self.progress):
            for part, wanted in zip(
                images.tensor_split(parts), labels.tensor_split(parts), strict=True
            ):
                self._backward(part, wanted, together)
        if state.rounded is not None:
            state.rounded.pass_gradients()
        state.interval_sums[-1] += len(images)
        state.interval_images += together
        state.scaler.unscale_(state.optimizer)
        if recipe.clip is not None:
            self.norm = clip_grad_norm_(state.network.parameters(), recipe.clip)
        elif (state.steps + 1) % recipe.log_every == 0 or state.step + 1 == self.loader.steps:
            weights = state.network.parameters()
            self.norm = get_total_norm([w.grad for w in weights if w.grad is not None])
        state.scaler.step(state.optimizer)
        state.scaler.update()
        if self.kept is not None:
            self.kept.restore(dict(state.network.named_parameters()))
        if state.average is not None:
            state.average.update_parameters(state.network)
        state.step += 1
        state.steps += 1

    def _backward(self, part: Tensor, wanted: Tensor, together: int) -> None:
        """Add the gradient of a part of a batch, of which all processes have `together` images."""
        state, recipe = self.state, self.recipe
        with self.how.autocast():
            targets = self.task.targets(part, wanted)
            outputs = self.runner(part)
            loss = self.task.loss(outputs, targets)
        state.interval_sums[:-1] += self.task.tally(outputs, targets, loss)
        if recipe.l1:
            loss = loss + recipe.l1 * l1_penalty(state.network)
        # Processes average their gradients; each image should weigh the same in the step.
        loss = loss * (len(part) * self.processes.count / together)
        state.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]

    def _halt(self) -> None:
        """Save the state and raise Interrupted if any process is asked to stop."""
        if self.processes.count > 1 and self.state.steps % self.recipe.log_every:
            return
        if self.processes.any(self.stop(), self.device):
            if self.processes.first:
                self._save()
            raise Interrupted

    def _log(self) -> None:
        """Close the interval: record what was measured since the previous row."""
        state = self.state
        if not state.interval_images:
            return
        sums = self.processes.sum(state.interval_sums)
        state.epoch_sums += sums
        train = means(self.task, sums)
        now = perf_counter()
        row = Interval(
            epoch=state.epoch + 1,
            step=state.steps,
            train=train,
            learning_rate=self.rate,
            gradient=float(self.norm),
            images_per_second=state.interval_images / (now - state.logged),
            seconds=state.seconds,
        )
        state.epoch_seconds += now - state.logged
        state.interval_sums, state.interval_images, state.logged = state.zeros(), 0, now
        if self.processes.first:
            self.recorder.write_interval(row)
        self.callback.on_interval(row)
        self._check(train["loss"])
        ended = state.step == self.loader.steps  # the epoch saves it, with its row
        if now - self.saved >= self.recipe.checkpoint_every and not ended and self.processes.first:
            self._save()

    def _check(self, loss: float) -> None:
        """Raise Diverged if the loss of an interval is beyond recovery."""
        state = self.state
        rising = state.rounded is not None and self.progress < GRADUAL
        if state.first_loss is None or rising:  # rounding gradually, from a small loss on
            state.first_loss = max(loss, state.first_loss or 0.0)
        if not isfinite(loss):
            raise Diverged(f"the loss is {loss} at step {state.steps}")
        if loss > DIVERGED * max(state.first_loss, 1e-3):
            raise Diverged(
                f"the loss is {loss:.4g} at step {state.steps}, up from {state.first_loss:.4g}"
            )

    def _measure(self) -> Epoch:
        """Return the row of the current epoch. Raises Diverged for a loss that is not finite."""
        state = self.state
        row = Epoch(
            epoch=state.epoch + 1,
            step=state.steps,
            train=means(self.task, state.epoch_sums),
            validation=None,
            learning_rate=self.rate,
            images_per_second=float(state.epoch_sums[-1]) / max(state.epoch_seconds, 1e-9),
            seconds=state.seconds,
        )
        row = self.validation.validated(row)
        loss = (row.validation or {}).get("loss", 0.0)
        if not isfinite(loss):
            raise Diverged(f"the validation loss is {loss} at step {state.steps}")
        return row

    def _diagnose(self) -> None:
        """Diagnose the network with some training images, and report new problems."""
        known = self.state.diagnoses
        for diagnosis in diagnose(self.state.network, self.loader.sample(), self.state.epoch):
            key = diagnosis.kind, diagnosis.node
            if key not in known:
                self.callback.on_diagnosis(diagnosis)
            known[key] = diagnosis

    def _enough(self, row: Epoch) -> str:
        """Return the reason to end the training after an epoch, if any."""
        reason = ""
        patience, best = self.recipe.patience, self.state.best
        assert best is not None
        if self.processes.first and self.report(row.epoch, row.validation or row.train):
            reason = "report"
        elif patience is not None and row.epoch - best.epoch >= patience:
            reason = "patience"
        elif row.epoch == self.recipe.epochs:
            reason = "epochs"
        return self.processes.broadcast(reason)

    def _save(self) -> None:
        self.saved = perf_counter()
        self.recorder.write_checkpoint(self.state.checkpoint())
