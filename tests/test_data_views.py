"""Views of pictures against torchvision's transforms, numpy's eigenvectors and the definition of a pure function."""

import numpy as np
import pytest
import torch
import torchvision.transforms as v1
import torchvision.transforms.v2.functional as TF
from PIL import Image

from reslab.data.decoding import decode
from reslab.data.views import COMPONENTS, DEVIATIONS, Views, lighting, shorter_side

from .picture_fixtures import folder, pictures  # noqa: F401

LABELS = torch.tensor([2, 0])


@pytest.fixture
def views(folder):  # noqa: F811
    return Views(str(folder), size=24, scale=(28, 40), seed=7)


@pytest.fixture
def names(pictures):  # noqa: F811
    return pictures.train.names[1], pictures.train.names[20]


def opened(folder, name):  # noqa: F811
    return Image.open(folder / name).convert("RGB")


def test_the_centre_is_what_torchvision_makes_of_a_pil_image(folder, views, names):  # noqa: F811
    images, labels = views.centre(names, LABELS)
    assert images.shape == (2, 24, 24, 3) and images.dtype == torch.uint8 and labels is LABELS
    oracle = v1.Compose([v1.Resize(28), v1.CenterCrop(24), v1.PILToTensor()])
    for image, name in zip(images, names, strict=True):
        # Pillow's own resize, of which torch's is another writing: a step of 255 apart at most.
        difference = image.permute(2, 0, 1).int() - oracle(opened(folder, name)).int()
        assert difference.abs().max() <= 1


def test_ten_crops_are_torchvisions(folder, views, names):  # noqa: F811
    images, labels = views.ten(names, LABELS)
    assert images.shape == (2, 10, 24, 24, 3) and labels is LABELS
    oracle = v1.TenCrop(24)
    for ten, name in zip(images, names, strict=True):
        resized = shorter_side(decode(folder / name), 28)
        assert torch.equal(ten.permute(0, 3, 1, 2), torch.stack(oracle(resized)))


def test_the_shorter_side_is_what_was_asked_for(folder, names):  # noqa: F811
    image = decode(folder / names[0])
    assert image.shape[1] < image.shape[2]
    assert shorter_side(image, 33).shape[1] == 33 and shorter_side(image.mT, 33).shape[2] == 33


def test_a_training_view_is_a_crop_of_the_picture_at_some_scale_or_its_mirror_image(folder, views, names):  # noqa: F811
    image = decode(folder / names[0])
    every = {}
    for side in range(28, 41):
        resized = shorter_side(image, side)
        for top in range(resized.shape[1] - 23):
            for left in range(resized.shape[2] - 23):
                crop = TF.crop(resized, top, left, 24, 24)
                for mirrored in (False, True):
                    shown = TF.horizontal_flip(crop) if mirrored else crop
                    every[shown.numpy().tobytes()] = side, top, left, mirrored
    seen = [
        every[views.training(names[:1], LABELS[:1], iteration, 0)[0][0].permute(2, 0, 1).numpy().tobytes()]
        for iteration in range(200)
    ]
    sides, tops, lefts, mirrors = zip(*seen, strict=True)
    assert set(sides) == set(range(28, 41))  # both ends of the range too
    assert 0 in tops and max(tops) > 10 and 0 in lefts and max(lefts) > 10
    assert 70 < sum(mirrors) < 130


def test_a_view_is_a_function_of_seed_iteration_and_position(views, names):
    def view(iteration, first, of=views):
        return of.training(names[:1], LABELS[:1], iteration, first)[0]

    torch.manual_seed(1)
    before = view(3, 5)
    torch.manual_seed(2)
    assert torch.equal(view(3, 5), before)
    assert torch.equal(views.training((names[1], names[0]), LABELS, 3, 4)[0][1], before[0])  # the 5th of a larger batch
    other = Views(views.root, 24, (28, 40), seed=8)
    assert not any(torch.equal(each, before) for each in (view(4, 5), view(3, 6), view(5, 3), view(3, 5, other)))


def test_lighting_follows_the_principal_components():
    shift = lighting(200_000, 0.1, 1, 2).double()
    assert shift.shape == (200_000, 3) and shift.mean(0).abs().max() < 2e-4
    covariance = np.cov(shift.numpy().T)
    components = np.array(COMPONENTS)
    assert np.allclose(components @ components.T, np.eye(3), atol=2e-3)
    expected = components @ np.diag((0.1 * np.array(DEVIATIONS)) ** 2) @ components.T
    assert np.allclose(covariance, expected, rtol=0.02, atol=2e-7)
    along = shift.numpy() @ components / (0.1 * np.array(DEVIATIONS))
    assert np.allclose((np.abs(along) < 1).mean(0), 0.6827, atol=0.005)  # normal, not merely of that deviation
    assert np.allclose((np.abs(along) < 2).mean(0), 0.9545, atol=0.005)


def test_lighting_is_a_function_of_its_key_and_the_place_in_the_batch():
    assert torch.equal(lighting(8, 0.1, 3, 4), lighting(8, 0.1, 3, 4))
    assert not torch.equal(lighting(8, 0.1, 3, 4), lighting(8, 0.1, 4, 3))
    assert torch.allclose(lighting(8, 0.2, 3, 4), 2 * lighting(8, 0.1, 3, 4))
