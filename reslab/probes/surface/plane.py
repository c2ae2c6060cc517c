"""Planes in the space of a net's weights: a net plus x times one direction plus y times another."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from .directions import random_direction
from .weights import State, are_weights, vector


@dataclass(frozen=True, eq=False)
class Plane:
    """origin + x * along[0] + y * along[1]; a line has one direction alone.

    The vectors [D] hold all of a net's state: see reslab.probes.surface.weights. Lengths and angles are those of the
    weights, `weights` being True for them; running statistics of batch norm are carried along. A random direction
    leaves them as they are at the origin, which Li et al. 2018 do too; a plane through nets, or along a path, has each
    net's own at its place and is linear in between, where the true ones would have to be measured.
    """

    origin: torch.Tensor
    along: tuple[torch.Tensor, ...]
    weights: torch.Tensor
    words: str  # what the directions are
    share: float | None = None  # 0..1, of the variance of a path's weights: how much of it lies in the plane

    def at(self, x: float, y: float = 0.0) -> torch.Tensor:
        """The vector [D] at a point, float32."""
        point = self.origin.clone()
        for step, direction in zip((x, y), self.along, strict=False):
            point.add_(direction, alpha=step)
        return point


def random_plane(net: nn.Module, seed: int = 0, dimensions: int = 2) -> Plane:
    """Through `net`, along `dimensions` random directions, filter-normalised: see random_direction."""
    generator = torch.Generator().manual_seed(seed)
    along = tuple(random_direction(net, generator) for _ in range(dimensions))
    directions = "a random direction" if dimensions == 1 else "two random directions"
    return Plane(vector(net), along, are_weights(net), f"{directions}, filter-normalised, seed {seed}")


def plane_through(net: nn.Module, states: Sequence[State | nn.Module]) -> Plane:
    """Through `net`, its origin, and two more nets, or their states: the first one lies on the x axis.

    The directions are orthonormal, so coordinates are distances between weights. Raises ValueError for another number
    of nets, if they differ in kind, or if the three lie on one line.
    """
    if len(states) != 2:
        raise ValueError(f"a plane goes through three nets: give two more, not {len(states)}")
    origin, weights = vector(net), are_weights(net)
    along: list[torch.Tensor] = []
    for state in states:
        given = vector(net, state.state_dict() if isinstance(state, nn.Module) else state)
        new = given.double() - origin
        size = _dot(new, new, weights).sqrt()
        for other in along:
            new = new - _dot(new, other, weights) * other
        if _dot(new, new, weights).sqrt() <= 1e-6 * size:
            raise ValueError("the three nets lie on one line, which is no plane; give nets that differ")
        along.append(new / _dot(new, new, weights).sqrt())
    return Plane(origin, tuple(d.float() for d in along), weights, "the plane through three nets")


def principal_plane(net: nn.Module, path: Mapping[int, State]) -> Plane:
    """Through `net`, where training has ended, along the two principal components of how far from there its weights
    were at the iterations of `path` (Li et al. 2018, section 7).

    The components are orthonormal, the first one has the larger variance. Raises ValueError for fewer than three
    iterations.
    """
    if len(path) < 3:
        raise ValueError(
            f"{len(path)} recorded iterations make no plane, which takes 3; train longer, with record=['weights']"
        )
    origin, weights = vector(net), are_weights(net)
    away = torch.stack([vector(net, path[iteration]) for iteration in sorted(path)]).double() - origin
    centred = away - away.mean(0)
    # As many rows as iterations, and columns as weights: the small product of the two has the same components.
    variances, combinations = torch.linalg.eigh(centred[:, weights] @ centred[:, weights].T)
    # Of either sign: chosen, because processes on other machines compute this plane too, and share its grid.
    combinations *= combinations.gather(0, combinations.abs().argmax(0, keepdim=True)).sign()
    top = [combinations[:, -k] @ centred / variances[-k].sqrt() for k in (1, 2)]
    share = (variances[-2:].sum() / variances.sum()).item()
    words = f"the two principal components of training's path, {100 * share:.0f} % of its variance"
    return Plane(origin, tuple(d.float() for d in top), weights, words, share)


def project(plane: Plane, point: torch.Tensor) -> tuple[float, float]:
    """The (x, y) of the plane's point that is nearest to the weights of `point` [D]; on a line y is 0."""
    away = (point.double() - plane.origin)[plane.weights]
    along = torch.stack([direction.double()[plane.weights] for direction in plane.along])
    x, *y = torch.linalg.solve(along @ along.T, along @ away).tolist()
    return x, y[0] if y else 0.0


def _dot(a: torch.Tensor, b: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    return a[weights].double() @ b[weights].double()
