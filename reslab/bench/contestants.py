"""Who is timed: reslab's training step in this process, and another trainer in a process of its own."""

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Protocol

import torch

from ..data import Dataset
from ..data.tensors import EVALUATION_BATCH
from ..training.config import RunConfig
from ..training.state import State, step
from ..training.task import Classification
from .clock import timed

WARM_UP = 5  # steps before anything is timed: they compile, choose algorithms and let the heap grow
PROBE = 3  # steps that tell how many fill a block
BLOCK = 2.0  # seconds of training steps in a block
BASELINE_BLOCK = 8.0  # seconds of the baseline's: its data workers need a while to settle
BASELINE_STEPS = (4, 200)  # fewest and most


class Contestant(Protocol):
    """One who trains the same net, and can be asked at any time how fast."""

    def warm_up(self) -> None:
        """Whatever is done once, before the first block."""

    def block(self) -> float:
        """Images a second over some steps in steady state, data included."""


class Reslab:
    """Steps of `config` as train() takes them. With `compiled=False`: eagerly, layer by layer."""

    def __init__(
        self, config: RunConfig, dataset: Dataset, device: torch.device, compiled: bool, steps: int | None = None
    ):
        self.config, self.device, self.compiled, self.steps = config, device, compiled, steps
        self.task = Classification(config, dataset, device)
        self.state = State.fresh(self.task, config, device, compiled=compiled)

    def warm_up(self) -> None:
        """Raises ValueError if the kernels cannot be had: another speed than reslab's would be measured."""
        self._train(WARM_UP)
        if self.state.compiled != self.compiled:
            raise ValueError("the compiled step cannot be had here, as the warning says: there is nothing to measure")
        if self.steps is None:
            seconds = timed(lambda: self._train(PROBE), self.device) / PROBE
            self.steps = max(PROBE, round(BLOCK / seconds))

    def block(self) -> float:
        self._train(1)  # brings back what others pushed out of the caches
        return self.steps * self.config.batch / timed(lambda: self._train(self.steps), self.device)

    def _train(self, steps: int) -> None:
        for _ in range(steps):
            step(self.state, self.task, self.config)


def random_images(config: RunConfig) -> Dataset:
    """As many training images as the config's data set has, so that gathering a batch misses the caches as it does in
    a run; what is in them does not matter. Batches of several tasks share them.
    """
    facts, generator = config.facts, torch.Generator().manual_seed(0)

    def split(count: int) -> tuple[torch.Tensor, torch.Tensor]:
        shape = (count, facts.size, facts.size, 3)  # the layout that Batches keeps: it need not copy them
        images = torch.randint(256, shape, generator=generator, dtype=torch.uint8).permute(0, 3, 1, 2)
        return images, torch.randint(facts.classes, (count,), generator=generator)

    names = tuple(map(str, range(facts.classes)))
    return Dataset(config.dataset, names, *split(facts.train), *split(EVALUATION_BATCH), fingerprint={})


class BaselineFailed(Exception):
    """The other trainer did not say how fast it is; the message says what it did instead."""


class Baseline:
    """A script that trains the net of `depth` with as many threads as this process, on a zip of CIFAR-10's PNGs, and
    prints its images_per_second in a line of JSON.
    """

    def __init__(self, script: Path, depth: int, archive: Path | None = None, steps: int | None = None):
        self.script, self.depth, self.archive, self.steps = script, depth, archive, steps

    def warm_up(self) -> None:
        """Shows, before anything takes long, that the script works here, and learns how many steps fill a block."""
        fewest, most = BASELINE_STEPS
        speed = self._images_per_second(self.steps or fewest)
        self.steps = self.steps or min(max(fewest, math.ceil(BASELINE_BLOCK * speed / 128)), most)

    def block(self) -> float:
        return self._images_per_second(self.steps)

    def _images_per_second(self, steps: int) -> float:
        options = dict(depth=self.depth, iterations=steps, warmup=4, threads=torch.get_num_threads())
        options |= dict(zip=self.archive) if self.archive else {}
        command = [sys.executable, str(self.script), *(f"--{name}={value}" for name, value in options.items())]
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        if done.returncode:
            said = (done.stderr.strip() or "it said nothing").splitlines()[-1]
            raise BaselineFailed(f"{self.script} ended with exit code {done.returncode}: {said}")
        try:
            return float(json.loads(done.stdout.strip().splitlines()[-1])["images_per_second"])
        except (IndexError, ValueError, KeyError, TypeError):
            raise BaselineFailed(
                f"{self.script} printed no line of JSON with images_per_second; its last words: {done.stdout[-200:]!r}"
            ) from None
