"""The convolution that passes over pixels before a strided 1x1 one: torch's, without the call that fails."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from reslab import cifar_net
from reslab.nets.convolution import Conv2d


@pytest.mark.parametrize("channels", [1, 4, 7, 8])
@pytest.mark.parametrize(("side", "stride", "size"), [(1, 2, 8), (1, 3, 7), (1, 1, 5), (3, 2, 8)])
def test_it_is_torchs_convolution(channels, side, stride, size):
    torch.manual_seed(0)
    x = torch.randn(2, channels, size, size, dtype=torch.float64, requires_grad=True)
    ours, theirs = (kind(channels, 6, side, stride, side // 2).double() for kind in (Conv2d, nn.Conv2d))
    theirs.load_state_dict(ours.state_dict())
    found = [
        torch.autograd.grad(y.square().sum(), [x, *conv.parameters()]) for conv in (ours, theirs) for y in [conv(x)]
    ]
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other)
    torch.testing.assert_close(ours(x), theirs(x))


@pytest.mark.parametrize("shortcut", ["B", "C", "conv1x1", "shortcut-gating", "exclusive-gating"])
def test_no_net_calls_a_strided_pointwise_convolution_of_few_channels(monkeypatch, shortcut):
    called, torchs = [], torch.conv2d
    for module, name in ((F, "conv2d"), (torch, "conv2d")):
        monkeypatch.setattr(module, name, lambda *given: called.append(given) or torchs(*given))
    cifar_net(8, shortcut, width=4)(torch.randn(2, 3, 8, 8))
    assert len(called) > 8
    for x, weight, _bias, stride, *_ in (given for given in called if len(given) > 3):
        assert weight.shape[2:] != (1, 1) or x.shape[1] >= 8 or stride in (1, (1, 1))
