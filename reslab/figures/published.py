"""Error rates of others, to hold the paper profile on CIFAR-10 against; nothing else is comparable with them.

He et al. 2015 tabulate residual nets (table 6). They draw plain-20 and plain-56 but do not tabulate them, so those have
no paper value here.
"""

from dataclasses import dataclass, fields

from ..training.config import RunConfig

TABLE_6 = "He et al. 2015, table 6"
INDIFFERENT = ("seed", "precision", "log_every")  # fields that may differ from the paper's recipe


@dataclass(frozen=True)
class Published:
    """Errors in percent at the end of the paper's 64k iterations."""

    expected: tuple[float, float] | None = None  # test error between which a run should end
    source: str = ""  # of that range
    paper: float | None = None  # test error printed by He et al.
    training: float | None = None  # running training error, from one independent source


# By (shortcut, depth).
PUBLISHED = {
    ("none", 20): Published((9.5, 9.8), "independent: 9.78 ± 0.13 (5 seeds), 9.5, 9.74 (1 seed each)", training=1.21),
    ("none", 32): Published((9.9, 10.5), "independent: 9.92, 10.41 (1 seed each)"),
    ("none", 44): Published((11.3, 11.8), "independent: 11.35, 11.73 (1 seed each)"),
    ("none", 56): Published(
        (11.9, 13.0), "independent: 12.95 ± 0.22 (5 seeds), 12.76, 11.86 (1 seed each)", training=4.36
    ),
    ("A", 20): Published((8.0, 9.2), f"{TABLE_6}: 8.75; independent: 8.51 ± 0.22 (5 seeds)", 8.75, 1.13),
    ("A", 32): Published(paper=7.51),
    ("A", 44): Published(paper=7.17),
    ("A", 56): Published((6.6, 7.4), f"{TABLE_6}: 6.97; independent: 7.40 ± 0.27 (5 seeds)", 6.97, 0.11),
    ("A", 110): Published((6.45, 7.34), f"{TABLE_6}: 6.43, 6.61 ± 0.16; independent: 7.14 ± 0.20 (5 seeds)", 6.43),
    ("A", 1202): Published(paper=7.93),
}


def published(config: RunConfig) -> Published | None:
    """What others got with this net; None where nothing is known or the run is not the paper's recipe and test set."""
    if config.profile != "paper" or config.block != "basic" or config.plugins:
        return None
    recipe = RunConfig(depth=config.depth, shortcut=config.shortcut, profile="paper")
    names = (field.name for field in fields(RunConfig) if field.name not in INDIFFERENT)
    same = all(getattr(config, name) == getattr(recipe, name) for name in names)
    return PUBLISHED.get((config.shortcut, config.depth)) if same else None
