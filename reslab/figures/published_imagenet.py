"""ImageNet errors printed in He et al. 2015, to hold an evaluation against; comparable with nothing but ImageNet's val
pictures under the same recipe and the same views.
"""

from dataclasses import dataclass, fields

from ..training.config import RunConfig

INDIFFERENT = ("seed", "precision", "log_every")  # fields that may differ from the paper's recipe
COMPARABLE = "comparable only for ImageNet's val pictures, 10 views and the paper's recipe"


@dataclass(frozen=True)
class Errors:
    """On ImageNet's val pictures, in percent; None where the paper prints none."""

    top1: float
    top5: float | None = None


# By (shortcut, depth). Table 3, and table 2 for top-1 errors of the 18-layer nets: ten crops of one model. Nets of 50
# layers and more have option B there.
TEN_CROPS = {
    ("none", 18): Errors(27.94),
    ("A", 18): Errors(27.88),
    ("none", 34): Errors(28.54, 10.02),
    ("A", 34): Errors(25.03, 7.76),
    ("B", 34): Errors(24.52, 7.46),
    ("C", 34): Errors(24.19, 7.40),
    ("B", 50): Errors(22.85, 6.71),
    ("B", 101): Errors(21.75, 6.05),
    ("B", 152): Errors(21.43, 5.71),
}
# Table 4: one model, fully convolutional at several scales. What reslab evaluates is not this.
MULTI_SCALE = {
    ("B", 34): Errors(21.84, 5.71),
    ("C", 34): Errors(21.53, 5.60),
    ("B", 50): Errors(20.74, 5.25),
    ("B", 101): Errors(19.87, 4.60),
    ("B", 152): Errors(19.38, 4.49),
}


def paper_name(shortcut: str, depth: int) -> str:
    """What the paper calls a net: plain-34, ResNet-34 A."""
    return f"plain-{depth}" if shortcut == "none" else f"ResNet-{depth} {shortcut}"


def published_imagenet(config: RunConfig) -> Errors | None:
    """The paper's ten-crop errors of this net; None where it prints none or the run is not its recipe on ImageNet."""
    if config.profile != "imagenet-paper" or config.dataset != "imagenet" or config.plugins:
        return None
    recipe = RunConfig(config.depth, config.shortcut, "imagenet-paper")
    names = (field.name for field in fields(RunConfig) if field.name not in INDIFFERENT)
    same = all(getattr(config, name) == getattr(recipe, name) for name in names)
    return TEN_CROPS.get((config.shortcut, config.depth)) if same else None
