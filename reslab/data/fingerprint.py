"""The identity of a split: the same whatever files, and whatever order, its images came in.

Each example has a digest, SHA-256 of (one label byte + the image's bytes in CHW order). The split's fingerprint is the
SHA-256 of the sorted digests, and the sorted digests are also the order in which reslab keeps the examples: a run's
data order, and so its result, does not depend on how the user's copy was packed.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import torch

from . import DataError


@dataclass(frozen=True)
class Split:
    """One split in canonical order: images uint8 [N, 3, H, W], labels int64 [N], and the fingerprint as 64 hexadecimal
    digits.
    """

    images: torch.Tensor
    labels: torch.Tensor
    fingerprint: str


def canonical(images: torch.Tensor, labels: torch.Tensor) -> Split:
    """Sort examples by their digests and fingerprint them: images uint8 [N, 3, H, W], labels integers [N] below 256."""
    assert images.dtype == torch.uint8 and len(images) == len(labels)
    digests = [
        hashlib.sha256(bytes((label,)) + image.tobytes()).digest()
        for image, label in zip(images.cpu().numpy(), labels.tolist(), strict=True)
    ]
    # Equal digests mean equal examples, so ties cannot make the order ambiguous.
    order = sorted(range(len(digests)), key=digests.__getitem__)
    fingerprint = hashlib.sha256(b"".join(digests[i] for i in order)).hexdigest()
    index = torch.tensor(order, dtype=torch.int64)
    return Split(images[index], labels[index].to(torch.int64), fingerprint)


def verify(found: Mapping[str, Split], expected: Mapping[str, str], where: str) -> None:
    """Raise DataError for the first split whose fingerprint is not the `expected` one; `where` is what was read."""
    for name, fingerprint in expected.items():
        split = found[name]
        if split.fingerprint != fingerprint:
            raise DataError(
                f"the {name} split in {where} is not the known one: its {len(split.images)} images have the "
                f"fingerprint {split.fingerprint[:16]}... instead of {fingerprint[:16]}..., so at least one pixel or "
                f"label was changed; replace it by an unchanged copy"
            )
