"""A net's loss surface over a line or a plane of weights, as figures and claims read it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class PathPoint:
    """Where on the plane the weights of one iteration of training lie."""

    iteration: int
    x: float
    y: float


@dataclass(frozen=True)
class Surface:
    """Loss and error at origin + x * (first direction) + y * (second direction).

    loss[j][i] and error[j][i] are at (x[i], y[j]), NaN where they are not computed yet; a line has y == (0.0,). The
    loss is the mean cross-entropy in nats, infinite where logits are beyond float32; the error is in percent. Both are
    over the same `images` pictures of `split`.
    """

    name: str  # of the net, such as "plain-56"
    x: tuple[float, ...]
    y: tuple[float, ...]
    loss: tuple[tuple[float, ...], ...]
    error: tuple[tuple[float, ...], ...]
    images: int
    split: str
    directions: str  # what the axes are, in words such as "two random directions, filter-normalised, seed 0"
    path: tuple[PathPoint, ...] = ()

    @property
    def done(self) -> int:
        """How many of the points are computed."""
        return sum(value == value for row in self.loss for value in row)

    @property
    def total(self) -> int:
        """How many points the grid has."""
        return len(self.x) * len(self.y)
