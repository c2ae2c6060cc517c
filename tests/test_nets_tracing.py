"""Drawing and fusing a net while another thread runs one."""

import threading

import pytest
import torch
from torch import nn

from reslab import cifar_net
from reslab.fast.fuse import fuse
from reslab.nets.graph import block_graph


def test_a_net_that_runs_in_another_thread_does_not_notice():
    original, net = nn.Module.__call__, cifar_net(8, "B", 4).eval()
    images = torch.randn(1, 3, 8, 8)
    expected, wrong, stop = net(images), [], threading.Event()

    def run():
        while not stop.is_set():
            try:
                assert torch.equal(net(images), expected)
            except BaseException as error:
                wrong.append(error)
                return

    def draw():
        for _ in range(60):
            block_graph(cifar_net(8, "exclusive-gating", 4).stage2.block1)

    def accelerate():
        for _ in range(10):
            fuse(cifar_net(8, "A", 8))

    with torch.no_grad():
        threads = [threading.Thread(target=task) for task in (run, draw, draw, accelerate)]
        for thread in threads:
            thread.start()
        for thread in threads[1:]:
            thread.join()
        stop.set()
        threads[0].join()
    assert not wrong and nn.Module.__call__ is original


def test_a_trace_that_fails_leaves_everything_as_it_was():
    original = nn.Module.__call__
    with pytest.raises(ValueError, match="Shortcut"):
        block_graph(nn.Sequential(nn.ReLU()))
    assert nn.Module.__call__ is original
    block_graph(cifar_net(8).stage1.block1)
