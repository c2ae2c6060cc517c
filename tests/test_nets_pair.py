"""The weights of the two blocks against the paper's arithmetic (shared facts, section 5, item 4)."""

import pytest
import torch

from reslab.nets import block_pair
from reslab.nets.blocks import BasicBlock, Bottleneck


def test_the_papers_blocks_have_the_papers_weights():
    pair = block_pair()
    assert pair.weights == (3 * 3 * 256 * 256 * 2, 1 * 1 * 256 * 64 + 3 * 3 * 64 * 64 + 1 * 1 * 64 * 256)
    assert pair.weights == (1_179_648, 69_632) and round(pair.factor, 2) == 16.94


@pytest.mark.parametrize("outer", [4, 64, 100, 1024, 2048])
def test_the_factor_is_the_same_for_any_number_of_channels(outer):
    assert block_pair(outer, outer // 4).factor == 18 / (17 / 16)


@pytest.mark.parametrize(("outer", "inner"), [(256, 32), (256, 256), (48, 3), (1, 1)])
def test_other_shares_follow_the_formula(outer, inner):
    assert block_pair(outer, inner).weights == (18 * outer**2, 2 * outer * inner + 9 * inner**2)


def test_the_blocks_are_ours_keep_the_shape_and_take_no_memory():
    pair = block_pair(16, 2)
    assert isinstance(pair.basic, BasicBlock) and isinstance(pair.bottleneck, Bottleneck)
    assert {p.device.type for block in (pair.basic, pair.bottleneck) for p in block.parameters()} == {"meta"}
    x = torch.empty(1, 16, 8, 8, device="meta")
    assert pair.basic(x).shape == pair.bottleneck(x).shape == x.shape
    assert Bottleneck.expansion == 4


@pytest.mark.parametrize(
    ("outer", "inner", "said"),
    [(256, 100, "outer=256 must be a multiple of inner=100, such as 300"), (0, 1, "outer=0 must"), (4, 0, "inner=0")],
)
def test_channels_that_cannot_be_are_refused(outer, inner, said):
    with pytest.raises(ValueError, match=said):
        block_pair(outer, inner)
