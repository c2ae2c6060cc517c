"""All that changes while a run trains, and one step of it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from safetensors.torch import save as to_safetensors
from torch import nn

from ..data.draws import seed_of
from ..fast import Recorded, accelerate
from ..files import Place
from ..nets.registry import is_a_users
from . import checkpoint
from .config import RunConfig
from .parallel import parallel
from .processes import SOLO, Processes
from .schedule import find_plateaus, learning_rate
from .task import Task

BETA2 = 0.999  # of AdamW
OF_THE_DEVICE = {"lr", "capturable"}  # what an optimizer has in another form on a GPU, for a step to be recorded


@dataclass
class Window:
    """Sums since the last log point, on the device, so that the loop never waits for it in between.

    Tensors that are changed in place and never replaced: a recorded CUDA graph goes on writing to them.
    """

    sums: torch.Tensor  # [2]: loss, error
    count: torch.Tensor  # iterations in the sums
    first_bad: torch.Tensor  # how many of them came before the first loss that is not finite, -1 while there is none

    @classmethod
    def empty(cls, device: torch.device) -> "Window":
        return cls(
            torch.zeros(2, device=device),
            torch.zeros((), dtype=torch.long, device=device),
            torch.full((), -1, device=device),
        )

    def add(self, values: torch.Tensor) -> None:
        """Adds an iteration's [loss, error]."""
        self.sums += values
        now_bad = (self.first_bad < 0) & ~torch.isfinite(values[0])
        self.first_bad.copy_(torch.where(now_bad, self.count, self.first_bad))
        self.count += 1

    def clear(self) -> None:
        self.sums.zero_()
        self.count.zero_()
        self.first_bad.fill_(-1)

    def means(self) -> tuple[float, float]:
        """(loss, error), waiting for the device."""
        loss, error = (self.sums / self.count).tolist()
        return loss, error


@dataclass
class State:
    """What a checkpoint holds. `iteration` is the number of iterations done; `rows` are the log points so far.

    All of it is the same in all processes that train the run.
    """

    net: nn.Module
    model: nn.Module  # the net in the form in which it runs: itself, or an accelerated one with the same weights
    optimizer: torch.optim.Optimizer
    window: Window
    update: Callable[..., None]  # one update from a batch's tensors
    iteration: int = 0
    warmup_end: int | None = None
    seconds: float = 0.0
    rows: list[dict[str, Any]] = field(default_factory=list)
    plateaus: tuple[int, ...] = ()  # as found in the rows
    processes: Processes = SOLO

    @classmethod
    def fresh(
        cls,
        task: Task,
        config: RunConfig,
        device: torch.device,
        compiled: bool = False,
        processes: Processes = SOLO,
    ) -> "State":
        """The state before the first iteration. `compiled` makes the step of a single process fast: see reslab.fast."""
        net = task.make_net()
        model = accelerate(net, device) if compiled else net
        trained = model
        if processes.count > 1:
            trained = parallel(net, lambda model: task.loss(model, task.batch(0))[0])
        optimizer, window = make_optimizer(net, config, device), Window.empty(device)

        def update(*batch: torch.Tensor) -> None:
            loss, error = task.loss(trained, batch)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            window.add(processes.mean(torch.stack([loss.detach(), error])))

        # A recorded step repeats what Python decided while it was recorded: a user's shortcut may decide each time.
        records = compiled and device.type == "cuda" and not any(map(is_a_users, net.modules()))
        update = Recorded(update) if records else update
        return cls(net, model, optimizer, window, update, processes=processes)

    @property
    def compiled(self) -> bool:
        """Whether the step is a fast one: asked for, and possible here."""
        return self.model is not self.net and getattr(self.model, "works", True)

    def weights(self, run: str) -> bytes:
        """The net's weights and running statistics as a safetensors file that names its run."""
        tensors = {name: tensor.contiguous().cpu() for name, tensor in self.net.state_dict().items()}
        return to_safetensors(tensors, {"config": run})

    def save(self, folder: Place) -> None:
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
            compiled=self.compiled,
            processes=self.processes.count,
        )
        checkpoint.save(folder, state)

    def restore(self, saved: dict[str, Any], config: RunConfig) -> None:
        """Goes on from a checkpoint; to be called before the first step."""
        self.net.load_state_dict(saved["net"])
        own = [{name: group[name] for name in OF_THE_DEVICE & set(group)} for group in self.optimizer.param_groups]
        self.optimizer.load_state_dict(saved["optimizer"])
        for group, as_here in zip(self.optimizer.param_groups, own, strict=True):
            group |= as_here  # set_learning_rate gives the rate its value
        self.window.sums.copy_(saved["sums"])
        self.window.count.fill_(int(saved["count"]))
        self.iteration, self.warmup_end = saved["iteration"], saved["warmup_end"]
        self.seconds, self.rows = saved["seconds"], saved["rows"]
        self.plateaus = find_plateaus(config, self.rows)

    def learning_rate(self, config: RunConfig, iteration: int) -> float:
        """That of an iteration that was, or is the next one."""
        return learning_rate(config, iteration, self.warmup_end, self.plateaus)

    def set_learning_rate(self, rate: float) -> None:
        for group in self.optimizer.param_groups:
            if isinstance(group["lr"], torch.Tensor):
                group["lr"].fill_(rate)
            else:
                group["lr"] = rate


def make_optimizer(net: nn.Module, config: RunConfig, device: torch.device) -> torch.optim.Optimizer:
    """Fused: one pass over all weights. On a GPU the learning rate is a tensor, so that a recorded step reads it."""
    on_gpu = device.type == "cuda"
    lr = torch.tensor(config.lr, device=device) if on_gpu else config.lr
    recipe = dict(lr=lr, weight_decay=config.weight_decay, fused=True)
    if config.optimizer == "adamw":
        return torch.optim.AdamW(net.parameters(), betas=(config.momentum, BETA2), capturable=on_gpu, **recipe)
    return torch.optim.SGD(net.parameters(), momentum=config.momentum, **recipe)


def seed(number: int, device: torch.device) -> None:
    """Seeds the random numbers of the CPU and of `device`: torch.manual_seed would look for every accelerator."""
    torch.default_generator.manual_seed(number)
    if device.type == "cuda":
        with torch.cuda.device(device):
            torch.cuda.manual_seed(number)


def step(state: State, task: Task, config: RunConfig) -> None:
    """One iteration: learning rate, batch, update. Nothing in it waits for the device.

    What a net draws at random is a function of (seed, iteration) too, and the same in all processes: a layer skipped
    for the whole batch, by stochastic depth, is skipped in all of them. Dropout draws for each value, so that every
    share gets the same pattern: there several processes train another run than one.
    """
    seed(seed_of(config.seed, state.iteration), state.window.sums.device)
    state.set_learning_rate(state.learning_rate(config, state.iteration))
    state.update(*task.batch(state.iteration))
    state.iteration += 1
