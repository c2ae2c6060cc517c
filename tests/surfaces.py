"""The obvious way to a point of a loss surface, and processes that compute one."""

import copy
import multiprocessing
import time
from typing import Any

import torch
import torch.nn.functional as F

from reslab import Run
from reslab.probes.surface import surface

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["reslab.probes.surface"])


def start(run: Run, **plan: Any) -> multiprocessing.Process:
    """A process that computes a run's surface, resting after each point so that another one meets it there."""
    process = CONTEXT.Process(target=_compute, args=(run,), kwargs=plan)
    process.start()
    return process


def _compute(run: Run, **plan: Any) -> None:
    surface(run, report=lambda *what: time.sleep(0.1), **plan)


def state_at(net, point):
    """What load_state_dict takes, cut out of a vector by hand."""
    state, start = net.state_dict(), 0
    for name, tensor in state.items():
        if name.endswith("num_batches_tracked"):
            continue
        state[name] = point[start : start + tensor.numel()].view(tensor.shape)
        start += tensor.numel()
    assert start == len(point)
    return state


@torch.no_grad()
def eager(net, point, images, labels):
    twin = copy.deepcopy(net)
    twin.load_state_dict(state_at(net, point))
    logits = twin.eval()(images)
    return F.cross_entropy(logits, labels).item(), 100 * (logits.argmax(1) != labels).float().mean().item()
