"""Error rates of others, to hold the paper profile on CIFAR-10 against; nothing else is comparable with them.

He et al. 2015 tabulate residual nets (table 6). They draw plain-20 and plain-56 but do not tabulate them, so those have
no paper value here.
"""

from dataclasses import dataclass, fields

from ..training.config import RunConfig

TABLE_6 = "He et al. 2015, table 6"
TABLE_1 = "He et al. 2016, table 1, median of 5"
TABLE_2 = "He et al. 2016, table 2, median of 5"
INDIFFERENT = ("seed", "precision", "log_every")  # fields that may differ from the paper's recipe


@dataclass(frozen=True)
class Published:
    """Errors in percent at the end of the paper's 64k iterations."""

    expected: tuple[float, float] | None = None  # test error between which a run should end
    source: str = ""  # of that range
    paper: float | None = None  # test error printed by He et al.
    table: str = TABLE_6  # where it is printed
    training: float | None = None  # running training error, from one independent source


# Nets of 110 layers with another shortcut, by (shortcut, gate bias), and with another order. What the paper calls
# "fail" has no number and is told in words alone.
SHORTCUT_110 = {
    ("scaled-both", None): 12.35,
    ("exclusive-gating", -6.0): 8.70,
    ("exclusive-gating", -7.0): 9.81,
    ("shortcut-gating", 0.0): 12.86,
    ("shortcut-gating", -6.0): 6.91,
    ("conv1x1", None): 12.22,
}
FAIL = "fail (> 20 %)"
FAIL_110 = [("none", None), ("scaled", None), ("dropout", None), *(("exclusive-gating", -bias) for bias in range(6))]
ORDER_110 = {
    "bn-after-addition": 8.17,
    "relu-before-addition": 7.84,
    "relu-only-preactivation": 6.71,
    "full-preactivation": 6.37,
}

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
    if not _is_the_papers(config):
        return None
    if config.activation_order != "original":
        known = config.shortcut == "A" and config.depth == 110
        return Published(paper=ORDER_110[config.activation_order], table=TABLE_2) if known else None
    if config.depth == 110 and (config.shortcut, config.gate_bias) in SHORTCUT_110:
        return Published(paper=SHORTCUT_110[config.shortcut, config.gate_bias], table=TABLE_1)
    return PUBLISHED.get((config.shortcut, config.depth))


def published_text(config: RunConfig, measure: str = "test") -> str:
    """What others got, in words, as the final "test" or "training" error; "" where nothing comparable is known."""
    values = published(config)
    if measure == "training":
        known = values is not None and values.training is not None
        return f"independent: {values.training:.2f} (1 source)" if known else ""
    if measure != "test":
        return ""
    if values is not None:
        return values.source or f"{values.table}: {values.paper:.2f}"
    fails = config.depth == 110 and (config.shortcut, config.gate_bias) in FAIL_110
    fails = fails and config.activation_order == "original" and _is_the_papers(config)
    return f"{TABLE_1}: {FAIL}" + "; 2015: > 60 %" * (config.shortcut == "none") if fails else ""


def _is_the_papers(config: RunConfig) -> bool:
    """Whether it is the paper's recipe, data and test set."""
    if config.profile != "paper" or config.family != "cifar" or config.block != "basic" or config.plugins:
        return False
    net = {name: getattr(config, name) for name in ("depth", "shortcut", "activation_order", "gate_bias")}
    recipe = RunConfig(**net, profile="paper")
    names = (field.name for field in fields(RunConfig) if field.name not in INDIFFERENT)
    return all(getattr(config, name) == getattr(recipe, name) for name in names)
