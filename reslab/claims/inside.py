"""Claims about what goes on inside a net: their measures are read from what probes found.

V16 is Veit et al. 2016 (1605.06431), L18 is Li et al. 2018 (1712.09913).
"""

from .claim import Arm, Claim, Part, deepest_from, deepest_to, shallow_and_deep

P15, V16, L18 = "He et al. 2015", "Veit et al. 2016", "Li et al. 2018"
HARMLESS, FATAL = 5.0, 10.0  # points of error: of the rise without a block, and of the distance to chance that is left

# Plain nets up to 56 layers, as in the catalogue: one that has not learned anything has nothing to lose either.
TWINS = dict(arms=(Arm("none", 56), Arm("A", 56)), depths=deepest_to(56))

INSIDE = (
    Claim(
        "responses-residual",
        "Layers of a residual net respond more weakly than those of a plain net of the same depth.",
        f"{P15}, section 4.2, figure 7",
        parts=(Part("response", "lower"),),
        note="The standard deviation after batch norm, before ReLU and addition, mean over layers.",
        **TWINS,
    ),
    Claim(
        "responses-deeper",
        "The deeper a residual net, the more weakly its layers respond.",
        f"{P15}, section 4.2, figure 7",
        arms=(Arm("A", 20), Arm("A", 56)),
        parts=(Part("response", "lower"),),
        depths=shallow_and_deep(110),
    ),
    Claim(
        "gradients-healthy",
        "Gradients do not vanish in a deep plain net: before training the layer that gets least gets no less than in a "
        "shallow one, within one decade.",
        f"{P15}, section 4.1",
        arms=(Arm("none", 20), Arm("none", 56)),
        parts=(Part("reach", "not lower"),),
        depths=shallow_and_deep(56),
        margin=1.0,
        note="With batch norm; gradients that grow on their way back are no objection.",
    ),
    Claim(
        "lesions-residual-harmless",
        "Deleting one block of a deep residual net costs little: the error rises by less than 5 points on average.",
        f"{V16}, section 4.1",
        arms=(Arm("A", 56),),
        parts=(Part("lesion", "lower", second=0, against=HARMLESS),),
        depths=deepest_from(56),
        note="Mean over the blocks that keep the shape. Said there of 110 layers; 5 points are our reading of little.",
    ),
    Claim(
        "lesions-plain-fatal",
        "Deleting one block ruins a plain net: the error rises more than in its residual twin, to within 10 points of "
        "chance on average.",
        f"{V16}, section 4.1",
        arms=(Arm("A", 56), Arm("none", 56)),
        parts=(Part("lesion", "higher"), Part("from-chance", "lower", second=1, against=FATAL)),
        depths=deepest_to(56),
        note="Said there of VGG; 10 points are our reading of ruin. What has learned nothing has nothing to lose.",
    ),
    Claim(
        "surface-smoother",
        "Shortcuts smooth the loss surface: less roughness, and less of it curves downwards.",
        f"{L18}, section 6, figures 5 and 7",
        parts=(Part("roughness", "lower"), Part("negative", "lower")),
        note="Around the trained weights, in filter-normalised random directions. What has learned nothing is flat and "
        "counts as smooth.",
        **TWINS,
    ),
)
