"""What a probe looks at: a run's net, trained or not, and the pictures that it is shown."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from ..data.tensors import TensorSource
from ..runs import Run
from ..training.config import RunConfig
from ..training.loop import pick_device
from ..training.sources import Source, opened
from ..training.tasks import refuse_others
from .recorded import recorded_weights
from .when import INITIAL, TRAINED, check_at

SPLITS = ("test", "train")


@dataclass(frozen=True)
class Subject:
    """A net in evaluation mode and the pictures that it is shown, on one device."""

    name: str  # such as "plain-56" or "plain-56, not trained"
    net: nn.Module  # float32 weights, channels last
    images: torch.Tensor  # float [N, 3, S, S], normalised as in training, channels last
    labels: torch.Tensor  # int64 [N]
    config: RunConfig
    split: str  # that the pictures are of


def subject(
    run: Run | RunConfig,
    at: str | int = TRAINED,
    images: int = 2000,
    split: str = "test",
    data: str | Path | None = None,
    device: str | torch.device | None = None,
) -> Subject:
    """The net of a run, and the first `images` pictures of its held-out data, or with split="train" of what it was
    trained on, without augmentation; all of them if there are fewer.

    `at` is "trained" (the run must be done), "initial" (as it was before the first iteration; a config is enough), or
    the number of an iteration at which the run recorded its weights. Raises ValueError for anything else, for a run of
    another task, for a split that is unknown or cannot be had without augmentation, and for fewer than one image;
    DataError if the data cannot be had.
    """
    from ..figures.style import net_label  # here: plotly comes along, which a run that records has no use for

    config = run if isinstance(run, RunConfig) else run.config
    refuse_others(config, "looking inside a net")
    if images < 1:
        raise ValueError(f"images={images} shows a net nothing; allowed: 1 or more")
    if split not in SPLITS:
        raise ValueError(f"split={split!r} is not possible; allowed: {', '.join(SPLITS)}")
    device = pick_device(device)
    net = net_at(run, at).eval().to(device, memory_format=torch.channels_last)
    with opened(config, device, data, workers=0) as source:
        pictures, labels = _pictures(source, images, split)
    when = {TRAINED: "", INITIAL: ", not trained"}.get(at, f", iteration {at}")
    return Subject(net_label(config) + when, net, pictures, labels, config, split)


def net_at(run: Run | RunConfig, at: str | int = TRAINED) -> nn.Module:
    """The net of a run on the CPU, in evaluation mode: see `subject`."""
    config = run if isinstance(run, RunConfig) else run.config
    check_at(at)
    if at == INITIAL:  # as the task makes it: see Classification.make_net
        return config.make_net(torch.Generator().manual_seed(config.seed)).eval()
    if at == TRAINED and isinstance(run, Run):
        return run.net()
    if at == TRAINED:
        raise ValueError("a config has no trained net; give the run that reslab.train returns, or at='initial'")
    if isinstance(run, RunConfig):
        raise ValueError(f"a config has recorded nothing at={at}; give the run, or at='initial'")
    net = config.make_net()
    net.load_state_dict(recorded_weights(run, at))
    return net.eval()


def _pictures(source: Source, images: int, split: str) -> tuple[torch.Tensor, torch.Tensor]:
    if split == "train":
        if not isinstance(source, TensorSource):
            raise ValueError(
                "split='train' needs images in memory; pictures in folders are met augmented: split='test'"
            )
        batches = source.batches
        shown = batches.normalise(batches.images[:images]).permute(0, 3, 1, 2)
        return shown.contiguous(memory_format=torch.channels_last), batches.labels[:images]
    shown, labels, count = [], [], 0
    for some, its in source.held_out():
        shown.append(some)
        labels.append(its)
        count += len(its)
        if count >= images:
            break
    pictures = torch.cat(shown)[:images].contiguous(memory_format=torch.channels_last)
    return pictures, torch.cat(labels)[:images]
