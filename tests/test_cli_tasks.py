"""The command line of detection and denoising."""

import pytest

from reslab import RunConfig, RunStore

from .test_cli import reslab
from .voc_fixtures import annotation, voc, write_voc

__all__ = ["voc"]


def test_data_describes_pictures_with_boxes(voc):
    done = reslab("data", f"folder:{voc}", "--boxes", "--workers", 0)
    assert done.exit_code == 0, done.stderr
    train, held_out, classes, folder = done.stdout.strip().splitlines()
    assert train.split() == ["train", "6", "pictures,", "9", "objects"]
    assert held_out.split() == ["held", "out", "3", "pictures,", "4", "objects"]
    assert classes == "2 classes: cat, dog" and folder.startswith(f"{voc}, digest ")


def test_data_tells_what_is_passed_over(voc):
    (voc / "Annotations" / "a1.xml").write_text(annotation(("dog", 5, 6, 24, 30), ("dog", 5, 6, 5, 6)))
    done = reslab("data", f"folder:{voc}", "--boxes", "--workers", 0)
    assert done.exit_code == 0 and "passed over: dog of 1x1 pixels in Annotations/a1.xml" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["data", "cifar10", "--boxes"], "--boxes is for folder:PATH"),
        (["data", "scenes", "--export", "x"], "scenes has boxes, which --export does not write"),
        (["data", "folder:nowhere", "--boxes"], "nowhere"),
        (["train", "--task", "detection", "--dataset", "folder:nowhere", "--profile", "smoke"], "nowhere"),
        (["train", "--task", "denoising", "--sigma", "loud"], "should be whole numbers with commas, such as 25,25"),
        (["train", "--sigma", "25"], "it is for task='denoising'"),
    ],
)
def test_mistakes_are_one_sentence(tmp_path, monkeypatch, arguments, sentence):
    monkeypatch.chdir(tmp_path)
    done = reslab(*arguments)
    assert done.exit_code == 2 and sentence in done.stderr and "Traceback" not in done.stderr


def test_train_trains_a_denoiser(tmp_path):
    options = ["--task", "denoising", "--profile", "smoke", "--target", "clean", "--sigma", 15, "--store", tmp_path]
    done = reslab("train", *options, "--device", "cpu", "--threads", 1)
    assert done.exit_code == 0, done.stderr
    run = RunStore(tmp_path).run(RunConfig(task="denoising", profile="smoke", target="clean", sigma=(15, 15)))
    assert run.state == "done" and run.column("psnr")[-1] > 0


def test_train_trains_a_detector_on_a_folder(tmp_path):
    folder = write_voc(tmp_path / "voc")
    options = [
        "--task",
        "detection",
        "--profile",
        "smoke",
        "--dataset",
        f"folder:{folder}",
        "--store",
        tmp_path / "runs",
    ]
    done = reslab("train", *options, "--device", "cpu", "--threads", 1, "--workers", 0)
    assert done.exit_code == 0, done.stderr
    (run,) = RunStore(tmp_path / "runs")
    assert run.state == "done" and run.config.facts.classes == 2
    assert run.final["test_error"] == pytest.approx(100 - run.final["map50"])
