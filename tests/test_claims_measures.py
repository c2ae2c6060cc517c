"""Measures from probes, against numbers worked out by hand from result files written by hand."""

import json
import math

import pytest

from reslab import RunConfig, RunStore
from reslab.claims import evaluate
from reslab.claims.arms import nets_of
from reslab.claims.measures import MEASURES
from reslab.claims.units import DECADES, PERCENT, POINTS, Unit
from reslab.probes import PathShare
from reslab.probes.probing import PROBES
from tests.claims_fixtures import find, make_run


def read(name: str, found, **fields) -> float:
    return MEASURES[name].read(found, RunConfig(**dict(profile="smoke", depth=20) | fields))


def test_a_file_of_the_run_folder_is_what_is_read(tmp_path):
    """Written as reslab.probes.results says, without any of its code."""
    run = make_run(tmp_path, 1, 9, depth=20)
    (run.path / "probes").mkdir()
    content = dict(settings=PROBES["responses"].settings(), result=[dict(name="stem.conv", std=0.5), dict(std=0.25)])
    find(run, "responses", [])  # to learn the file's name
    (path,) = (run.path / "probes").iterdir()
    path.write_text(json.dumps(content))
    (net,) = nets_of([run])
    assert net.probed(["responses"]).values("response") == [0.375]


def test_only_standard_settings_count(tmp_path):
    run = make_run(tmp_path, 1, 9, depth=20)
    find(run, "signals", [dict(gradient=1.0)] * 2)
    (path,) = (run.path / "probes").iterdir()
    content = json.loads(path.read_text())
    path.with_name("signals-00000000.json").write_text(json.dumps(content | dict(settings=dict(at="trained"))))
    path.unlink()
    (net,) = nets_of([run])
    assert net.probed(["signals"]).runs == () and net.probed(["signals"]).unprobed == net.runs


def test_the_response_is_the_mean_over_layers():
    assert read("response", [dict(name=str(i), std=std) for i, std in enumerate((0.2, 0.4, 0.9))]) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("gradients", "decades"),
    [
        ((1e-5, 0.1, 0.01, 0.02), -5),  # vanished at the input
        ((1e-12, 1e-12, 1e-12), -12),  # in all layers alike, as without batch norm
        ((50.0, 3.0, 0.3, 0.1), -1),
        ((0.0, 1.0), -math.inf),
    ],
)
def test_the_reach_is_the_smallest_gradient(gradients, decades):
    layers = [dict(name=str(i), variance=1.0, gradient=gradient) for i, gradient in enumerate(gradients)]
    assert read("reach", layers) == pytest.approx(decades)


def lesions(error: float, *blocks: tuple[str, float]) -> dict:
    return dict(error=error, blocks=[dict(name=name, error=error) for name, error in blocks])


def test_blocks_that_change_the_shape_are_no_lesions():
    found = lesions(
        10.0,
        ("stage1.block1", 11.0),
        ("stage1.block2", 12.0),
        ("stage2.block1", 80.0),
        ("stage2.block10", 16.0),
        ("stage3.block1", 90.0),
        ("stage3.block2", 17.0),
    )
    assert read("lesion", found) == pytest.approx(14.0 - 10.0)  # of 11, 12, 16 and 17
    assert read("from-chance", found) == pytest.approx(90.0 - 14.0)  # ten classes
    wide = read("lesion", found, depth=29, block="bottleneck")  # its first block widens what it gets
    assert wide == pytest.approx(15.0 - 10.0)
    imagenet = lesions(10.0, ("conv2_x.block1", 20.0), ("conv3_x.block1", 90.0))
    assert read("lesion", imagenet, depth=18, family="imagenet", stem="cifar") == 10.0
    assert read("lesion", imagenet, depth=50, family="imagenet", stem="cifar") == 45.0  # no other block: all count


def test_roughness_is_as_it_is_and_negative_curvature_in_percent():
    found = dict(roughness=0.125, negative=0.0625)
    assert read("roughness", found) == 0.125 and read("negative", found) == 6.25


def test_neighbouring_gradients_are_one_step_apart_and_lengths_weighed_with_their_shares():
    assert read("correlation", dict(values=[1.0, 0.25, 0.5])) == 0.25
    found = dict(gradient=[1.0, 1.0, 1.0], share=[0.5, 0.25, 0.25])
    assert read("path", found) == 0.75 == PathShare((0, 1, 2), (1.0, 1.0, 1.0), (0.5, 0.25, 0.25)).mean


def test_units_are_written_behind_numbers_and_differences():
    assert PERCENT.value(9.2, 0.25) == "9.20 ± 0.25 %" and POINTS.value(4) == "4.00 points"
    assert DECADES.value(-0.001) == "0.00 decades"
    assert DECADES.value(-0.126, 0.02) == "−0.13 ± 0.02 decades" and DECADES.amount(1) == "1 decade"
    assert PERCENT.amount(0.5) == "0.5 points"
    plain = Unit("", "", "roughness", 3)
    assert plain.value(0.3125, 0.01) == "0.312 ± 0.010" and plain.amount(1) == "1"
    assert plain.range((-0.5, 0.25)) == "[−0.500, +0.250]"


def test_every_measure_of_a_probe_is_read_with_its_probe(tmp_path):
    """None of them needs anything but the probe's result, which is looked up once a claim."""
    assert {measure.probe for measure in MEASURES.values()} == {"", *PROBES}
    assert evaluate(RunStore(tmp_path), ["surface-smoother"])[0].missing.startswith("No finished run of plain-56")
