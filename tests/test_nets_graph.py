"""The graph of a block against the block itself: hooks on a forward pass say what ran, and in which order."""

import pytest
import torch
from torch import nn

from reslab.nets import ORDERS, SHORTCUTS, Shortcut
from reslab.nets.blocks import BLOCKS
from reslab.nets.graph import block_graph

SHAPES = {"keeps": 1, "changes": 2}


def make(block: str = "basic", shortcut="A", stride: int = 1, order: str = "original", activated: bool = False):
    kind = BLOCKS[block]
    channels = 8 * stride
    return kind(8 * kind.expansion, channels, stride, SHORTCUTS.get(shortcut, shortcut), order, activated)


def modules_that_run(block: nn.Module) -> list[str]:
    ran: list[str] = []
    leaves = {n: m for n, m in block.named_modules() if not any(m.children()) and not isinstance(m, Shortcut)}
    hooks = [m.register_forward_hook(lambda *_, name=n: ran.append(name)) for n, m in leaves.items()]
    first = next(m for m in block.modules() if isinstance(m, nn.Conv2d))
    block(torch.randn(2, first.in_channels, 8, 8))
    for hook in hooks:
        hook.remove()
    return ran


def labels(block: nn.Module, *lanes: str) -> list[str]:
    return [op.label for op in block_graph(block).lane(*lanes)]


@pytest.mark.parametrize("stride", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("shortcut", list(SHORTCUTS))
def test_the_modules_of_the_graph_are_those_that_run_in_their_order(shortcut, block, stride):
    module = make(block, shortcut, stride)
    names = {n for n, _ in module.named_modules()}
    assert [op.name for op in block_graph(module).ops if op.name in names] == modules_that_run(module)


@pytest.mark.parametrize("activated", [False, True])
@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("order", ORDERS)
def test_every_activation_order_is_seen_as_it_runs(order, block, activated):
    module = make(block, "B", 2, order, activated)
    names = {n for n, _ in module.named_modules()}
    graph = block_graph(module)
    assert [op.name for op in graph.ops if op.name in names] == modules_that_run(module)
    after = {"original": ["add", "relu"], "bn-after-addition": ["add", "bn", "relu"]}  # He et al. 2016, figure 4
    assert [op.kind for op in graph.lane("after")] == after.get(order, ["add"])


@pytest.mark.parametrize("stride", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("shortcut", list(SHORTCUTS))
def test_labels_of_convolutions_are_those_of_their_weights(shortcut, block, stride):
    module = make(block, shortcut, stride)
    for op in block_graph(module).ops:
        if op.kind == "conv":
            conv = module.get_submodule(op.name)
            out, _, height, width = conv.weight.shape
            step = ", /2" if conv.stride == (2, 2) else ""
            assert op.label == f"{height}×{width} conv, {out}{step}"


@pytest.mark.parametrize("stride", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("shortcut", list(SHORTCUTS))
def test_solid_where_the_output_needs_x_and_the_shape_stays(shortcut, stride):
    module = make(shortcut=shortcut, stride=stride).eval()
    # Oracle: with F(x) held fixed, does the merge's gradient reach x?
    x = torch.randn(1, 8, 4, 4, requires_grad=True)
    y = module.shortcut(x, torch.randn(1, 8 * stride, 4 // stride, 4 // stride, requires_grad=True))
    used = torch.autograd.grad(y.sum(), x, allow_unused=True)[0] is not None
    assert block_graph(module).solid == ((stride == 1) if used else None)


def test_what_lies_on_the_shortcut():
    assert labels(make(), "shortcut") == []
    assert labels(make(stride=2), "shortcut") == ["every 2nd pixel", "pad 8 → 16 channels"]
    assert labels(make(shortcut="B", stride=2), "shortcut") == ["1×1 conv, 16, /2", "BN"]
    assert labels(make(shortcut="scaled"), "shortcut") == ["× 0.5"]
    assert labels(make(shortcut="scaled-both"), "residual", "after")[-3:] == ["× 0.5", "+", "ReLU"]
    assert labels(make(shortcut="rezero"), "residual", "after")[-3:] == ["× α", "+", "ReLU"]
    assert labels(make(shortcut="dropout"), "shortcut") == ["dropout 0.5"]
    assert labels(make(shortcut="concat"), "after") == ["concat", "1×1 conv, 8", "ReLU"]
    assert labels(make(shortcut="stochastic-depth"), "residual")[-1].startswith("stochastic depth")


def test_a_gate_is_computed_once_and_reaches_both_products():
    graph = block_graph(make(shortcut="exclusive-gating"))
    gates = [op for op in graph.ops if op.kind == "sigmoid"]
    products = [op for op in graph.ops if op.kind == "multiply"]
    (rest,) = (op for op in graph.ops if op.kind == "one-minus")
    assert len(gates) == 1 and len(products) == 2
    assert rest.inputs == (gates[0].name,) and rest.label == "1 − g"
    assert {gates[0].name, rest.name} <= {name for op in products for name in op.inputs}
    assert sorted(op.lane for op in products) == ["after", "shortcut"]


class DependsOnData(Shortcut):
    def merge(self, x, fx):
        return fx + x if x.sum() > 0 else fx


class KeepsWhatItSees(Shortcut):
    def build(self):
        self.seen = None
        self.gain = nn.Parameter(torch.ones(self.out_channels))

    def merge(self, x, fx):
        self.seen = fx
        fx *= torch.sigmoid(self.gain).view(1, -1, 1, 1)
        fx += 2 * torch.nn.functional.avg_pool2d(x, 1, fx.shape[-1] // x.shape[-1])
        return (1 - torch.sigmoid(fx)) - x / 4


def test_a_shortcut_that_cannot_be_traced_is_one_operation_with_its_name():
    graph = block_graph(make(shortcut=DependsOnData))
    (merge,) = (op for op in graph.lane("after") if op.kind == "other")
    assert (merge.label, merge.inputs) == ("DependsOnData", ("x", "bn2"))
    assert graph.solid is True and graph.lane("shortcut") == ()


def test_functions_operators_and_parameters_of_a_users_shortcut_have_readable_labels():
    graph = block_graph(make(shortcut=KeepsWhatItSees))
    assert [op.label for op in graph.ops[5:]] == ["× σ(gain)", "avg pool", "× 2", "+", "σ", "1 − g", "÷ 4", "−", "ReLU"]
    assert [op.label for op in graph.lane("shortcut")] == ["avg pool", "× 2", "÷ 4"]


def test_the_block_is_left_as_it_was():
    block = make(shortcut=KeepsWhatItSees)
    seen: list[str] = []
    block.shortcut.register_forward_hook(lambda *_: seen.append("hook"))
    state = {name: value.clone() for name, value in block.state_dict().items()}
    torch.manual_seed(3)
    before = torch.get_rng_state()
    block_graph(block)
    assert block.shortcut.seen is None and not seen
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(value, state[name]) for name, value in block.state_dict().items())


def test_a_module_that_runs_twice_is_two_operations():
    class Twice(Shortcut):
        def build(self):
            self.relu = nn.ReLU()

        def merge(self, x, fx):
            return self.relu(self.relu(x) + fx)

    names = [op.name for op in block_graph(make(shortcut=Twice)).ops]
    assert names[5:] == ["shortcut.relu", "add", "shortcut.relu#2", "relu2"]


def test_a_block_without_a_shortcut_is_refused():
    with pytest.raises(ValueError, match="Sequential calls no reslab Shortcut"):
        block_graph(nn.Sequential(nn.ReLU()))
