"""What a training step has to do at least, counted from the net's layer table: operations and bytes."""

import math
from dataclasses import dataclass

import torch

from ..nets.anatomy import Anatomy, anatomy
from ..training.config import RunConfig

ELEMENT = {"fp32": 4, "bf16": 2}  # bytes of an activation
# A weight's gradient, the weight and its momentum, each read once and written once, in float32.
UPDATE = 3 * 2 * 4


@dataclass(frozen=True)
class Work:
    """Of one step: floating-point operations, and bytes to and from memory."""

    flops: int
    bytes: int

    def limit(self, flops_per_second: float, bytes_per_second: float) -> tuple[float, str]:
        """(seconds below which the machine cannot go, which of "compute" and "memory" sets them)."""
        return max((self.flops / flops_per_second, "compute"), (self.bytes / bytes_per_second, "memory"))


def step_work(config: RunConfig) -> Work:
    """The work of one step of `config`, whose shortcut is "none" or "A"."""
    image = (3, config.image_size, config.image_size)
    with torch.random.fork_rng(devices=[]):  # what the weights are does not matter
        net = config.make_net()
    layers = anatomy(net, image)
    return Work(step_flops(layers, config.batch), step_bytes(layers, image, config.batch, ELEMENT[config.precision]))


def step_flops(layers: Anatomy, batch: int) -> int:
    """Multiplications and additions of the convolutions and the classifier for a batch.

    Forward pass, input gradient and weight gradient cost the same, a multiply-add being two operations. The first
    convolution has no input gradient: nobody needs that of the images.
    """
    first = next(layer for layer in layers if layer.kind == "Conv2d")
    return 2 * batch * (3 * layers.multiply_adds - first.multiply_adds)


def step_bytes(layers: Anatomy, image: tuple[int, int, int], batch: int, element: int) -> int:
    """The least memory traffic of a step whose kernels read each input once and write each output once, with nothing
    kept in a cache between two kernels. Making the batch and the loss are left out.

    With x a layer's input, z a convolution's output, y = ReLU(norm(z) + shortcut), and d for gradients, a batch moves
    through activations of `element` bytes:

        convolution         forward x -> z;  weight gradient dz, x ->;  input gradient dz -> dx, but for the first
        norm, addition,     forward z -> y;  backward dy, z, y -> dz
        and ReLU in one     a shortcut adds s three times: read forward, its gradient written by the norm's backward
                            pass and read by the input gradient that it is added to
        pool                forward y -> its mean;  backward the mean's gradient -> dy

    s is the part of the block's input that option A passes on: its channels at the resolution of the block's output.
    Parameters: gradient, weight and momentum are read and written in float32.
    """
    moved = 0  # elements of activations, for one image
    x = block = image  # inputs of the layer and of the block it is in
    for index, layer in enumerate(layers):
        y = layer.output_shape
        if layer.name.endswith(".conv1"):
            block = x
        match layer.kind:
            case "Conv2d" | "Linear":
                moved += (3 if index else 2) * (math.prod(x) + math.prod(y))
            case "BatchNorm2d":
                moved += 6 * math.prod(y)
            case "IdentityPadded":
                moved += 3 * block[0] * math.prod(y[1:])
            case "AdaptiveAvgPool2d":
                moved += 2 * (math.prod(x) + math.prod(y))
            case kind:
                assert kind in ("ReLU", "Plain"), f"{kind} has no known traffic"  # ReLU: counted with the norm
        x = y
    return batch * moved * element + layers.parameters * UPDATE
