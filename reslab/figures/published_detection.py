"""What He et al. 2015 print for detection, and a table of it beside what was measured here."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

import numpy as np

from ..runs import Run
from ..training.config import RunConfig
from .cells import Table, as_table
from .detection_curves import detection_nets
from .nets import Net, what

PAPER = "He et al. 2015"
FIELDS = [field.name for field in fields(RunConfig) if field.name not in ("shortcut", "seed", "gate_bias", "plugins")]


@dataclass(frozen=True)
class Printed:
    """Mean average precision of Faster R-CNN, in percent, with VGG-16 and with ResNet-101."""

    trained: str
    tested: str
    measure: str
    vgg: float
    resnet: float
    table: int


PRINTED = (
    Printed("VOC 07+12", "VOC 07 test", "mAP@.5", 73.2, 76.4, 7),
    Printed("VOC 07++12", "VOC 12 test", "mAP@.5", 70.4, 73.8, 7),
    Printed("COCO train", "COCO val", "mAP@.5", 41.5, 48.4, 8),
    Printed("COCO train", "COCO val", "mAP@[.5,.95]", 21.2, 27.2, 8),
)


def detection_table(runs: Iterable[Run] = ()) -> Table:
    """The paper's tables 7 and 8, VGG-16 -> ResNet-101, and below them the nets of `runs` at their last log point,
    plain -> residual, mean ± std over n seeds: mean average precision in percent.

    The rows are not comparable, and their first columns say why: other nets and depths, other pictures, and there
    weights that were pretrained on ImageNet. Raises ValueError for runs of other tasks.
    """
    rows = [
        _row(f"VGG-16 → ResNet-101 ({PAPER}, table {p.table})", f"ImageNet, then {p.trained}", p.tested, p.measure)
        | _percent([f"{p.vgg:.1f}", f"{p.resnet:.1f}"], p.resnet - p.vgg)
        for p in PRINTED
    ]
    pairs = _pairs([net for net in detection_nets(runs) if net.finished])
    for column, measure in (("map50", "mAP@.5"), ("map", "mAP@[.5,.95]")):
        for pair in pairs:
            label = " → ".join(f"{net.label} (n = {len(net.finished)})" for net in pair)
            trained = f"{what(pair)}, {pair[0].config.iterations:,} iterations"
            means = [float(net.final(column).mean()) for net in pair]
            gain = means[1] - means[0] if len(pair) == 2 else None
            values = [_spread(net.final(column)) for net in pair]
            rows.append(_row(label, trained, pair[0].held_out, measure) | _percent(values, gain))
    return as_table(rows)


def _pairs(nets: Sequence[Net]) -> list[list[Net]]:
    """Nets that differ by their shortcut alone side by side, the plain one first; any other by itself."""
    groups: dict[tuple, list[Net]] = {}
    for net in nets:
        rest = tuple(getattr(net.config, name) for name in FIELDS)
        groups.setdefault(rest, []).append(net)
    plain = [len(group) == 2 and group[0].config.shortcut == "none" for group in groups.values()]
    return [
        part
        for group, whole in zip(groups.values(), plain, strict=True)
        for part in ([group] if whole else [[net] for net in group])
    ]


def _row(nets: str, trained: str, tested: str, measure: str) -> dict[str, str]:
    return {"nets": nets, "trained on": trained, "tested on": tested, "measure": measure}


def _percent(values: Sequence[str], gain: float | None) -> dict[str, str]:
    told = "" if gain is None else f"{round(gain, 1) + 0.0:+.1f}".replace("-", "−")  # no −0.0
    return {"percent": " → ".join(values), "gain": told}


def _spread(values: np.ndarray) -> str:
    return f"{values.mean():.1f}" + (f" ± {values.std(ddof=1):.1f}" if len(values) > 1 else "")
