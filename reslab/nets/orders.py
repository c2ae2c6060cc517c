"""Where batch norm and ReLU stand in a block: the five orders of He et al. 2016 (1603.05027), figure 4 and table 2."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Order:
    """`steps` are the layers that belong to one convolution, in order; the last `after` layers of the block come after
    the shortcut's merge. `formula` is LaTeX.
    """

    formula: str
    sentence: str
    source: str
    steps: tuple[str, str, str] = ("conv", "bn", "relu")
    after: int = 0

    @property
    def leading(self) -> tuple[str, ...]:
        """The layers before a convolution, () unless this is a pre-activation."""
        return self.steps[: self.steps.index("conv")]

    def arrangement(self, convolutions: int) -> tuple[list[str], list[str]]:
        """Names of the layers of F and of those after the merge, such as (["conv1", "bn1", ...], ["relu2"])."""
        names = [f"{step}{i + 1}" for i in range(convolutions) for step in self.steps]
        return names[: len(names) - self.after], names[len(names) - self.after :]


ORDERS = {
    "original": Order(
        r"y = \mathrm{ReLU}(\mathcal{F}(x) + x)",
        "BN after each convolution, the last ReLU after the addition: the shortcut meets a ReLU in every block.",
        "He et al. 2015, figure 2; He et al. 2016, figure 4a",
        after=1,
    ),
    "bn-after-addition": Order(
        r"y = \mathrm{ReLU}(\mathrm{BN}(\mathcal{F}(x) + x))",
        "The last BN after the addition too: it rescales the shortcut in every block, and impedes it.",
        "He et al. 2016, figure 4b",
        after=2,
    ),
    "relu-before-addition": Order(
        r"y = \mathrm{ReLU}(\mathcal{F}(x)) + x",
        "The last ReLU before the addition: a residual that can only add, so signals only grow.",
        "He et al. 2016, figure 4c",
    ),
    "relu-only-preactivation": Order(
        r"y = \mathcal{F}(\mathrm{ReLU}(x)) + x",
        "ReLU before each convolution, BN after it: a clean shortcut, but the ReLU sees what no BN has normalised.",
        "He et al. 2016, figure 4d",
        steps=("relu", "conv", "bn"),
    ),
    "full-preactivation": Order(
        r"y = \mathcal{F}(\mathrm{ReLU}(\mathrm{BN}(x))) + x",
        "BN and ReLU before each convolution: nothing but additions on the way from the first block to the last.",
        "He et al. 2016, figure 4e",
        steps=("bn", "relu", "conv"),
    ),
}


def check_order(name: str) -> None:
    """Raises ValueError, listing what is allowed, for an unknown order."""
    if name not in ORDERS:
        raise ValueError(f"activation_order={name!r} is unknown; allowed: {', '.join(ORDERS)}")
