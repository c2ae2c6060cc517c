"""`reslab evaluate`: ours beside the paper's table."""

import json
import re
from dataclasses import replace

import pytest

from reslab import RunConfig, train
from reslab.figures.published_imagenet import MULTI_SCALE, TEN_CROPS, published_imagenet
from reslab.training.evaluation import Evaluation

from .picture_fixtures import write_pictures
from .test_cli import reslab
from .test_training_pictures import make_config


def test_a_run_beside_the_papers_table(tmp_path):
    mine = write_pictures(tmp_path / "mine", train=6, test=2)
    run = train(make_config(mine, iterations=3), tmp_path / "runs", workers=0)
    options = ["--store", tmp_path / "runs", "--views", 10, "--workers", 0, "--json", tmp_path / "out" / "numbers.json"]
    done = reslab("evaluate", run.id[:12], *options)
    assert done.exit_code == 0, done.stderr
    assert "6 held-out images, 10 views each, loss" in done.stdout
    numbers = json.loads((tmp_path / "out" / "numbers.json").read_text())
    assert numbers["name"] == run.config.net_name and numbers["n"] == 6 and numbers["views"] == 10
    (ours,) = [line for line in done.stdout.splitlines() if line.startswith(run.config.net_name)]
    assert ours.split()[1:] == ["10", f"{numbers['top1']:.2f}", f"{numbers['top5']:.2f}"]
    assert re.search(r"paper's ResNet-50 B +10 +22\.85 +6\.71\n", done.stdout)
    assert re.search(r"paper's plain-18 +10 +27\.94\n", done.stdout)
    assert "comparable only for ImageNet's val pictures, 10 views and the paper's recipe." in done.stdout


def test_a_cifar_run_without_that_table(tmp_path):
    run = train(RunConfig(8, profile="smoke"), tmp_path)
    done = reslab("evaluate", run.path)
    assert done.exit_code == 0 and "plain-18" not in done.stdout
    assert f"{run.final['test_error']:.2f}" in done.stdout and "2,000 held-out images, 1 view each" in done.stdout


def test_torchvisions_weights(monkeypatch):
    asked = []

    def stub(*arguments, **options):
        asked.append((arguments, options))
        return Evaluation(23.9, 7.1, 1.0, 50_000, 1)

    monkeypatch.setattr("reslab.cli.evaluate.evaluate_published", stub)
    done = reslab("evaluate", "--weights", "IMAGENET1K_V1", "--depth", 50, "--workers", 3)
    assert done.exit_code == 0 and re.search(r"ResNet-50 IMAGENET1K_V1 +1 +23\.90 +7\.10", done.stdout)
    ((arguments, options),) = asked
    assert arguments == ("IMAGENET1K_V1", 50, "imagenet") and options["views"] == 1 and options["workers"] == 3


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nothing"], "there is no run 'nothing'"),
        ([], "name a finished run, or with --weights"),
        (["some", "--depth", 50], "name a finished run, or with --weights"),
        (["--weights", "IMAGENET1K_V1"], "give their --depth, and no run"),
        (["--weights", "IMAGENET1K_V1", "--depth", 50], "ImageNet is not in"),
    ],
)
def test_mistakes_are_one_sentence(tmp_path, monkeypatch, arguments, sentence):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RESLAB_DATA", raising=False)
    done = reslab("evaluate", *arguments)
    assert done.exit_code == 2 and sentence in done.stderr and len(done.stderr.strip().splitlines()) == 1


def test_the_papers_numbers_are_for_its_recipe_alone():
    recipe = RunConfig(50, "B", "imagenet-paper")
    assert published_imagenet(recipe) == TEN_CROPS["B", 50]
    assert published_imagenet(replace(recipe, seed=3, precision="fp32", stride_on="1x1")) == TEN_CROPS["B", 50]
    for change in (dict(batch=128), dict(dataset="imagenette"), dict(val_split=1000), dict(colour=0.0)):
        assert published_imagenet(replace(recipe, **change)) is None
    assert published_imagenet(RunConfig(101, "A", "imagenet-paper")) is None


def test_the_table_is_in_order():
    """Deeper nets and more views are better, but for plain ones: a slip of the pen would show."""
    for table in (TEN_CROPS, MULTI_SCALE):
        projected = [table["B", depth] for depth in (34, 50, 101, 152)]
        assert [errors.top1 for errors in projected] == sorted((errors.top1 for errors in projected), reverse=True)
        assert [errors.top5 for errors in projected] == sorted((errors.top5 for errors in projected), reverse=True)
    for net, errors in MULTI_SCALE.items():
        assert errors.top1 < TEN_CROPS[net].top1 and errors.top5 < TEN_CROPS[net].top5
    assert TEN_CROPS["none", 34].top1 > TEN_CROPS["none", 18].top1 > TEN_CROPS["A", 18].top1 > TEN_CROPS["A", 34].top1
