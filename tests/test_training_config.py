"""RunConfig: the paper's recipe, refusals that help, and an id that changes with every field."""

import dataclasses
import json
from pathlib import Path

import pytest
import torch

from reslab import RunConfig
from reslab.data import Facts
from reslab.training.profiles import PROFILES
from reslab.training.schedule import learning_rate


def test_paper_profile_is_the_papers_recipe():
    config = RunConfig(profile="paper")
    assert (config.iterations, config.batch, config.lr, config.lr_drops) == (64_000, 128, 0.1, (32_000, 48_000))
    assert (config.momentum, config.weight_decay, config.width, config.dataset) == (0.9, 1e-4, 16, "cifar10")


def test_short_is_a_sixteenth_of_the_schedule():
    config = RunConfig(profile="short")
    assert (config.iterations, config.lr_drops) == (4_000, (2_000, 3_000))
    paper = RunConfig(profile="paper").to_dict()
    assert {name for name, value in config.to_dict().items() if value != paper[name]} == {
        "profile",
        "iterations",
        "lr_drops",
        "log_every",
    }


@pytest.mark.parametrize(
    ("iteration", "lr"),
    [(0, 0.1), (31_999, 0.1), (32_000, 0.01), (47_999, 0.01), (48_000, 0.001), (63_999, 0.001)],
)
@pytest.mark.parametrize("depth", [20, 56])
def test_learning_rates_of_the_paper(iteration, lr, depth):
    assert learning_rate(RunConfig(depth=depth, profile="paper"), iteration) == pytest.approx(lr, rel=1e-12)


@pytest.mark.parametrize("depth", [110, 1202])
def test_deep_nets_warm_up_until_the_recorded_iteration(depth):
    config = RunConfig(depth=depth, profile="paper")
    assert learning_rate(config, 0) == learning_rate(config, 5_000, None) == pytest.approx(0.01)
    assert learning_rate(config, 399, warmup_end=400) == pytest.approx(0.01)
    assert learning_rate(config, 400, warmup_end=400) == pytest.approx(0.1)
    assert learning_rate(config, 32_000, warmup_end=400) == pytest.approx(0.01)


def test_linear_warm_up_by_iterations():
    config = RunConfig(profile="paper", warmup_iterations=10)
    assert [learning_rate(config, i) for i in (0, 4, 9, 10)] == pytest.approx([0.01, 0.05, 0.1, 0.1])


def test_an_explicit_length_stretches_the_schedule_and_explicit_drops_win():
    assert RunConfig(profile="paper", iterations=640).lr_drops == (320, 480)
    assert RunConfig(profile="paper", iterations=640, lr_drops=(100,)).lr_drops == (100,)
    assert RunConfig(profile="smoke", iterations=1).lr_drops == ()


def test_every_field_changes_the_id():
    base = RunConfig(profile="smoke")
    others = dict(
        depth=8, shortcut="B", profile="demo", seed=1, dataset="cifar10", block="bottleneck", width=5, image_size=16
    ) | dict(val_split=100, iterations=11, batch=8, lr=0.2, lr_drops=(5,), warmup_iterations=2, warmup_error=50.0)
    others |= dict(momentum=0.5, weight_decay=0.0, precision="fp32", log_every=4, optimizer="adamw")
    base = dataclasses.replace(base, lr_drops=())
    others |= dict(lr_schedule="linear")
    others |= dict(activation_order="full-preactivation", norm="none")
    # Below; in test_nets_plugins.py; in test_data_pictures.py; in test_training_tasks.py.
    elsewhere = {"gate_bias", "plugins", "family", "stem", "stride_on", "lr_plateau", "scale", "colour", "found"}
    elsewhere |= {"task", "target", "sigma", "patch", "pretrained"}
    assert set(others) | elsewhere == {field.name for field in dataclasses.fields(RunConfig)}
    changed = [dataclasses.replace(base, **{name: value}) for name, value in others.items()]
    gated = [RunConfig(profile="smoke", shortcut="exclusive-gating", gate_bias=bias) for bias in (0, -3, -6)]
    assert len({config.id for config in [base, *changed, *gated]}) == len(others) + 4
    assert gated[-1] == RunConfig(profile="smoke", shortcut="exclusive-gating")


def test_a_run_has_one_schedule():
    assert RunConfig(profile="paper").lr_schedule == "drops"
    linear = RunConfig(profile="paper", lr_schedule="linear")
    assert linear.lr_drops == () and linear.lr_plateau == 0
    stepped = RunConfig(task="denoising", lr_drops=(500,))  # whose profile says linear
    assert stepped.lr_schedule == "drops" and stepped.lr_drops == (500,)
    for own in (dict(lr_drops=(5,)), dict(lr_plateau=2)):
        with pytest.raises(ValueError, match="lr_schedule='linear' is not possible; allowed: 'drops' with lr_drops or"):
            RunConfig(profile="smoke", lr_schedule="linear", **own)


def test_the_imagenet_family_has_its_own_defaults():
    config = RunConfig(depth=50, shortcut="B", family="imagenet", profile="short")
    assert (config.block, config.stem, config.stride_on, config.width) == ("bottleneck", "imagenet", "3x3", 64)
    assert config.id.startswith("cifar10-res50-B-imagenet-short-s0-")
    basic = RunConfig(depth=18, family="imagenet", profile="smoke")
    assert (basic.block, basic.stride_on, basic.width) == ("basic", None, 16)
    paper = RunConfig(depth=34, profile="imagenet-paper")
    assert (paper.family, paper.dataset, paper.width, paper.batch) == ("imagenet", "imagenet", 64, 256)
    assert (paper.iterations, paper.image_size, paper.scale, paper.colour) == (600_000, 224, (256, 480), 0.1)
    assert (paper.lr, paper.lr_drops, paper.lr_plateau) == (0.1, (), 5)
    assert RunConfig(profile="imagenet-paper", depth=50, shortcut="B").stride_on == "1x1"  # "v1", as the paper's
    assert RunConfig(profile="imagenet-paper", iterations=6_000).log_every == 50  # as many points as ever
    assert RunConfig(depth=34, profile="imagenet-paper", lr_drops=(300_000,)).lr_plateau == 0
    assert RunConfig(depth=18, family="imagenet", profile="paper", lr_plateau=3).lr_drops == ()


def test_every_field_of_the_imagenet_family_changes_the_id():
    base = dict(depth=50, shortcut="B", family="imagenet", profile="smoke")
    others = [dict(stem="cifar"), dict(stride_on="1x1"), dict(depth=101), dict(lr_plateau=2), dict(width=8)]
    assert len({RunConfig(**base | other).id for other in [{}, *others]}) == len(others) + 1
    same = RunConfig(**base, stem="imagenet", stride_on="3x3", block="bottleneck", width=16)
    assert same == RunConfig(**base)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (dict(depth=[18]), "depth=[18] is not possible; allowed: a value of type int"),
        (dict(depth=20), "depth=20 is none of the ImageNet family's; allowed: 18, 34, 50, 101, 152"),
        (dict(depth=50, shortcut="none"), "no plain twin"),
        (dict(depth=50, block="basic"), "block='basic' is not possible; allowed: bottleneck"),
        (dict(depth=18, stride_on="1x1"), "stride_on='1x1' is not possible; allowed: nothing: basic blocks"),
        (dict(depth=18, stem="small"), "stem='small' is not possible; allowed: one of imagenet, cifar"),
        (
            dict(depth=18, lr_plateau=3, lr_drops=(4,)),
            "lr_plateau=3 is not possible; allowed: 0 where there are lr_drops",
        ),
        (dict(depth=18, profile="imagenet-paper", scale=(200, 480)), "two lengths from image_size=224 on"),
        (dict(depth=18, profile="imagenet-paper", colour=-1), "colour=-1.0 is not possible; allowed: 0 or more"),
    ],
)
def test_what_the_imagenet_family_cannot_be_is_said(values, sentence):
    with pytest.raises(ValueError) as refusal:
        RunConfig(**dict(family="imagenet", profile="smoke") | values)
    assert sentence in str(refusal.value)


def test_the_imagenet_family_trains_through_the_same_config():
    net = RunConfig(depth=18, shortcut="B", family="imagenet", stem="cifar", profile="smoke", width=4).make_net()
    assert net(torch.zeros(2, 3, 8, 8)).shape == (2, 10)


def test_ids_of_earlier_versions_are_kept():
    """Runs that were trained before there were orders, gates and plugins are found again."""
    seen = []
    for path in (Path(__file__).parents[1] / "experiments/results").glob("degradation-*.json"):
        for name, run in json.loads(path.read_text()).items():
            assert RunConfig.from_dict(run["config"]).id == name
            seen.append(name)
    assert len(seen) > 20


def test_the_id_is_over_resolved_values_and_reads_well():
    explicit = RunConfig(depth=56, shortcut="none", profile="paper", lr=0.1, iterations=64_000)
    assert explicit == RunConfig(depth=56, shortcut="none", profile="paper")
    assert explicit.id.startswith("cifar10-plain56-paper-s0-")
    assert RunConfig(depth=20, lr_drops=[1, 2], lr=1).id == RunConfig(depth=20, lr_drops=(1, 2), lr=1.0).id


@pytest.mark.parametrize("profile", PROFILES)
def test_json_round_trip(profile):
    depth = 34 if PROFILES[profile]["family"] == "imagenet" else 44
    config = RunConfig(depth=depth, shortcut="C", profile=profile, seed=7)
    assert RunConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


@pytest.mark.parametrize(
    ("field", "value", "allowed"),
    [
        ("depth", 21, "6n+2"),
        ("depth", "20", "type int"),
        ("shortcut", "D", "none, A, B, C"),
        ("profile", "papre", "paper, short, demo, smoke"),
        ("family", "vgg", "cifar, imagenet"),
        ("stem", "cifar", "family='imagenet'"),
        ("stride_on", "1x1", "family='imagenet'"),
        ("scale", (40, 60), "pictures in folders"),
        ("colour", 0.1, "pictures in folders"),
        ("lr_plateau", -1, "0 or more"),
        ("found", Facts(1, 1, None, 1), "folder:PATH"),
        ("dataset", "cifar100", "cifar10, shapes, imagenet, imagenette, folder:PATH"),
        ("precision", "fp16", "fp32, bf16"),
        ("optimizer", "adam", "sgd, adamw"),
        ("lr_schedule", "cosine", "drops, linear"),
        ("patch", 16, "task='denoising'"),
        ("norm", "group", "batch, none"),
        ("seed", -1, "0 or more"),
        ("seed", True, "type int"),
        ("iterations", 0, "1 or more"),
        ("lr", 0.0, "more than 0"),
        ("lr", float("nan"), "finite"),
        ("lr", float("inf"), "finite"),
        ("weight_decay", float("inf"), "finite"),
        ("batch", 60_000, "2 to 10000"),
        ("momentum", 1.0, "below 1"),
        ("batch", 1, "2 to"),
        ("image_size", 12, "8, 16, 32"),
        ("val_split", 10_000, "0 to"),
        ("lr_drops", (5, 3), "increasing"),
        ("lr_drops", ("a",), "whole numbers"),
        ("warmup_error", 101.0, "0 to 100"),
    ],
)
def test_wrong_values_are_refused_with_field_value_and_what_is_allowed(field, value, allowed):
    with pytest.raises(ValueError) as refusal:
        RunConfig(**{field: value})
    assert field in str(refusal.value) and str(value).strip("()") in str(refusal.value)
    assert allowed in str(refusal.value)


def test_other_trainers_names_are_refused_naming_ours():
    with pytest.raises(ValueError, match=r"'learning_rate'.*did you mean 'lr'"):
        RunConfig.from_dict({"learning_rate": 0.1})


def test_a_misspelt_field_is_refused_naming_the_closest():
    with pytest.raises(ValueError, match=r"'shortcutt'.*did you mean 'shortcut'"):
        RunConfig.from_dict({"shortcutt": "A"})
