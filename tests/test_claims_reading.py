"""Claims of several parts, and the one that two nets are the same: what their differences come to together."""

import pytest

from tests.claims_fixtures import make_net, one, plain

MORE, LESS = ([9.0, 9.2, 9.4], [12.0, 12.3, 12.9]), ([12.0, 12.3, 12.9], [9.0, 9.2, 9.4])


@pytest.mark.parametrize(
    ("training", "test", "verdict", "words"),
    [
        (MORE, MORE, "supported", ""),
        (LESS, MORE, "contradicted", ""),  # overfitting: learned better, tested worse
        (MORE, LESS, "undecided", "nothing to explain"),
        (LESS, LESS, "undecided", "nothing to explain"),
        (([9.0, 9.9], [9.4, 9.6]), MORE, "undecided", "training error"),
    ],
)
def test_not_overfitting(tmp_path, training, test, verdict, words):
    shallow, deep = zip(training, test, strict=True)
    shallow, deep = ([list(v)[: len(shallow[0])] for v in arm] for arm in (shallow, deep))
    found = one(plain(tmp_path, shallow, deep), "not-overfitting")
    assert found.verdict == verdict and words in found.missing
    assert [f.measure for f in found.findings] == ["training error", "test error"]


@pytest.mark.parametrize(
    ("a", "b", "c", "verdict"),
    [
        ([9.0, 9.1, 9.2], [8.0, 8.1, 8.2], [7.0, 7.1, 7.2], "supported"),
        ([9.0, 9.1, 9.2], [8.0, 8.1, 8.2], [8.5, 8.6, 8.7], "contradicted"),
        ([9.0, 9.1, 9.2], [8.0, 8.1, 8.2], [7.9, 8.1, 8.3], "undecided"),
        ([9.0], [8.0], [7.0], "indicative for"),
        ([9.0], [8.0], [8.5], "indicative against"),
    ],
)
def test_the_order_of_options_holds_if_both_steps_do(tmp_path, a, b, c, verdict):
    runs = [
        run for name, values in zip("ABC", (a, b, c), strict=True) for run in make_net(tmp_path, values, shortcut=name)
    ]
    found = one(runs, "option-order")
    assert found.words == verdict
    assert [f.what for f in found.findings] == [
        "ResNet-20 (B) − ResNet-20, test error",
        "ResNet-20 (C) − ResNet-20 (B), test error",
    ]


@pytest.mark.parametrize(
    ("fp32", "bf16", "verdict"),
    [
        ([9.0, 9.1, 9.2], [9.1, 9.2, 9.3], "supported"),
        ([9.0, 9.1, 9.2], [11.0, 11.1, 11.2], "contradicted"),
        ([8.0, 9.0, 10.0], [8.1, 9.1, 10.1], "undecided"),  # no difference was found, which is not sameness
        ([9.0], [9.1], "indicative for"),
    ],
)
def test_precisions_are_the_same_within_half_a_point(tmp_path, fp32, bf16, verdict):
    runs = make_net(tmp_path, fp32, precision="fp32") + make_net(tmp_path, bf16, precision="bf16")
    found = one(runs, "precision-bf16")
    assert found.words == verdict and found.findings[0].margin == 0.5 and "fp32" in found.numbers[0].net
    assert "precision" not in found.setting
    assert one(runs, "shortcut-plain").verdict == "undecided"  # each precision a setting of its own elsewhere


def test_a_run_in_bf16_on_a_device_without_it_says_nothing_of_bf16(tmp_path):
    runs = make_net(tmp_path, [9.0, 9.1], precision="fp32") + make_net(tmp_path, [9.0, 9.1], precision="bf16")
    for run in runs:
        (run.path / "provenance.json").write_text('{"precision": "fp32"}')
    found = one(runs, "precision-bf16")
    assert found.verdict == "undecided"
    assert "No finished run of ResNet-20, bf16 (2 computed in fp32; in another store, train" in found.missing
    assert not {config.id for config in found.to_run} & {run.id for run in runs}  # which would not be trained again
    for run in runs[2:]:
        (run.path / "provenance.json").write_text('{"precision": "bf16"}')
    assert [net.n for net in one(runs, "precision-bf16").numbers] == [2, 2]
    (runs[2].path / "provenance.json").write_text('{"precision": "bf16", "resumed": [{"precision": "fp32"}]}')
    assert [net.n for net in one(runs, "precision-bf16").numbers] == [2, 1]
