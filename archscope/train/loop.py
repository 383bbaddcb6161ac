"""The loop: steps, epochs, and what is measured of them."""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite
from time import perf_counter

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_, get_total_norm

from archscope.build import Network
from archscope.records.training import Epoch, Finding, Interval, Scores
from archscope.train import schedule
from archscope.train.device import Arithmetic
from archscope.train.diagnostics import look
from archscope.train.distributed import ALONE, Processes
from archscope.train.ema import average
from archscope.train.evaluate import evaluate, means
from archscope.train.loader import Feed
from archscope.train.losses import l1_penalty
from archscope.train.observers import Keeper, Watcher
from archscope.train.optimizers import optimizer
from archscope.train.recipe import Recipe
from archscope.train.state import state_of
from archscope.train.tasks import Task

DIVERGED = 100.0
"""A mean loss that is so many times the first one will not come back."""

HURRY = 0.1
"""Share of max_time from which on the schedule may follow the clock."""

Report = Callable[[int, Scores], bool]
"""Told each epoch's number and validation scores; answers whether to stop."""


class Diverged(Exception):  # noqa: N818
    """The loss is no number any more, or beyond all bounds."""


class Interrupted(Exception):  # noqa: N818
    """Someone asked the training to stop; its state is kept."""


class Loop:
    """A training in progress: what moves while it goes on, as `state.py` keeps it."""

    def __init__(
        self,
        network: Network,
        task: Task,
        feed: Feed,
        recipe: Recipe,
        how: Arithmetic,
        *,
        keeper: Keeper,
        watcher: Watcher,
        processes: Processes = ALONE,
        report: Report = lambda epoch, scores: False,
        stop: Callable[[], bool] = lambda: False,
    ) -> None:
        self.network, self.task, self.feed = network, task, feed
        self.recipe, self.how, self.processes = recipe, how, processes
        self.keeper, self.watcher, self.report, self.stop = keeper, watcher, report, stop
        self.device = torch.device(how.device)
        task.begin(network, feed)
        self.optimizer = optimizer(recipe, network)
        self.average = average(network, recipe.ema) if recipe.ema else None
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=how.dtype == "float16")
        self.runner: nn.Module = network
        if recipe.compile:
            self.runner = torch.compile(network)  # type: ignore[assignment]
        if processes.count > 1:
            self.runner = nn.parallel.DistributedDataParallel(self.runner)
        self.epoch = self.step = self.steps = 0  # epochs done, steps done of this one and of all
        self.total = None if recipe.epochs is None else recipe.epochs * feed.steps
        self.ended = ""  # what ended the training: epochs, time, patience or report
        self.epochs: list[Epoch] = []
        self.best: Epoch | None = None
        self.findings: dict[tuple[str, str], Finding] = {}
        self.first_loss: float | None = None
        self.tally = self._zeros()
        self.recent = self._zeros()
        self.norm = torch.zeros(())
        self.rate = 0.0
        self.clock = 0.0  # share of max_time; several processes agree on it now and then
        self.before = 0.0  # seconds of earlier runs
        self.training = 0.0  # seconds of this epoch's steps
        self.started = self.logged = self.saved = perf_counter()
        self.seen = 0  # images since the last row

    def _zeros(self) -> Tensor:
        return torch.zeros(len(self.task.measures) + 1, dtype=torch.float64, device=self.device)

    @property
    def seconds(self) -> float:
        """Time spent so far, that of earlier runs with it."""
        return self.before + perf_counter() - self.started

    @property
    def model(self) -> nn.Module:
        """What is judged and kept: the network, or the average of its weights."""
        return self.network if self.average is None else self.average.module

    def run(self) -> str:
        """Train to the end and return what ended it: epochs, time, patience or report.

        Raises Diverged, and Interrupted when `stop` says so.
        """
        self.started = self.logged = self.saved = perf_counter()
        self.watcher.begin(self.steps, self.total)
        if not self.steps:
            self.keeper.state(state_of(self))
        while not self.ended:
            self._epoch()
        return self.ended

    def _epoch(self) -> None:
        """Go through all images once and measure; `ended` says what ends the training then."""
        self.network.train()
        reason = ""
        images: Tensor | None = None
        for images, labels in self.feed.epoch(self.epoch, self.step):
            self._halt()
            self._step(images, labels)
            self.watcher.step()
            ready = self.steps % self.recipe.log_every == 0
            if ready:
                self._log()
            if self._late(ready):
                reason = "time"
                break
        self._log()
        row = self._measure()
        better = self._better(row)
        if better:
            self.best = row
        self.epochs.append(row)
        self.epoch, self.step, self.tally = self.epoch + 1, 0, self._zeros()
        self.training = 0.0
        self.ended = reason or self._enough(row)
        if self.processes.first:
            self._look(images)
            if better:
                self.keeper.best(self.model.state_dict(), row)
            self.keeper.last(self.model.state_dict(), row)
            self.keeper.epoch(row)
            self._save()
        self.watcher.epoch(row)
        self.logged = perf_counter()

    def _step(self, images: Tensor, labels: Tensor) -> None:
        self.rate = schedule.rate(self.recipe, self._progress())
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate
        self.optimizer.zero_grad()
        size = len(images) // self.recipe.accumulate
        parts = zip(torch.split(images, size), torch.split(labels, size), strict=True)
        for part, wanted in parts:
            with self.how.autocast():
                targets = self.task.targets(part, wanted)
                outputs = self.runner(part)
                loss = self.task.loss(outputs, targets)
            self.recent[:-1] += self.task.tally(outputs, targets, loss)
            if self.recipe.l1:
                loss = loss + self.recipe.l1 * l1_penalty(self.network)
            if self.recipe.accumulate > 1:
                loss = loss / self.recipe.accumulate
            self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        self.recent[-1] += len(images)
        self.seen += self.recipe.batch
        self.scaler.unscale_(self.optimizer)
        if self.recipe.clip is not None:
            self.norm = clip_grad_norm_(self.network.parameters(), self.recipe.clip)
        elif (self.steps + 1) % self.recipe.log_every == 0 or self.step + 1 == self.feed.steps:
            gradients = [
                parameter.grad
                for parameter in self.network.parameters()
                if parameter.grad is not None
            ]
            self.norm = get_total_norm(gradients)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        if self.average is not None:
            self.average.update_parameters(self.network)
        self.step += 1
        self.steps += 1

    def _progress(self) -> float:
        """Return how much of the training is done, from 0 to 1: by steps, or by the clock.

        The clock counts where max_time is likely to end the training: when it is ahead of the
        steps after a tenth of that time. So a limit that is far away changes nothing.
        """
        done = self.steps / self.total if self.total is not None else 0.0
        limit = self.recipe.max_time
        if limit is None:
            return done
        if self.processes.count == 1:
            self.clock = self.seconds / limit
        if self.total is not None and self.clock <= max(done, HURRY):
            return done
        return min(1.0, self.clock)

    def _late(self, ready: bool) -> bool:
        """Return whether the time is up; several processes ask each other only now and then."""
        if self.recipe.max_time is None or (self.processes.count > 1 and not ready):
            return False
        self.clock = self.processes.mean(self.seconds, self.device) / self.recipe.max_time
        return self.clock >= 1

    def _halt(self) -> None:
        """Raise Interrupted if someone wants that, with the state kept."""
        if self.processes.count > 1 and self.steps % self.recipe.log_every:
            return
        if self.processes.any(self.stop(), self.device):
            if self.processes.first:
                self._save()
            raise Interrupted

    def _log(self) -> None:
        """Close the interval: a row of what was measured since the last."""
        if not self.seen:
            return
        recent = self.processes.sum(self.recent)
        self.tally += recent
        train = means(self.task, recent)
        now = perf_counter()
        row = Interval(
            epoch=self.epoch + 1,
            step=self.steps,
            train=train,
            learning_rate=self.rate,
            gradient=float(self.norm),
            images_per_second=self.seen / (now - self.logged),
            seconds=self.seconds,
        )
        self.training += now - self.logged
        self.recent, self.seen, self.logged = self._zeros(), 0, now
        if self.processes.first:
            self.keeper.interval(row)
        self.watcher.interval(row)
        self._judge(train["loss"])
        ended = self.step == self.feed.steps  # then the epoch saves, with its row
        if now - self.saved >= self.recipe.checkpoint_every and not ended and self.processes.first:
            self._save()

    def _judge(self, loss: float) -> None:
        """Raise Diverged if the loss is lost."""
        if self.first_loss is None:
            self.first_loss = loss
        if not isfinite(loss):
            raise Diverged(f"the loss is {loss} at step {self.steps}")
        if loss > DIVERGED * max(self.first_loss, 1e-3):
            raise Diverged(
                f"the loss is {loss:.4g} at step {self.steps}, it began at {self.first_loss:.4g}"
            )

    def _measure(self) -> Epoch:
        validation = None
        if self.feed.validation is not None:
            batches = self.feed.validation
            validation = evaluate(self.model, self.task, batches, self.how, self.processes)
            if not isfinite(validation.get("loss", 0.0)):
                raise Diverged(f"the validation loss is {validation['loss']} at step {self.steps}")
        return Epoch(
            epoch=self.epoch + 1,
            step=self.steps,
            train=means(self.task, self.tally),
            validation=validation,
            learning_rate=self.rate,
            images_per_second=float(self.tally[-1]) / max(self.training, 1e-9),
            seconds=self.seconds,
        )

    def _better(self, row: Epoch) -> bool:
        """Return whether an epoch beats the best: by the goal, then by the loss."""
        if self.best is None or row.validation is None or self.best.validation is None:
            return True
        ours, theirs = row.validation, self.best.validation
        goal = self.task.goal
        if "loss" not in ours:
            return ours[goal] > theirs[goal]
        return (ours[goal], -ours["loss"]) > (theirs[goal], -theirs["loss"])

    def _look(self, images: Tensor | None) -> None:
        """Look into the network, and tell what was not known before."""
        if images is None:
            return
        for one in look(self.network, images, self.epoch):
            if (one.kind, one.node) not in self.findings:
                self.watcher.finding(one)
            self.findings[one.kind, one.node] = one

    def _enough(self, row: Epoch) -> str:
        """Return what ends the training after an epoch, if anything."""
        reason = ""
        patience = self.recipe.patience
        assert self.best is not None
        if self.processes.first and self.report(row.epoch, row.validation or row.train):
            reason = "report"
        elif patience is not None and row.epoch - self.best.epoch >= patience:
            reason = "patience"
        elif row.epoch == self.recipe.epochs:
            reason = "epochs"
        return self.processes.tell(reason)

    def _save(self) -> None:
        self.saved = perf_counter()
        self.keeper.state(state_of(self))
