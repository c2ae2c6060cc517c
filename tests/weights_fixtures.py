"""torchvision's published weights without a network."""

from pathlib import Path

import pytest
import torch
from torchvision import models

from reslab.nets.viewer import viewer


def publish(monkeypatch: pytest.MonkeyPatch) -> tuple[models.ResNet, models.ResNet18_Weights]:
    """torchvision's ResNet-18 in evaluation, with random weights that count as downloaded, and their description."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        theirs = models.resnet18()
    for name, tensor in theirs.state_dict().items():
        if "running_var" in name:
            tensor.fill_(8.0)  # else a random net saturates, and one class has all
    weights = models.ResNet18_Weights.IMAGENET1K_V1
    monkeypatch.setattr(type(weights), "get_state_dict", lambda *_arguments, **_settings: theirs.state_dict())
    return theirs.eval(), weights


def forget_downloads(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """As on a machine where no weights were ever downloaded: they would come into `folder`."""
    monkeypatch.setenv("TORCH_HOME", str(folder))
    viewer.cache_clear()
