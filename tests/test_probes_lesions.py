"""Lesions against nets that are put together by hand, without the block or in another order."""

import copy
import random

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import reslab
from reslab.nets import ORDERS
from reslab.nets.blocks import Block
from reslab.probes import (
    Lesion,
    LesionStudy,
    lesions,
    random_lesions,
    reorderings,
    result,
    single_lesions,
    swappable,
)


def a_net(shortcut: str = "A", depth: int = 20, family: str = "cifar", **kind) -> nn.Module:
    """A net with weights and running statistics in which every block matters, in evaluation mode."""
    generator = torch.Generator().manual_seed(2)
    make = reslab.cifar_net if family == "cifar" else reslab.imagenet_net
    net = make(depth, shortcut, width=4, num_classes=10, generator=generator, **kind)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.3, generator=generator)
            module.running_var.uniform_(0.3, 1, generator=generator)
    nn.init.normal_(net.fc.weight, generator=generator)
    return net.eval().to(memory_format=torch.channels_last)


def pictures(size: int = 8, count: int = 300) -> torch.Tensor:
    images = torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(1))
    return images.contiguous(memory_format=torch.channels_last)


@torch.no_grad()
def answers(net: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """The classes that a net gives in batches of a study's size, in which torch rounds alike."""
    return torch.cat([net(some).argmax(1) for some in images.split(lesions.BATCH)])


def blocks_of(net: nn.Module) -> dict[str, nn.Module]:
    return {name: each for name, each in net.named_modules() if isinstance(each, Block)}


class OptionA(nn.Module):
    """Every second pixel, and channels of zeros around."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        extra = x.shape[1] // 2
        return F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, extra, extra))


def agree(net: nn.Module, steps: list[nn.Module], **lesion) -> None:
    """The study's logits are those of the net put together by hand from these steps, and not the whole net's."""
    images = pictures()
    study = LesionStudy(net, images, torch.zeros(len(images), dtype=torch.long))
    expected = nn.Sequential(net.stem, *steps, net.pool, nn.Flatten(), net.fc)
    with torch.no_grad():
        torch.testing.assert_close(study.logits(**lesion), expected(images), rtol=1e-5, atol=1e-4)
        torch.testing.assert_close(study.logits(), net(images), rtol=1e-5, atol=1e-4)
    assert (study.logits(**lesion) - study.logits()).abs().max() > 0.1


# Deleting


@pytest.mark.parametrize("shortcut", ["A", "none"])
@pytest.mark.parametrize("name", ["stage1.block1", "stage2.block3"])
def test_deleting_a_block_gives_the_net_without_it(shortcut, name):
    net = a_net(shortcut)
    rest = [block for each, block in blocks_of(net).items() if each != name]
    agree(net, rest, deleted=[name])


@pytest.mark.parametrize("shortcut", ["A", "none"])
def test_where_the_shape_changes_the_parameter_free_map_is_left(shortcut):
    net = a_net(shortcut)
    steps = [OptionA() if each == "stage2.block1" else block for each, block in blocks_of(net).items()]
    agree(net, steps, deleted=["stage2.block1"])


def test_a_projection_stays():
    net = a_net("B")
    shortcut = net.stage3.block1.shortcut
    left = nn.Sequential(shortcut.conv, shortcut.bn, nn.ReLU())
    steps = [left if each == "stage3.block1" else block for each, block in blocks_of(net).items()]
    agree(net, steps, deleted=["stage3.block1"])


def test_several_go_at_once():
    net = a_net()
    gone = {"stage1.block2", "stage3.block2", "stage3.block3"}
    rest = [block for each, block in blocks_of(net).items() if each not in gone]
    agree(net, rest, deleted=gone)


@pytest.mark.parametrize(
    ("family", "depth", "shortcut"), [("cifar", 20, "A"), ("imagenet", 18, "B"), ("imagenet", 50, "B")]
)
def test_without_an_f_that_is_zero_nothing_changes_bit_for_bit(family, depth, shortcut):
    net, images = a_net(shortcut, depth, family), pictures(32 if family == "imagenet" else 8, 20)
    _, block = list(blocks_of(net).items())[1]
    last = block.get_submodule(block.steps[-1])
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    x = torch.relu(torch.randn(20, block.shortcut.in_channels, 4, 4))
    with torch.no_grad():
        assert torch.equal(lesions.without(block, x), block(x))
    study = LesionStudy(net, images, torch.zeros(20, dtype=torch.long))
    assert torch.equal(study.logits(), study.logits([study.blocks[1]]))
    assert not torch.equal(study.logits(), study.logits([study.blocks[0]]))


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("shortcut", ["A", "none", "concat", "exclusive-gating"])
def test_every_kind_of_net_can_lose_any_block(order, shortcut):
    """The residual nets' oracle: F set to zero by a hook."""
    net, images = a_net(shortcut, 14, activation_order=order), pictures(count=40)
    study = LesionStudy(net, images, torch.zeros(40, dtype=torch.long))
    for name in study.blocks:
        if shortcut == "none":
            assert study.logits([name]).isfinite().all()
            continue
        twin = copy.deepcopy(net)
        block = twin.get_submodule(name)
        block.residual = lambda x, residual=block.residual: torch.zeros_like(residual(x))
        with torch.no_grad():
            torch.testing.assert_close(study.logits([name]), twin(images), rtol=1e-5, atol=1e-4)


# Order


@pytest.mark.parametrize("shortcut", ["A", "none"])
def test_swapping_gives_the_net_in_that_order(shortcut):
    net = a_net(shortcut)
    order = list(blocks_of(net))
    order[1], order[2] = order[2], order[1]
    order[4], order[5] = order[5], order[4]
    blocks = blocks_of(net)
    agree(net, [blocks[name] for name in order], order=order)
    rest = [blocks[name] for name in order if name != order[1]]
    agree(net, rest, order=order, deleted=[order[1]])


def test_only_blocks_that_keep_their_shape_are_swapped():
    names = {name: i for i, name in enumerate(blocks_of(a_net()))}
    study = LesionStudy(a_net(), pictures(count=10), torch.zeros(10, dtype=torch.long))
    first, second, third = (names[f"stage1.block{i}"] for i in (1, 2, 3))
    inside = [(names[f"stage{s}.block2"], names[f"stage{s}.block3"]) for s in (2, 3)]
    assert swappable(study) == [(first, second), (first, third), (second, third), *inside]


# What is kept


@pytest.mark.parametrize("room", [lesions.ROOM, 1000, 300 * 4 * 64 * 4 * 3])
def test_what_is_kept_never_changes_an_answer(monkeypatch, room):
    monkeypatch.setattr(lesions, "ROOM", room)
    net, images, draw = a_net(), pictures(), random.Random(0)
    labels = answers(net, images)
    study = LesionStudy(net, images, labels)
    pairs = swappable(study)
    for _ in range(25):
        order = list(study.blocks)
        for i, j in draw.sample(pairs, draw.choice([0, 0, 1])):
            order[i], order[j] = order[j], order[i]
        deleted = draw.sample(study.blocks, draw.choice([0, 1, 1, 3]))
        fresh = LesionStudy(net, images, labels)
        assert torch.equal(study.logits(deleted, order), fresh.logits(deleted, order))


def test_a_lesion_runs_only_what_comes_after_it(monkeypatch):
    net, images = a_net(), pictures(count=10)
    study = LesionStudy(net, images, answers(net, images))
    study.error()
    ran, forward = [], Block.forward
    monkeypatch.setattr(Block, "forward", lambda block, x: ran.append(block) or forward(block, x))
    study.error(["stage3.block1"])
    assert len(ran) == 2
    study.error(["stage3.block1"])
    study.error(["stage3.block2"])
    assert len(ran) <= 2 + 1 + 2
    monkeypatch.undo()
    assert study.error() == 0


def test_an_interrupted_evaluation_leaves_nothing_wrong(monkeypatch):
    net, images = a_net(), pictures()
    labels = answers(net, images)
    study, fresh = (LesionStudy(net, images, labels) for _ in range(2))
    study.error()
    forward, calls = Block.forward, iter(range(1000))

    def interrupted(block: Block, x: torch.Tensor) -> torch.Tensor:
        if next(calls) == 8:
            raise KeyboardInterrupt
        return forward(block, x)

    monkeypatch.setattr(Block, "forward", interrupted)
    with pytest.raises(KeyboardInterrupt):
        study.error(["stage1.block2"])
    monkeypatch.undo()
    for deleted in (["stage3.block2"], ["stage1.block2"], []):
        assert torch.equal(study.logits(deleted), fresh.logits(deleted))


def test_the_net_stays_as_it_was():
    net, images = a_net().train(), pictures(count=20)
    before = copy.deepcopy(net.state_dict())
    single_lesions(LesionStudy(net, images, torch.zeros(20, dtype=torch.long)))
    assert net.training and all(torch.equal(net.state_dict()[name], value) for name, value in before.items())
    assert not any(each._forward_hooks or each._forward_pre_hooks for each in net.modules())


# Many at once


def test_single_lesions_are_each_blocks_own_error():
    net, images = a_net(), pictures()
    study = LesionStudy(net, images, answers(net, images))
    found = single_lesions(study)
    assert (found.error, found.chance) == (0, 90)
    assert [each.name for each in found.blocks] == list(blocks_of(net))
    for each in found.blocks:
        assert each == Lesion(each.name, LesionStudy(net, images, answers(net, images)).error([each.name]))
    assert len({each.error for each in found.blocks}) > 2


def test_random_lesions_are_repeatable_paired_and_grow():
    images = pictures(count=60)
    net, twin = a_net(), a_net("none")
    study = LesionStudy(net, images, answers(net, images))
    asked, error = [], study.error
    study.error = lambda deleted: asked.append(sorted(deleted)) or error(deleted)
    damages = random_lesions(study, (0, 1, 9), draws=4, seed=5)
    assert [damage.count for damage in damages] == [0, 1, 9]
    assert [len(damage.errors) for damage in damages] == [1, 4, 4]  # no lesion is the same every time
    assert [len(set(deleted)) for deleted in asked] == [0, *[1] * 4, *[9] * 4] and len({*map(tuple, asked[1:5])}) > 1
    assert damages[0].errors == (0,) and len(set(damages[2].errors)) == 1  # all of the nine blocks
    errors = torch.tensor(damages[1].errors, dtype=torch.float64)
    assert (damages[1].error, damages[1].spread) == pytest.approx((errors.mean().item(), errors.std().item()))
    assert damages[0].spread == 0
    again = LesionStudy(twin, images, answers(twin, images))
    also, theirs = [], again.error
    again.error = lambda deleted: also.append(sorted(deleted)) or theirs(deleted)
    random_lesions(again, (0, 1, 9), draws=4, seed=5)
    assert also == asked


def test_reorderings_swap_within_shapes_and_count_what_is_out_of_order():
    net, images = a_net(), pictures(count=60)
    study = LesionStudy(net, images, answers(net, images))
    asked, error = [], study.error
    study.error = lambda order: asked.append(order) or error(order=order)
    damages = reorderings(study, (0, 1, 5), draws=5, seed=1)
    assert [damage.count for damage in damages] == [0, 1, 5] and damages[0].tau == 1
    assert asked[0] == list(study.blocks) and damages[0].errors == (0,)
    for order, tau in zip(asked, [tau for damage in damages for tau in damage.taus], strict=True):
        places = [study.blocks.index(name) for name in order]
        pairs = [(a, b) for i, a in enumerate(places) for b in places[i + 1 :]]
        assert tau == pytest.approx(sum(1 if a < b else -1 for a, b in pairs) / len(pairs))  # its definition
    moved = [sum(a != b for a, b in zip(order, study.blocks, strict=True)) for order in asked]
    assert moved[:6] == [0, *[2] * 5] and max(moved) > 2
    assert damages[2].tau < damages[1].tau < 1


# In the run folder


def test_a_runs_lesions_are_measured_once(tmp_path):
    run = reslab.train(reslab.RunConfig(depth=14, profile="smoke"), tmp_path)
    found = lesions.measured(run)
    kept = result(run, "lesions", lesions.STANDARD)
    assert kept["error"] == found.error and found.chance == 90
    assert kept["blocks"] == [dict(name=each.name, error=each.error) for each in found.blocks]
    assert [each.name for each in found.blocks] == list(blocks_of(run.net()))
    (file,) = (run.path / "probes").glob("lesions-*.json")
    file.write_text(file.read_text().replace(f'"error": {found.error}', '"error": 12.5'))
    assert lesions.measured(run).error == 12.5


# What cannot be


def test_what_cannot_be_asked_is_told():
    study = LesionStudy(a_net(), pictures(count=10), torch.zeros(10, dtype=torch.long))
    with pytest.raises(ValueError, match=r"'stage1\.block9' is none of the net's blocks; they are stage1\.block1, "):
        study.error(["stage1.block9"])
    with pytest.raises(ValueError, match="name each block once"):
        study.error(order=study.blocks[1:])
    order = list(study.blocks)
    order[0], order[4] = order[4], order[0]
    with pytest.raises(ValueError, match=r"stage2\.block2 cannot stand in the place of stage1\.block1"):
        study.error(order=order)
    with pytest.raises(ValueError, match="this net has 9 blocks"):
        random_lesions(study, [10])
    with pytest.raises(ValueError, match="this net has 5 pairs of blocks of the same shape"):
        reorderings(study, [6])
    with pytest.raises(ValueError, match="draws=0"):
        random_lesions(study, [1], draws=0)
    with pytest.raises(ValueError, match="no blocks to delete"):
        LesionStudy(nn.Sequential(nn.Linear(1, 2)), pictures(), torch.zeros(300))
