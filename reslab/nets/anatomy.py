"""The layer table of any net: what each layer puts out, weighs and costs, and how its depth is counted."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import nn

from ..threads import torch_threads
from .registry import Shortcut


@dataclass(frozen=True)
class Layer:
    """One layer for one image. `multiply_adds` counts convolutions and linear layers, as the paper's FLOPs do."""

    name: str  # as in net.named_modules()
    kind: str  # the module's class
    output_shape: tuple[int, ...]  # without the batch dimension
    parameters: int
    multiply_adds: int
    weighted_layers: int  # on the main path so far, this one included


class Anatomy(tuple[Layer, ...]):
    """The layers in the order in which they run, with totals; a notebook shows it as a table."""

    @property
    def parameters(self) -> int:
        return sum(layer.parameters for layer in self)

    @property
    def multiply_adds(self) -> int:
        return sum(layer.multiply_adds for layer in self)

    @property
    def weighted_layers(self) -> int:
        """The net's depth: convolutions and fully connected layers on the main path (He et al. 2015, section 3.3)."""
        return max((layer.weighted_layers for layer in self), default=0)

    def _rows(self) -> Iterator[tuple[str, ...]]:
        yield "layer", "kind", "output", "parameters", "multiply-adds", "weighted layers"
        for x in self:
            shape = "x".join(map(str, x.output_shape))
            yield x.name, x.kind, shape, f"{x.parameters:,}", f"{x.multiply_adds:,}", str(x.weighted_layers)
        yield "total", "", "", f"{self.parameters:,}", f"{self.multiply_adds:,}", str(self.weighted_layers)

    def __str__(self) -> str:
        rows = list(self._rows())
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows)

    def _repr_html_(self) -> str:
        head, *body = ("".join(f"<td>{cell}</td>" for cell in row) for row in self._rows())
        rows = "".join(f"<tr>{row}</tr>" for row in body)
        head = head.replace("td>", "th>")
        table = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
        return f'<div style="max-height:24em;overflow:auto">{table}</div>'


def _multiply_adds(module: nn.Module, output: torch.Tensor) -> int:
    if isinstance(module, nn.Conv2d):
        return module.weight[0].numel() * output[0].numel()
    if isinstance(module, nn.Linear):
        return module.weight.numel()
    return 0


def anatomy(net: nn.Module, input_shape: tuple[int, int, int] = (3, 32, 32)) -> Anatomy:
    """The layer table of `net` for one input of `input_shape` [C, H, W]; any net whose layers are modules, ours or
    another library's.

    Runs it on one black image in evaluation, and leaves it as it was. Convolutions inside a `Shortcut`, or in
    torchvision's `downsample`, are listed but add nothing to the depth, which counts the main path (He et al. 2015,
    section 3.3).
    """
    # Not on the meta device: it would save the arithmetic, milliseconds, and spend seconds on importing a compiler.
    shortcuts = {m for s in net.modules() if isinstance(s, Shortcut) for m in s.modules()}
    trained = [module for module in net.modules() if module.training]
    layers: list[Layer] = []
    hooks = []

    def record(name: str, module: nn.Module):
        side_path = module in shortcuts or "downsample" in name.split(".")

        def hook(_module, _inputs, output):
            counts = isinstance(module, nn.Conv2d | nn.Linear) and not side_path
            count = (layers[-1].weighted_layers if layers else 0) + counts
            parameters = sum(p.numel() for p in module.parameters(recurse=False))
            shape = tuple(output.shape[1:])
            cost = _multiply_adds(module, output)
            layers.append(Layer(name, type(module).__name__, shape, parameters, cost, count))

        return hook

    for name, module in net.named_modules():
        if not any(module.children()) or isinstance(module, Shortcut):
            hooks.append(module.register_forward_hook(record(name, module)))
    image = torch.zeros(1, *input_shape, device=next((p.device for p in net.parameters()), None))
    try:
        net.eval()
        with torch.no_grad(), torch_threads(1):  # threads would wait for each other at every one of many small layers
            net(image)
    finally:
        for hook in hooks:
            hook.remove()
        for module in trained:
            module.training = True
    return Anatomy(layers)
