"""What a block computes, read off the module itself: its operations in order, and which of them lie on the shortcut."""

import copy
import re
from dataclasses import dataclass
from itertools import chain, count

import torch
from torch import fx, nn

from .registry import Shortcut
from .tracing import Tracer

GREEK = dict(alpha="α", beta="β", gamma="γ", delta="δ", lambda_="λ", lam="λ", sigma="σ", mu="μ", theta="θ")

# torch functions, operators and tensor methods by name; a method's trailing underscore (in place) is cut off first.
NAMES = {
    "add": ("add", "iadd"),
    "subtract": ("sub", "isub", "subtract", "rsub"),
    "multiply": ("mul", "imul", "multiply"),
    "divide": ("truediv", "itruediv", "div", "divide", "true_divide"),
    "sigmoid": ("sigmoid",),
    "relu": ("relu",),
    "concat": ("cat", "concat", "concatenate"),
    "pad": ("pad",),
    "dropout": ("dropout", "dropout1d", "dropout2d", "feature_dropout"),
    "stochastic-depth": ("stochastic_depth",),
    "bn": ("batch_norm",),
    "conv": ("conv2d",),
    "slice": ("getitem",),
}
KIND_OF = {name: kind for kind, names in NAMES.items() for name in names}
ABOUT_SHAPE = ("size", "dim", "numel", "len", "shape", "ndim", "device", "dtype")  # they read no pixel
MODULES = {"BatchNorm": "bn", "ReLU": "relu", "Sigmoid": "sigmoid", "StochasticDepth": "stochastic-depth"}
MODULES |= {"Dropout": "dropout", "Dropout2d": "dropout", "Identity": "identity"}


@dataclass(frozen=True)
class Op:
    """One operation of a block.

    `kind` is one of conv, bn, relu, add, multiply, scale, learned-scale, sigmoid, one-minus, dropout, stochastic-depth,
    concat, pad, subsample, identity, other. `lane` is "before" the split, "residual", "shortcut" (depends on x without
    F), or "after" (depends on both). A module's op has the module's path as its name, with #2 when it runs again.
    """

    name: str
    kind: str
    label: str
    inputs: tuple[str, ...]  # names of ops, or "x" for the block's input
    lane: str


@dataclass(frozen=True)
class BlockGraph:
    """A block's operations in the order in which they run."""

    ops: tuple[Op, ...]
    solid: bool | None  # as the paper draws it: dashed where the shape changes; None where the output ignores x
    split: str  # what the shortcut gets as x: "x" or an op's name
    residual: str  # what the shortcut gets as F(x)
    output: str

    def lane(self, *lanes: str) -> tuple[Op, ...]:
        return tuple(op for op in self.ops if op.lane in lanes)


class _Tracer(Tracer):
    """Sees into shortcuts and other modules with children; one that cannot be traced is one opaque operation."""

    proxy_buffer_attributes = True
    arguments: tuple[fx.Node, fx.Node] | None = None  # the shortcut's x and F(x)

    def is_leaf_module(self, module: nn.Module, name: str) -> bool:
        return not isinstance(module, Shortcut) and (
            not any(module.children()) or super().is_leaf_module(module, name)  # torch.nn's own, but for Sequential
        )

    def call_here(self, module, forward, args, kwargs):
        if isinstance(module, Shortcut):
            self.arguments = tuple(value.node for value in (*args, *kwargs.values()))
        before = len(self.graph.nodes)
        try:
            return super().call_here(module, forward, args, kwargs)
        except Exception:  # any Python may stand there, and fail on a stand-in for a tensor in any way
            for node in reversed(list(self.graph.nodes)[before:]):
                self.graph.erase_node(node)
            return self.create_proxy("call_module", self.path_of_module(module), args, kwargs)


def block_graph(block: nn.Module) -> BlockGraph:
    """The operations of a block that calls one `Shortcut`, found by tracing its forward pass; `block` stays as it was.

    Raises ValueError if the block calls no Shortcut.
    """
    # A copy that shares the weights: a user's merge() may keep what it sees, and must not keep a tracer's stand-ins.
    twin = copy.deepcopy(block, {id(t): t for t in (*block.parameters(), *block.buffers())})
    for module in twin.modules():
        module._forward_hooks.clear()
        module._forward_pre_hooks.clear()
    tracer = _Tracer()
    graph = tracer.trace(twin)
    if tracer.arguments is None:
        raise ValueError(f"{type(block).__name__} calls no reslab Shortcut: there is no shortcut to show")
    shortcut = next(m for m in twin.modules() if isinstance(m, Shortcut))
    return _Reader(twin, graph, tracer.arguments, shortcut).read()


class _Reader:
    """Turns a traced graph into operations."""

    def __init__(self, root: nn.Module, graph: fx.Graph, arguments: tuple[fx.Node, fx.Node], shortcut: Shortcut):
        self.root, self.graph, self.shortcut = root, graph, shortcut
        self.x, self.fx = arguments
        self.ops: dict[str, Op] = {}
        self.value: dict[fx.Node, str] = {}  # the name of each tensor that depends on the input
        self.channels: dict[str, int | None] = {}

    def read(self) -> BlockGraph:
        of_x, of_fx = _ancestors(self.x), _ancestors(self.fx)
        for node in self.graph.nodes:
            if node.op == "placeholder":
                self.value[node] = "x"
                self.channels["x"] = self.shortcut.in_channels if node is self.x else None
            elif node.op == "output":
                output = self.value[node.args[0]]
            elif node.op != "get_attr" and not _about_shape(node):
                inputs = tuple(self.value[n] for n in node.all_input_nodes if n in self.value)
                if not inputs:
                    continue  # arithmetic on parameters alone: part of a label
                if (_name(node) == "getitem" and isinstance(node.args[1], int)) or self._was_norm(node):
                    self.value[node] = inputs[0]  # one part of several outputs, or no operation
                    continue
                self.value[node] = self._add(node, inputs, node in of_x, node in of_fx)
        split, residual = self.value[self.x], self.value[self.fx]
        used = output in (split, "x") or self.ops[output].lane in ("shortcut", "after")
        solid = not self.shortcut.changes_shape if used else None
        return BlockGraph(tuple(self.ops.values()), solid, split, residual, output)

    def _was_norm(self, node: fx.Node) -> bool:
        """Whether it stands where a net with batch norm has one: see reslab.nets.norm."""
        called = node.op == "call_module" and node.target.rpartition(".")[2].startswith("bn")
        return called and isinstance(self.root.get_submodule(node.target), nn.Identity)

    def _add(self, node: fx.Node, inputs: tuple[str, ...], of_x: bool, of_fx: bool) -> str:
        base = node.target if node.op == "call_module" else node.name
        name = next(n for n in chain([base], (f"{base}#{i}" for i in count(2))) if n not in self.ops)
        kind, label = self._module(node) if node.op == "call_module" else self._function(node, inputs)
        self.channels.setdefault(name, self.channels.get(inputs[0]) if kind != "other" else None)
        if node.op == "call_module" and kind == "conv":
            self.channels[name] = self.root.get_submodule(node.target).out_channels
        elif kind == "concat":
            parts = [self.channels.get(n) for n in inputs]
            self.channels[name] = sum(parts) if None not in parts else None
        elif kind == "pad" and (more := _more_channels(node)) is not None:
            have = self.channels.get(inputs[0])
            self.channels[name] = None if have is None else have + more
            label = f"pad {have} → {have + more} channels" if have is not None else f"pad by {more} channels"
        self.ops[name] = Op(name, kind, label, inputs, self._lane(inputs, of_x, of_fx))
        return name

    def _lane(self, inputs: tuple[str, ...], of_x: bool, of_fx: bool) -> str:
        if of_x or of_fx:
            return "before" if of_x and of_fx else "shortcut" if of_x else "residual"
        lanes = {self.ops[n].lane if n in self.ops else "before" for n in inputs}
        if lanes <= {"before", "shortcut"}:
            return "shortcut"
        return "residual" if lanes == {"residual"} else "after"

    def _module(self, node: fx.Node) -> tuple[str, str]:
        module = self.root.get_submodule(node.target)
        name = type(module).__name__
        if isinstance(module, nn.Conv2d):
            return "conv", _conv(module.kernel_size, module.out_channels, module.stride[0], module.groups)
        kind = MODULES.get(re.sub(r"(?<=Norm)\dd$", "", name), "other")
        return kind, self._label(kind, name, getattr(module, "p", None))

    def _function(self, node: fx.Node, inputs: tuple[str, ...]) -> tuple[str, str]:
        name = _name(node)
        kind = KIND_OF.get(name, "other")
        # The factor or summand beside a single tensor, in words; "" where there is none.
        others = [a for a in node.args if not (isinstance(a, fx.Node) and a in self.value)]
        beside = self._text(others[0]) if others else ""
        learned = any(isinstance(a, fx.Node) and not _about_shape(a) for a in others)
        if kind in ("add", "subtract", "multiply", "divide") and len(inputs) == 1 and not beside:
            return kind if kind in ("add", "multiply") else "other", dict(zip(NAMES, "+−×÷", strict=False))[kind]
        if kind == "multiply" and len(inputs) == 1:
            return "learned-scale" if learned else "scale", f"× {beside}"
        if kind == "divide" and len(inputs) == 1 and node.args[0] not in others:
            return "learned-scale" if learned else "scale", f"÷ {beside}"
        if kind == "subtract" and len(inputs) == 1:
            if beside == "1" and (node.args[0] in others or name == "rsub"):
                return "one-minus", "1 − g" if inputs[0] in self.ops and self.ops[
                    inputs[0]
                ].kind == "sigmoid" else "1 − …"
            return "other", f"{beside} − …" if node.args[0] in others else f"− {beside}"
        if kind in ("add", "subtract", "multiply", "divide"):
            sign = dict(zip(NAMES, "+−×÷", strict=False))[kind]
            factor = f" {node.kwargs['alpha']:g} ×" if "alpha" in node.kwargs else ""
            if len(inputs) == 1:
                return "other", f"{sign} {beside}"
            return kind if kind in ("add", "multiply") else "other", sign + factor
        if kind == "conv":
            weight = node.args[1] if len(node.args) > 1 else node.kwargs["weight"]
            return kind, self._functional_conv(node, weight)
        if kind == "slice":
            return _slice(node.args[1])
        words = re.sub(r"(?<=\D)\dd$", "", name).replace("_", " ")
        return kind, self._label(kind, words, node.kwargs.get("p", node.args[1] if len(node.args) > 1 else None))

    def _functional_conv(self, node: fx.Node, weight: fx.Node) -> str:
        if weight.op != "get_attr":
            return "conv"
        shape = _attribute(self.root, weight.target).shape
        stride = node.kwargs.get("stride", node.args[3] if len(node.args) > 3 else 1)
        return _conv(tuple(shape[2:]), shape[0], stride if isinstance(stride, int) else stride[0], 1)

    @staticmethod
    def _label(kind: str, words: str, p: object) -> str:
        if kind in ("dropout", "stochastic-depth"):
            return kind.replace("-", " ") + (f" {p:.2g}" if isinstance(p, int | float) else "")
        return dict(bn="BN", relu="ReLU", sigmoid="σ", concat="concat", pad="pad").get(kind, words)

    def _text(self, value: object) -> str:
        """A constant, or arithmetic on parameters, in words: 0.5, α, σ(gate)."""
        if not isinstance(value, fx.Node):
            return f"{value:g}".replace("-", "−") if isinstance(value, int | float) else str(value)
        if value.op == "get_attr":
            name = value.target.rpartition(".")[2]
            return GREEK.get(name, name)
        name = _name(value)
        if name in ("view", "reshape", "unsqueeze", "expand", "getitem", "to"):
            return self._text(value.args[0])
        return f"{dict(sigmoid='σ').get(name, name)}({', '.join(self._text(a) for a in value.args)})"


def _ancestors(node: fx.Node) -> set[fx.Node]:
    found, todo = set(), [node]
    while todo:
        if (one := todo.pop()) not in found:
            found.add(one)
            todo += one.all_input_nodes
    return found


def _name(node: fx.Node) -> str:
    if node.op == "call_module":
        return ""
    name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", str(node.target))
    if name == "getattr":
        name = node.args[1]
    return name.rstrip("_")


def _about_shape(node: fx.Node) -> bool:
    """True for x.shape[1] - 3 and the like: numbers, not an operation that a drawing shows."""
    if node.op not in ("call_function", "call_method"):
        return False
    nodes = node.all_input_nodes
    return _name(node) in ABOUT_SHAPE or (bool(nodes) and all(_about_shape(n) for n in nodes))


def _attribute(root: nn.Module, path: str) -> torch.Tensor:
    module, _, name = path.rpartition(".")
    return getattr(root.get_submodule(module), name)


def _conv(kernel: tuple[int, ...], channels: int, stride: int, groups: int) -> str:
    extras = [f"/{stride}"] * (stride != 1) + [f"{groups} groups"] * (groups != 1)
    return ", ".join([f"{'×'.join(map(str, kernel))} conv", str(channels), *extras])


def _more_channels(node: fx.Node) -> int | None:
    """How many channels F.pad appends, None where it pads something else or by a computed number."""
    pads = node.args[1] if len(node.args) > 1 else node.kwargs.get("pad")
    if not isinstance(pads, tuple | list) or len(pads) < 6 or not all(isinstance(p, int) for p in pads):
        return None
    return pads[4] + pads[5]


def _slice(index: object) -> tuple[str, str]:
    parts = index if isinstance(index, tuple) else (index,)
    steps = {p.step for p in parts if isinstance(p, slice) and p.step not in (None, 1)}
    whole = all(p is Ellipsis or (isinstance(p, slice) and p.start is None and p.stop is None) for p in parts)
    if whole and len(steps) <= 1:
        step = steps.pop() if steps else 1
        ordinal = {1: "every", 2: "every 2nd", 3: "every 3rd"}.get(step, f"every {step}th")
        return "subsample", f"{ordinal} pixel"
    return "other", "slice"
