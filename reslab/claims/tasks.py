"""Claims about other tasks than classification, to which the runs of their own task alone are put."""

from .claim import Arm, Claim, Part

TASKS = (
    Claim(
        "residual-detects",
        "A residual net finds more than a plain one of the same depth: in Faster R-CNN it ends with a higher mAP@.5.",
        "He et al. 2015, section 4.3 and appendix A",
        arms=(Arm("none", 18), Arm("A", 18)),
        parts=(Part("map50", "higher"),),
        note="Said there of ResNet-101 against VGG-16, both from ImageNet. Here it is the shortcut alone, at one "
        "depth, from random weights.",
        task="detection",
    ),
    Claim(
        "noise-is-easier",
        "Predicting the noise is easier than the clean picture: after as many iterations the PSNR is higher.",
        "Zhang et al. 2017, section III",
        arms=(Arm("none", 17, target="clean"), Arm("none", 17, target="noise")),
        parts=(Part("psnr", "higher"),),
        note="Plain layers, and the same noise, loss, optimizer and learning rate.",
        task="denoising",
    ),
)
