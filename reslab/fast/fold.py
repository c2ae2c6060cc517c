"""Rewrites a net for evaluation: batch norm, addition and ReLU folded into the convolutions."""

import operator
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import fx, nn

from ..nets.shortcuts import IdentityPadded
from ..precision import multiplies_bf16
from ..threads import torch_threads
from .build import BuildError, kernels
from .conv import Affine, FoldedConv, fits, reduced
from .fuse import LookingIn, is_module, only
from .tape import tape

BATCH, GPU_BATCH = 125, 1000  # images at a time where torch runs
# And where the kernels do: many first, because what torch does after them takes as long for few, and few at last, or
# threads would wait for the last one.
KERNELS_BATCH, KERNELS_PIXELS = 24, 120 * 32 * 32
WIDEST = 256  # channels: the weights of more leave the caches, and torch's convolutions are the faster ones


class _Tracer(LookingIn):
    """Takes option A as one operation, which the kernel has, instead of as the slices and zeros it is made of."""

    def is_leaf_module(self, module: nn.Module, name: str) -> bool:
        return type(module) is IdentityPadded or super().is_leaf_module(module, name)


class Folded:
    """What `net` computes in evaluation, faster: logits of the images that `batches` has laid out.

    `net` is in evaluation mode from now on. Change its weights, then call `refold`: this has copies of them. On a CPU,
    where there is a compiler, nets of up to WIDEST channels run reslab's own kernels, in as many threads as torch has
    now: what comes out does not depend on their number. Elsewhere torch runs. `precision` is float32 or bfloat16:
    `products` are of that where the device has them, or of 16-bit integers where the kernels have these in its place,
    or else of float32.
    """

    def __init__(self, net: nn.Module, precision: torch.dtype = torch.float32):
        widest = max(module.out_channels for module in net.modules() if isinstance(module, nn.Conv2d))
        device = next(net.parameters()).device
        self._device = device.type
        self.kernels = self._device == "cpu" and widest <= WIDEST and _can_build()
        self.products = torch.float32
        if precision != torch.float32:
            if self.kernels:
                self.products = reduced()
            elif multiplies_bf16(device):
                self.products = precision
        self._activations = torch.float32 if self.kernels else self.products
        self._net = fx.GraphModule(net, _Tracer().trace(net.eval())).eval()
        for node in [n for n in self._net.graph.nodes if is_module(self._net, n, nn.Identity)]:
            node.replace_all_uses_with(node.args[0])
            self._net.graph.erase_node(node)
        for kind, replace in ((nn.Conv2d, self._fold), (nn.BatchNorm2d, self._affine)):
            for node in [n for n in self._net.graph.nodes if is_module(self._net, n, kind)]:
                replace(node)
        self._folded = [m for m in self._net.modules() if isinstance(m, FoldedConv | Affine)]
        tape(self._net)
        self._net.recompile()
        self._workers, self._map = 1, map
        if self.kernels:
            self._workers = torch.get_num_threads()
            self._map = ThreadPoolExecutor(self._workers, initializer=torch.set_num_threads, initargs=(1,)).map
        self.refold()

    def refold(self) -> None:
        """Takes the weights of convolutions and batch norm as they are now; others are the net's own at any time."""
        with torch_threads(1):  # or the rounding would depend on their number
            for module in self._folded:
                module.refold()

    def batches(self, images: torch.Tensor) -> list[torch.Tensor]:
        """`images`, float [N, 3, H, W], as calls take them."""
        images = images.to(self._activations).contiguous(memory_format=torch.channels_last)
        if self.kernels:
            return list(images.split(_sizes(len(images), KERNELS_PIXELS // images.shape[2:].numel())))
        return list(images.split(BATCH if self._device == "cpu" else GPU_BATCH))

    def __call__(self, batches: Sequence[torch.Tensor]) -> torch.Tensor:
        """Logits, float32 [images of all batches, classes]."""
        logits: dict[int, torch.Tensor] = {}
        left = iter(enumerate(batches))  # all threads take from it
        try:
            list(self._map(lambda _: self._take(left, logits), range(self._workers)))
        finally:  # after an error nobody goes on
            list(left)
        return torch.cat([logits[number] for number in range(len(batches))])

    @torch.inference_mode()
    def _take(self, left: Iterator[tuple[int, torch.Tensor]], logits: dict[int, torch.Tensor]) -> None:
        narrow = self._activations != torch.float32
        with torch.autocast(self._device, self._activations if narrow else None, narrow, cache_enabled=False):
            for number, images in left:
                logits[number] = self._net(images).to(torch.float32, copy=True)  # a Taped uses its memory again

    def _affine(self, node: fx.Node) -> None:
        self._replace([node], node.args, Affine(self._net.get_submodule(node.target), self._activations))

    def _fold(self, node: fx.Node) -> None:
        """Replaces a convolution, and of batch norm, addition and ReLU each that is the last one's only reader."""
        chain, inputs, options = [node], list(node.args), {}
        if is_module(self._net, only(node.users), nn.BatchNorm2d):
            chain.append(only(node.users))
            options["norm"] = self._net.get_submodule(chain[-1].target)
        added = self._added(chain[-1])
        if added is not None:
            residual, shift = added
            chain.append(only(chain[-1].users))
            inputs.append(residual)
            options |= shift
        if is_module(self._net, only(chain[-1].users), nn.ReLU):
            chain.append(only(chain[-1].users))
            options["relu"] = True
        conv = self._net.get_submodule(node.target)
        own = self.kernels and fits(conv)
        dtype = self.products if own else self._activations
        self._replace(chain, tuple(inputs), FoldedConv(conv, kernels=own, dtype=dtype, **options))

    def _added(self, node: fx.Node) -> tuple[fx.Node, dict[str, int]] | None:
        """What the only reader of `node` adds to it, if that is what it does, and how option A shifts it."""
        reader = only(node.users)
        if reader is None:
            return None
        if is_module(self._net, reader, IdentityPadded) and reader.args[1] is node and reader.args[0] is not node:
            shortcut = self._net.get_submodule(reader.target)
            extra = shortcut.out_channels - shortcut.in_channels
            return reader.args[0], dict(stride=shortcut.stride, offset=extra // 2)
        others = [a for a in reader.args if a is not node] if reader.target is operator.add else []
        return (others[0], {}) if len(others) == 1 and isinstance(others[0], fx.Node) else None

    def _replace(self, chain: list[fx.Node], inputs: tuple, module: nn.Module) -> None:
        name = f"folded_{chain[0].name}"
        self._net.add_submodule(name, module)
        with self._net.graph.inserting_before(chain[-1]):
            made = self._net.graph.call_module(name, inputs)
        chain[-1].replace_all_uses_with(made)
        for old in reversed(chain):
            self._net.graph.erase_node(old)


def _sizes(images: int, most: int) -> list[int]:
    """Of batches, for any number of threads: each an eighth of what is left, in whole ones of KERNELS_BATCH."""
    sizes = []
    while images:
        share = min(images // 8, most) // KERNELS_BATCH * KERNELS_BATCH
        sizes.append(min(images, max(share, KERNELS_BATCH)))
        images -= sizes[-1]
    return sizes


def _can_build() -> bool:
    try:
        kernels("conv")
    except BuildError as error:
        warnings.warn(f"evaluating without compiled kernels, several times slower: {error}", stacklevel=3)
        return False
    return True
