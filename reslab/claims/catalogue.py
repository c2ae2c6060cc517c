"""Every claim that runs are put to. P15 is He et al. 2015 (1512.03385), P16 is He et al. 2016 (1603.05027)."""

from .claim import Arm, Claim, Part, deepest_from, shallow_and_deep, shallowest
from .inside import INSIDE
from .reading import not_overfitting
from .tasks import TASKS

P15, P16 = "He et al. 2015", "He et al. 2016"
FAILS = "It does not train in the paper: error above 20 %."
DISSENT = (
    "A public replication dissents: it finds 93.75 % accuracy for ResNet-110 and 93.96 % for a gated net of 110 layers."
)

# Plain nets up to 56 layers, as in figure 6: deeper ones hardly train, which is a claim of its own.
PLAIN = dict(arms=(Arm("none", 20), Arm("none", 56)), depths=shallow_and_deep(56))

DEPTH = (
    Claim(
        "degradation-training",
        "A deeper plain net ends with a higher training error.",
        f"{P15}, sections 1 and 4.2, figure 6",
        parts=(Part("training", "higher"),),
        **PLAIN,
    ),
    Claim(
        "degradation-test",
        "A deeper plain net ends with a higher test error.",
        f"{P15}, sections 1 and 4.2, figure 6",
        parts=(Part("test", "higher"),),
        **PLAIN,
    ),
    Claim(
        "not-overfitting",
        "That is not overfitting: the deeper plain net's training error is higher too.",
        f"{P15}, section 1",
        parts=(Part("training", "higher"), Part("test", "higher")),
        reading=not_overfitting,
        note="Contradicted if the training error is lower while the test error is higher.",
        **PLAIN,
    ),
    Claim(
        "residual-gains-from-depth",
        "A deeper residual net ends with a lower test error.",
        f"{P15}, section 4.2, table 6",
        arms=(Arm("A", 20), Arm("A", 56)),
        parts=(Part("test", "lower"),),
        depths=shallow_and_deep(110),
        note="Up to 110 layers: with 1202 the paper's test error rises again.",
    ),
    Claim(
        "residual-faster-early",
        "A shallow residual net trains faster early on: its training error is lower over the first eighth of training.",
        f"{P15}, section 4.1",
        arms=(Arm("none", 20), Arm("A", 20)),
        parts=(Part("early", "lower"),),
        depths=shallowest,
        note="Said there of 18 layers on ImageNet.",
    ),
    Claim(
        "depth-110-trains",
        "With shortcuts 110 layers train, where the plain net does not: the training error is lower.",
        f"{P15}, section 4.2",
        arms=(Arm("none", 110), Arm("A", 110)),
        parts=(Part("training", "lower"),),
        depths=deepest_from(110),
    ),
    Claim(
        "option-order",
        "Projections help a little: option B ends below A, and C below B.",
        f"{P15}, section 4.1, table 3",
        arms=tuple(Arm(option, 56) for option in "ABC"),
        parts=(Part("test", "lower", 0, 1), Part("test", "lower", 1, 2)),
        note="Measured there on ImageNet only, with 34 layers.",
    ),
)

EXACT = (
    Claim(
        "parameters-equal",
        "A plain net and its residual twin with option A have the same number of parameters.",
        f"{P15}, sections 3.2 and 4.2, table 6",
    ),
    Claim(
        "bottleneck-arithmetic",
        "Between 256 channels a bottleneck has 69,632 weights and two 3×3 convolutions 1,179,648, 16.94 times as many.",
        f"{P15}, figure 5; the articles",
    ),
)

PRECISION = (
    Claim(
        "precision-bf16",
        "bfloat16 costs nothing against float32: the test errors are within 0.5 points of each other.",
        "reslab, which trains in bfloat16 where the device has it, unless told otherwise",
        arms=(Arm("A", 20, precision="fp32"), Arm("A", 20, precision="bf16")),
        parts=(Part("test", "same"),),
    ),
)

ORIGINAL = Arm("A")


def _against_original(name: str, statement: str, table: int, arm: Arm, expected: str = "higher", note: str = ""):
    arms, parts = (ORIGINAL, arm), (Part("test", expected),)
    return Claim(name, statement, f"{P16}, table {table}", arms, parts, note=note)


def _shortcut(name: str, what: str, arm: Arm, note: str = ""):
    statement = f"{what} on every shortcut is worse than the identity: the test error is higher."
    return _against_original(f"shortcut-{name}", statement, 1, arm, note=note)


def _order(order: str, what: str, expected: str):
    than = dict(higher="worse than", lower="better than", same="about as good as")[expected]
    end = dict(higher="higher", lower="lower", same="within 0.5 points")[expected]
    statement = f"{what} is {than} the original order: the test error is {end}."
    return _against_original(f"order-{order}", statement, 2, Arm(activation_order=order), expected)


SHORTCUTS = (
    _against_original(
        "shortcut-plain",
        "A net without shortcuts is worse than one with the identity: the test error is higher.",
        1,
        Arm("none"),
        note=FAILS,
    ),
    _shortcut("scaled", "The factor 0.5", Arm("scaled"), FAILS),
    _shortcut("scaled-both", "The factor 0.5, and 0.5 on the residual,", Arm("scaled-both")),
    Claim(
        "shortcut-exclusive-gating",
        "An exclusive gate on every shortcut, starting from a bias of 0 to −5, is worse than the identity.",
        f"{P16}, table 1",
        arms=(ORIGINAL, *(Arm("exclusive-gating", gate_bias=float(-bias)) for bias in range(6))),
        parts=tuple(Part("test", "higher", 0, arm) for arm in range(1, 7)),
        some=True,
        note=f"{FAILS} {DISSENT}",
    ),
    _shortcut("exclusive-gating-6", "An exclusive gate (bias −6)", Arm("exclusive-gating", gate_bias=-6.0), DISSENT),
    _shortcut("exclusive-gating-7", "An exclusive gate (bias −7)", Arm("exclusive-gating", gate_bias=-7.0), DISSENT),
    _shortcut("gating-0", "A gate (bias 0)", Arm("shortcut-gating", gate_bias=0.0)),
    _shortcut("gating-6", "A gate (bias −6)", Arm("shortcut-gating", gate_bias=-6.0)),
    _shortcut("conv1x1", "A 1×1 convolution", Arm("conv1x1")),
    _shortcut("dropout", "Dropout of 0.5", Arm("dropout"), FAILS),
)

ORDERS = (
    _order("bn-after-addition", "Batch norm after the addition", "higher"),
    _order("relu-before-addition", "ReLU before the addition", "higher"),
    _order("relu-only-preactivation", "ReLU alone before each convolution", "same"),
    _order("full-preactivation", "Batch norm and ReLU before each convolution", "lower"),
)

CLAIMS = {claim.name: claim for claim in (*DEPTH, *INSIDE, *EXACT, *PRECISION, *SHORTCUTS, *ORDERS, *TASKS)}
