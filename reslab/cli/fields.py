"""An option for every RunConfig field, made from the class."""

import inspect
from collections.abc import Callable
from dataclasses import fields
from typing import Annotated

import typer

from ..nets import ORDERS, SHORTCUTS
from ..nets.plugins import Plugin
from ..training.config import RunConfig
from ..training.profiles import FROM_PROFILE, PAPER

FIELD_HELP = dict(
    depth="Weighted layers: 6n+2 for basic blocks, 9n+2 for bottlenecks; ImageNet family: 18, 34, 50, 101, 152.",
    shortcut=f"none is the plain net. All: {', '.join(SHORTCUTS)}; or one of your own.",
    task="classification, detection or denoising.",
    profile="Where unset options get their values: paper, short, demo, smoke or imagenet-paper.",
    seed="Of initialisation, data order and augmentation.",
    dataset="cifar10 or shapes; pictures: folder:PATH, imagenet or imagenette; detection: scenes, voc07, voc07+12, "
    "voc07++12 or folder:PATH in VOC layout.",
    block="basic or bottleneck. Default: basic; in the ImageNet family the depth says it.",
    width="Channels of the first stage; by default four times as many in the ImageNet family.",
    image_size="Pixels; smaller than a tensor data set's means average pooling.",
    val_split="Training images held out and evaluated instead of the test set.",
    iterations="Mini-batches until the end.",
    batch="Images a mini-batch.",
    optimizer="sgd or adamw, each with the lr that is given or the profile's.",
    lr="Learning rate before it falls.",
    lr_schedule="drops: divided by 10 at lr_drops or plateaus; linear: falls evenly, to 0 at the end.",
    lr_drops="Iterations at which the learning rate is divided by 10, such as 240,340.",
    warmup_iterations="Linear ramp of the learning rate from 0.",
    warmup_error="Depth 110 and more: lr / 10 until the running training error is below this (percent).",
    momentum="Of stochastic gradient descent; of AdamW its beta1.",
    weight_decay="L2 penalty on all weights; of AdamW the decoupled one.",
    precision="bf16, which is fp32 on devices without products of it, or fp32.",
    log_every="Iterations between log points: a row of metrics.csv, a checkpoint.",
    activation_order=f"Where BN and ReLU stand in a block: {', '.join(ORDERS)}.",
    norm="CIFAR family: batch, or none, which puts nothing in the place of batch norm.",
    gate_bias="That a gating shortcut's gates start from. Default: the shortcut's own.",
    plugins="A Python file with a shortcut of your own; may be given several times.",
    family="cifar (three stages), imagenet (four) or, for denoising, dncnn.",
    stem="ImageNet family: imagenet (7x7 and max pooling, the default) or cifar (3x3).",
    stride_on="ImageNet family, bottlenecks: 3x3 (as in torchvision, the default) or 1x1 (as in the paper).",
    scale="Pictures: least and greatest length of the shorter side, pixels, such as 256,480, which is for 224.",
    colour="Pictures: standard deviation of the colour augmentation. Default: 0.1.",
    lr_plateau="Log points without progress until lr is divided by 10; 0: as lr_schedule says.",
    target="Denoising: what the net's branch predicts, the noise or the clean picture: noise or clean.",
    sigma="Denoising: least and greatest standard deviation of the noise, of 255, such as 25,25 or 0,55.",
    patch="Denoising: side of the squares that are cut out of the training pictures, pixels.",
    pretrained="Detection: torchvision's weights to begin with, such as IMAGENET1K_V1, or none.",
)

OPTION_TYPES = {tuple[int, ...]: str, tuple[Plugin, ...]: list[str]}


def field_options(command: Callable) -> Callable:
    """Gives `command`, which takes **values, an option for every RunConfig field: made from the class."""
    own = [p for p in inspect.signature(command).parameters.values() if p.kind is not p.VAR_KEYWORD]
    options = []
    for field in (field for field in fields(RunConfig) if field.name in FIELD_HELP):
        kind = OPTION_TYPES.get(field.type, field.type)
        info = typer.Option(help=FIELD_HELP[field.name] + " Default: the profile's." * (field.name in PAPER))
        annotation = Annotated[kind | None if field.default is FROM_PROFILE else kind, info]
        options.append(
            inspect.Parameter(field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=annotation)
        )
    command.__signature__ = inspect.Signature([*options, *(p.replace(kind=p.KEYWORD_ONLY) for p in own)])
    command.__annotations__ = {p.name: p.annotation for p in command.__signature__.parameters.values()}
    return command
