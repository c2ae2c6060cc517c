"""Units of what is measured: how a number, and a difference of two, is written."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Unit:
    """`number` stands behind a number, `difference` behind a difference of two; "" where there is nothing to say."""

    number: str
    difference: str
    axis: str  # what an axis of differences is called; differences of one name share an axis
    decimals: int = 2

    def value(self, mean: float, std: float | None = None) -> str:
        """9.20 ± 0.20 %."""
        spread = f" ± {std:.{self.decimals}f}" if std is not None else ""
        return _minus(f"{mean:z.{self.decimals}f}{spread} {self.number}".rstrip())

    def change(self, effect: float) -> str:
        """+3.30, without the unit."""
        return _minus(f"{effect:+.{self.decimals}f}")

    def range(self, interval: tuple[float, float]) -> str:
        """[+2.78, +7.22], without the unit."""
        return f"[{', '.join(map(self.change, interval))}]"

    def amount(self, size: float) -> str:
        """Of a difference that was agreed on beforehand: 0.5 points, 1 decade."""
        word = self.difference.removesuffix("s") if size == 1 else self.difference
        return f"{size:g} {word}".rstrip()


def _minus(text: str) -> str:
    return text.replace("-", "−")


PERCENT = Unit("%", "points", "percentage points")
POINTS = Unit("points", "points", "percentage points")  # of a measure that is a difference itself
DECADES = Unit("decades", "decades", "decades")
DECIBELS = Unit("dB", "dB", "decibels")
