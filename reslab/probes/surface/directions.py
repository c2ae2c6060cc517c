"""Random directions whose filters are as large as the net's (Li et al. 2018, 1712.09913, section 4)."""

import torch
from torch import nn

from .weights import entries


def random_direction(net: nn.Module, generator: torch.Generator) -> torch.Tensor:
    """A direction [D] from the net's weights: Gaussian, then each filter of a convolution, and each row of the
    classifier, scaled to the norm of the net's own.

    So a step of 1 changes each filter by as much as it is large, and two nets can be compared although batch norm lets
    one have larger weights than the other and compute the same. Biases, batch norm's weights and running statistics
    stay where they are, as in the authors' code (`ignore="biasbn"`). `generator` is the CPU's.
    """
    parts = []
    for entry in entries(net):
        if not (entry.weight and len(entry.shape) > 1):
            parts.append(torch.zeros(entry.shape).flatten())
            continue
        weight = net.get_parameter(entry.name).detach().float().cpu().flatten(1)
        random = torch.randn(weight.shape, generator=generator)
        parts.append((random * (weight.norm(dim=1) / random.norm(dim=1))[:, None]).flatten())
    return torch.cat(parts)
