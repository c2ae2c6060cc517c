"""The curvature of the loss at a net's weights: products with its Hessian, and the Hessian's extreme eigenvalues."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

Product = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class Extremes:
    """The smallest and the largest eigenvalue of a Hessian, and how many products with it they took."""

    smallest: float
    largest: float
    products: int

    @property
    def ratio(self) -> float:
        """|smallest / largest|: near 0 where the loss is convex, as Li et al. 2018 map it (figure 7)."""
        return abs(self.smallest / self.largest)


def filters(net: nn.Module) -> list[nn.Parameter]:
    """The weights of the net's convolutions and its classifier, in the order of its state: what directions move."""
    return [parameter for parameter in net.parameters() if parameter.dim() > 1]


def cross_entropy(net: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> Callable[[], torch.Tensor]:
    """The mean loss of `net`, in the mode that it is in, as a function of nothing but its weights as they are."""
    return lambda: F.cross_entropy(net(images), labels)


def hessian_product(loss: Callable[[], torch.Tensor], weights: Sequence[torch.Tensor]) -> Product:
    """v [D] -> H v [D], H being the second derivatives of `loss()` with respect to `weights`, flattened one after the
    other. By differentiating twice (Pearlmutter 1994); the first derivative is taken once and kept.
    """
    with torch.enable_grad():
        gradients = torch.autograd.grad(loss(), weights, create_graph=True)
        gradient = torch.cat([part.flatten() for part in gradients])

    def product(v: torch.Tensor) -> torch.Tensor:
        with torch.enable_grad():
            parts = torch.autograd.grad(gradient, weights, v, retain_graph=True, materialize_grads=True)
        return torch.cat([part.flatten() for part in parts])

    return product


def filter_norms(weights: Sequence[torch.Tensor]) -> torch.Tensor:
    """For each of `weights`, flattened, the norm of the filter of a convolution, or row of the classifier, it is in."""
    norms = [w.detach().flatten(1).norm(dim=1, keepdim=True).expand(-1, w[0].numel()).flatten() for w in weights]
    return torch.cat(norms)


def extremes(
    net: nn.Module,
    images: torch.Tensor,
    labels: torch.Tensor,
    normalised: bool = True,
    tolerance: float = 1e-2,
    seed: int = 0,
) -> Extremes:
    """The extreme eigenvalues of the Hessian of the mean loss over `images` [N, 3, H, W] and `labels` [N], with respect
    to the weights of convolutions and classifier, in evaluation mode; the net stays as it was.

    With `normalised` each filter's coordinates are measured in its norm, as in filter-normalised directions: batch norm
    lets a net have weights of any size and compute the same, and without it a net with smaller ones has larger
    eigenvalues for that alone. By Lanczos's method to a relative `tolerance` (ARPACK).
    """
    training, weights = net.training, filters(net)
    asked = [w.requires_grad for w in weights]
    net.eval()
    try:
        for w in weights:
            w.requires_grad_()
        product = hessian_product(cross_entropy(net, images, labels), weights)
        return extremes_of(product, filter_norms(weights) if normalised else None, weights, tolerance, seed)
    finally:
        net.train(training)
        for w, before in zip(weights, asked, strict=True):
            w.requires_grad_(before)


def extremes_of(
    product: Product, scale: torch.Tensor | None, like: Sequence[torch.Tensor], tolerance: float = 1e-2, seed: int = 0
) -> Extremes:
    """The extreme eigenvalues of H, or of S H S where S is diagonal with `scale` [D]; `like` are the weights."""
    from scipy.sparse.linalg import LinearOperator, eigsh  # here: only who asks for eigenvalues needs scipy

    size, dtype, device = sum(w.numel() for w in like), like[0].dtype, like[0].device
    count = 0

    def multiply(v: np.ndarray) -> np.ndarray:
        nonlocal count
        count += 1
        given = torch.from_numpy(np.ascontiguousarray(v.ravel())).to(device, dtype)
        found = product(given if scale is None else scale * given)
        return (found if scale is None else scale * found).cpu().double().numpy()

    operator = LinearOperator((size, size), matvec=multiply, dtype=np.float64)
    start = np.random.default_rng(seed).standard_normal(size)
    found = [
        eigsh(operator, 1, which=which, v0=start, tol=tolerance, return_eigenvectors=False)[0] for which in ("SA", "LA")
    ]
    return Extremes(float(found[0]), float(found[1]), count)
