"""Rewrites a net so that each batch norm runs as one kernel with the addition and the ReLU that follow it."""

import operator

from torch import fx, nn

from ..nets.registry import Shortcut, is_a_users
from ..nets.tracing import Tracer
from .norm import FusedNorm


class LookingIn(Tracer):
    """Looks into reslab's own shortcuts but not into a user's, which may hold any Python: it is called as it is.

    Nor into a module without children, which may ask whether it is training: traced, the answer would stay.
    """

    def is_leaf_module(self, module: nn.Module, name: str) -> bool:
        plain = not isinstance(module, Shortcut) and not any(module.children())
        return plain or is_a_users(module) or super().is_leaf_module(module, name)


def fuse(net: nn.Module) -> nn.Module:
    """`net` with bn -> (+ shortcut) -> ReLU fused wherever that occurs, sharing all weights and buffers with it.

    Same mathematics, other rounding: see FusedNorm. `net` itself is left as it is; train() and eval() of the result
    switch the layers of both.
    """
    graph = LookingIn().trace(net)
    fused = fx.GraphModule(net, graph)
    norms = [node for node in graph.nodes if is_module(fused, node, nn.BatchNorm2d)]
    replaced = [_fuse_one(fused, norm) for norm in norms]
    for node in replaced:
        _branch(fused, node)
    fused.recompile()
    return fused


def is_module(fused: fx.GraphModule, node: object, kind: type[nn.Module]) -> bool:
    """Whether `node` of the graph calls a module of this kind."""
    return isinstance(node, fx.Node) and node.op == "call_module" and isinstance(fused.get_submodule(node.target), kind)


def _fuse_one(fused: fx.GraphModule, norm: fx.Node) -> fx.Node:
    """Replaces `norm`, an addition that is its only reader, and a ReLU that is the last one's only reader."""
    chain, inputs = [norm], list(norm.args)
    reader = only(norm.users)
    if reader and reader.target is operator.add:
        others = [a for a in reader.args if a is not norm]
        if len(others) == 1 and isinstance(others[0], fx.Node):
            inputs += others
            chain.append(reader)
    reader = only(chain[-1].users)
    rectifies = is_module(fused, reader, nn.ReLU)
    if rectifies:
        chain.append(reader)
    name = f"fused_{norm.name}"
    fused.add_submodule(name, FusedNorm(fused.get_submodule(norm.target), rectifies))
    with fused.graph.inserting_before(chain[-1]):
        node = fused.graph.call_module(name, tuple(inputs))
    chain[-1].replace_all_uses_with(node)
    for old in reversed(chain):
        fused.graph.erase_node(old)
    return node


def only(nodes) -> fx.Node | None:
    """The one of `nodes`, None if there are none or several."""
    return next(iter(nodes)) if len(nodes) == 1 else None


def _branch(fused: fx.GraphModule, node: fx.Node) -> None:
    """Gives the two readers of a block's output, its convolution and its shortcut, an output each."""
    readers = list(node.users)
    # A user's shortcut might write into its input, which autograd would not notice through a second output.
    if len(readers) != 2 or any(r.op == "call_module" and is_a_users(fused.get_submodule(r.target)) for r in readers):
        return
    fused.get_submodule(node.target).branches = 2
    with fused.graph.inserting_after(node):
        for number, reader in enumerate(readers):
            branch = fused.graph.call_function(operator.getitem, (node, number))
            reader.replace_input_with(node, branch)
