"""How many anchors, proposals and RoIs a picture gets: the published numbers, fewer in smaller pictures."""

from dataclasses import dataclass

SIDE = 600  # shorter side, in pixels, of the pictures that the published numbers are for


@dataclass(frozen=True)
class Budget:
    """What is sampled and kept a picture. Ren et al. 2015 (1506.01497): 256 anchors (section 3.1), 2,000 proposals in
    training and 300 in evaluation (3.3). Girshick 2015 (1504.08083), section 2.3: 128 RoIs from two pictures, a quarter
    of them on objects.
    """

    anchors: int = 256  # sampled for the loss of the region proposal network, at most half of them on objects
    candidates: int = 6000  # with the best scores, before non-maximum suppression
    proposals: int = 2000  # after it, of which RoIs are sampled
    proposals_tested: int = 300  # after it, in evaluation, where all are RoIs
    rois: int = 64  # sampled for the loss of the head, which costs the most: a quarter on objects

    @classmethod
    def of(cls, image_size: int) -> "Budget":
        """In proportion to the shorter side, with a floor: a small picture has fewer places, but objects too."""
        share = min(1.0, image_size / SIDE)
        floors = dict(anchors=32, candidates=256, proposals=128, proposals_tested=32, rois=16)
        return cls(**{name: max(least, round(getattr(cls, name) * share)) for name, least in floors.items()})
