"""RunConfig of the other tasks: what each may say, and what is left alone where a run is of another task."""

import csv
import io

import pytest
import torch

from reslab import RunConfig, RunStore
from reslab.batch.results import as_csv
from reslab.catalog import find, sort
from reslab.catalog.comparison import compare
from reslab.claims import CLAIMS
from reslab.claims import evaluate as judged
from reslab.fast import wanted
from reslab.files import write_json
from reslab.probes.subject import subject
from reslab.runs import COLUMNS, TASK_COLUMNS
from reslab.training.evaluation import evaluate

DENOISING = dict(task="denoising", profile="smoke")
DETECTION = dict(task="detection", profile="smoke")


def test_every_field_of_the_other_tasks_changes_the_id():
    denoising = [{}, dict(target="clean"), dict(sigma=(15, 15)), dict(sigma=(0, 55)), dict(shortcut="A")]
    denoising += [dict(patch=12), dict(optimizer="sgd"), dict(lr_schedule="drops")]
    detection = [{}, dict(shortcut="none"), dict(image_size=64), dict(pretrained="IMAGENET1K_V1", width=64)]
    detection[-1] |= dict(shortcut="B", stem="imagenet")
    assert RunConfig(**DENOISING, lr_schedule="drops").lr_drops == (6, 9)
    configs = [RunConfig(**DENOISING | own) for own in denoising] + [RunConfig(**DETECTION | own) for own in detection]
    assert len({config.id for config in configs}) == len(configs)
    for config in configs:
        assert RunConfig.from_dict(config.to_dict()) == config


def test_runs_of_classification_keep_the_ids_that_they_had_before_there_were_tasks():
    assert RunConfig().id == "shapes-res20-demo-s0-7ebffa48"
    assert RunConfig(depth=56, profile="short").id == "cifar10-res56-short-s0-89935d63"


def test_the_nets_are_called_what_they_are():
    assert RunConfig(**DENOISING).net_name == "dncnn17-noise"
    assert RunConfig(**DENOISING, target="clean", shortcut="A").net_name == "dncnn17-clean-A"
    assert RunConfig(**DETECTION).net_name == "res18-detection"
    assert RunConfig(**DETECTION, shortcut="none").net_name == "plain18-detection"


def test_one_sigma_is_a_range_of_one():
    assert RunConfig(**DENOISING, sigma=[25]) == RunConfig(**DENOISING, sigma=(25, 25))


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (dict(task="segmentation"), "task='segmentation' is not possible; allowed: one of classification, detection"),
        (dict(sigma=(25, 25)), "sigma=(25, 25) is not possible; allowed: nothing: it is for task='denoising'"),
        (dict(target="noise"), "target='noise' is not possible; allowed: nothing"),
        (dict(pretrained="none"), "pretrained='none' is not possible; allowed: nothing"),
        (DENOISING | dict(target="sharp"), "target='sharp' is not possible; allowed: one of noise, clean"),
        (DENOISING | dict(sigma=(50, 10)), "sigma=(50, 10) is not possible; allowed: two whole numbers"),
        (DENOISING | dict(sigma=(0, 0)), "not both 0"),
        (DENOISING | dict(depth=18), "depth=18 is not 2n+3, which a denoising net needs; allowed: 5, 7"),
        (
            DENOISING | dict(dataset="imagenette"),
            "dataset='imagenette' is not possible; allowed: one of cifar10, shapes",
        ),
        (DENOISING | dict(profile="imagenet-paper"), "profile='imagenet-paper' is not possible; allowed: one of paper"),
        (DENOISING | dict(family="cifar"), "family='cifar' is not possible; allowed: of denoising: dncnn"),
        (DETECTION | dict(depth=20), "depth=20 is none of the ImageNet family's"),
        (DETECTION | dict(depth=50, shortcut="none"), "no plain twin"),
        (DETECTION | dict(dataset="cifar10"), "dataset='cifar10' is not possible; allowed: one of scenes, voc07"),
        (DETECTION | dict(dataset="voc07++12"), "val_split=0 is not possible; allowed: 1 or more"),
        (DETECTION | dict(pretrained="IMAGENET1K_V1"), "published weights are of those nets"),
        (DETECTION | dict(image_size=16), "image_size=16 is not possible; allowed: 32 or more"),
    ],
)
def test_wrong_values_are_refused(values, sentence):
    with pytest.raises(ValueError) as refusal:
        RunConfig(**values)
    assert sentence in str(refusal.value)


@pytest.mark.parametrize("values", [DENOISING, DETECTION])
def test_what_is_for_classification_leaves_other_runs_alone(values, tmp_path):
    run = RunStore(tmp_path).create(RunConfig(**values))
    write_json(run.path / "status.json", dict(state="done"))
    others = [name for name, claim in CLAIMS.items() if claim.task == "classification"]
    assert judged([run], others) == judged([], others)
    for asked in (lambda: evaluate(run), lambda: subject(run, at="initial")):
        with pytest.raises(ValueError, match="is for runs of classification"):
            asked()
    assert not wanted("auto", run.config, torch.device("cuda"))
    with pytest.raises(ValueError, match="compile='always' is not possible"):
        wanted("always", run.config, torch.device("cpu"))


def test_lists_comparisons_and_exports_have_the_columns_of_the_tasks(tmp_path):
    store, row = RunStore(tmp_path), {name: kind(1) for name, kind in COLUMNS.items()}
    own = {"classification": {}, "denoising": dict(psnr=29.5, ssim=0.9), "detection": dict(map50=60.0, map=30.0)}
    runs = [store.create(RunConfig(task=task, profile="smoke")) for task in own]
    for run in runs:
        run.write_metrics([row | own[run.config.task], row | dict(iteration=2) | own[run.config.task]])
        write_json(run.path / "status.json", dict(state="failed"))
    entries = find(store).entries
    assert {entry.id: entry.final for entry in entries} == {run.id: run.final for run in runs}
    assert sort(entries, "psnr")[0].id == runs[1].id
    assert compare(runs).finals["map"] == [None, None, 30.0]
    table = list(csv.DictReader(io.StringIO(as_csv(runs))))
    assert len(table) == 6 and all(None not in line for line in table)
    assert {line["run"]: line["psnr"] for line in table} == {r.id: "29.5" if r == runs[1] else "" for r in runs}
    assert "map" not in as_csv(runs[:2]).splitlines()[0]


def test_metrics_have_the_columns_of_their_task(tmp_path):
    store, row = RunStore(tmp_path), {name: kind(1) for name, kind in COLUMNS.items()}
    plain, own = store.create(RunConfig(profile="smoke")), store.create(RunConfig(**DENOISING))
    plain.write_metrics([row])
    own.write_metrics([row | dict(psnr=29.5, ssim=0.9)])
    assert plain.metrics == [row] and set(plain.metrics[0]).isdisjoint(TASK_COLUMNS)
    assert own.metrics == [row | dict(psnr=29.5, ssim=0.9)] and own.column("psnr") == [29.5]
    with pytest.raises(ValueError, match="'psnr' is not a parameter"):
        plain.column("psnr")
