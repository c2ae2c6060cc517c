"""Blocks clicked away without a browser."""

import re

import pytest
import torch
import traitlets

import reslab
from reslab import RunConfig
from reslab.figures import net_colour
from reslab.probes import LesionStudy, swappable
from reslab.widgets import Lesions
from reslab.widgets.blocks import ink_on

PLAIN, RESIDUAL = (RunConfig(depth=14, shortcut=shortcut) for shortcut in ("none", "A"))


@pytest.fixture
def studies() -> dict[RunConfig, LesionStudy]:
    generator = torch.Generator().manual_seed(0)
    images, labels = torch.randn(60, 3, 8, 8, generator=generator), torch.randint(10, (60,), generator=generator)
    made = {}
    for config in (PLAIN, RESIDUAL):
        net = reslab.cifar_net(14, config.shortcut, width=4, generator=generator)
        torch.nn.init.normal_(net.fc.weight, generator=generator)
        made[config] = LesionStudy(net, images, labels)
    return made


def shown(row) -> tuple[list[str], list[str], float]:
    """What the answer is about, and the answer."""
    return row.answer["deleted"], row.answer["order"], row.answer["error"]


def test_deleting_a_block_tells_the_error_without_it(studies):
    panel = Lesions(studies, live=True)
    (plain, row), study = panel.rows, studies[RESIDUAL]
    assert (plain.name, row.name) == ("plain-14", "ResNet-14") and (plain.colour, row.colour) == tuple(
        map(net_colour, (PLAIN, RESIDUAL))
    )
    assert shown(row) == ([], list(study.blocks), study.error())
    assert (plain.ink, row.ink) == ("#000", "#000")
    assert row.facts == dict(whole=study.error(), chance=90.0, images=60)
    assert row.reshaping == ["stage2.block1", "stage3.block1"]
    row.deleted = ["stage2.block2"]  # what a click does
    assert shown(row) == (["stage2.block2"], list(study.blocks), study.error(["stage2.block2"]))
    row.deleted = ["stage2.block2", "stage1.block1"]
    assert row.deleted == ["stage1.block1", "stage2.block2"]  # in the order of training
    assert row.answer["error"] == study.error(row.deleted)
    assert plain.deleted == [] and shown(plain)[2] == studies[PLAIN].error()


def test_the_buttons_do_the_same_to_both_nets_and_undo_it(studies):
    panel = Lesions(studies, live=True)
    plain, residual = panel.rows
    for count in (1, 2, 3):
        panel.buttons["delete"].click()
        assert plain.deleted == residual.deleted and len(plain.deleted) == count
        assert residual.answer["error"] == studies[RESIDUAL].error(residual.deleted)
    panel.buttons["swap"].click()
    assert plain.order == residual.order == ["stage1.block2", "stage1.block1", *plain.blocks[2:]]
    assert swappable(studies[PLAIN]) == [(0, 1)]
    assert shown(residual) == (
        residual.deleted,
        residual.order,
        studies[RESIDUAL].error(residual.deleted, residual.order),
    )
    panel.buttons["restore"].click()
    for row, study in zip(panel.rows, studies.values(), strict=True):
        assert row.deleted == [] and shown(row) == ([], list(row.blocks), study.error())
    for _ in range(8):
        panel.buttons["delete"].click()
    assert plain.deleted == plain.blocks  # and no more


def test_nets_without_two_blocks_of_one_shape_have_nothing_to_swap():
    images = torch.zeros(2, 3, 8, 8)
    study = LesionStudy(reslab.cifar_net(8, width=4), images, torch.zeros(2, dtype=torch.long))
    panel = Lesions({RunConfig(depth=8): study}, live=True)
    panel.buttons["swap"].click()
    assert panel.rows[0].order == list(study.blocks)


def test_what_goes_wrong_is_told_in_the_panel(studies, caplog):
    panel = Lesions(studies, live=True)
    with pytest.raises(traitlets.TraitError):
        panel.rows[0].deleted = [3]
    panel.rows[0].order = ["stage9.block1"]
    assert "order must name each block once" in panel._trouble.value
    panel.rows[0].order = list(studies[PLAIN].blocks)
    panel.buttons["delete"].click()
    assert panel._trouble.value == ""
    caplog.clear()


def test_without_a_front_end_there_are_pictures(studies):
    panel = Lesions(studies, live=False)
    (page,) = panel.still()
    assert page.data.count('<div class="reslab-lesion"') == 2 * 3 and not hasattr(panel, "rows")
    assert page.data.count(', deleted">') == 2 * (1 + 4)
    errors = [float(error) for error in re.findall(r"reslab-lesion-now\">([\d.]+) %", page.data)]
    whole = [study.error() for study in studies.values()]
    middle = [study.error(["stage2.block2"]) for study in studies.values()]
    assert errors[:4] == pytest.approx(whole + middle, abs=0.05)
    assert "Errors on 60 images. In JupyterLab" in page.data
    again = Lesions(studies, live=False).still()[0]
    assert again.data == page.data


@pytest.mark.parametrize(
    ("colour", "ink"), [("#e69f00", "#000"), ("#56b4e9", "#000"), ("#0072b2", "#fff"), ("#d55e00", "#fff")]
)
def test_numbers_can_be_read_on_their_blocks(colour, ink):
    assert ink_on(colour) == ink
