"""All that changes while a run trains, and one step of it."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from . import checkpoint
from .config import RunConfig, learning_rate
from .task import Task


@dataclass
class Window:
    """Sums since the last log point, on the device, so that the loop never waits for it in between."""

    sums: torch.Tensor  # [2]: loss, error
    first_bad: torch.Tensor  # iteration of the first loss that is not finite, -1 while there is none
    count: int = 0

    @classmethod
    def empty(cls, device: torch.device) -> "Window":
        return cls(torch.zeros(2, device=device), torch.full((), -1, device=device))

    def add(self, loss: torch.Tensor, error: torch.Tensor, iteration: int) -> None:
        self.sums += torch.stack([loss, error])
        now_bad = (self.first_bad < 0) & ~torch.isfinite(loss)
        self.first_bad = torch.where(now_bad, iteration, self.first_bad)
        self.count += 1

    def means(self) -> tuple[float, float]:
        """(loss, error), waiting for the device."""
        loss, error = (self.sums / self.count).tolist()
        return loss, error


@dataclass
class State:
    """What a checkpoint holds. `iteration` is the number of iterations done; `rows` are the log points so far."""

    net: nn.Module
    optimizer: torch.optim.Optimizer
    window: Window
    iteration: int = 0
    warmup_end: int | None = None
    seconds: float = 0.0
    rows: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def fresh(cls, task: Task, config: RunConfig, device: torch.device) -> "State":
        net = task.make_net()
        recipe = dict(lr=config.lr, momentum=config.momentum, weight_decay=config.weight_decay)
        return cls(net, torch.optim.SGD(net.parameters(), **recipe, fused=True), Window.empty(device))

    def save(self, folder: Path) -> None:
        state = dict(
            net=self.net.state_dict(),
            optimizer=self.optimizer.state_dict(),
            sums=self.window.sums,
            count=self.window.count,
            iteration=self.iteration,
            warmup_end=self.warmup_end,
            seconds=self.seconds,
            rows=self.rows,
            threads=torch.get_num_threads(),
        )
        checkpoint.save(folder, state)

    def restore(self, saved: dict[str, Any]) -> None:
        self.net.load_state_dict(saved["net"])
        self.optimizer.load_state_dict(saved["optimizer"])
        self.window.sums, self.window.count = saved["sums"], saved["count"]
        self.iteration, self.warmup_end = saved["iteration"], saved["warmup_end"]
        self.seconds, self.rows = saved["seconds"], saved["rows"]


def step(state: State, task: Task, config: RunConfig) -> None:
    """One iteration: batch, loss, gradients, update. Nothing in it waits for the device."""
    for group in state.optimizer.param_groups:
        group["lr"] = learning_rate(config, state.iteration, state.warmup_end)
    loss, error = task.loss(state.net, task.batch(state.iteration))
    state.optimizer.zero_grad()
    loss.backward()
    state.optimizer.step()
    state.window.add(loss.detach(), error, state.iteration)
    state.iteration += 1
