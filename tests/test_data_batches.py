"""Batches against torchvision's functional operations, and against their own definition: no state."""

import pytest
import torch
import torchvision.transforms.v2.functional as TF

from reslab.data.batches import Batches, crop_and_mirror, resize, split
from reslab.data.draws import draws, permutation


def images(count=40, size=32):
    return (draws(count * 3 * size * size, 99) % 256).to(torch.uint8).view(count, 3, size, size)


def test_draws_are_splitmix64():
    # The first outputs of the reference implementation with seed 0 (Vigna's splitmix64.c), top 62 bits.
    reference = [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]
    assert draws(3).tolist() == [word >> 2 for word in reference]


def test_draws_depend_on_the_whole_key():
    keys = [(), (0,), (1,), (0, 1), (1, 0), (0, 0, 1)]
    assert len({tuple(draws(4, *key).tolist()) for key in keys}) == len(keys)


def test_draws_are_uniform():
    counts = (draws(90_000, 5) % 9).bincount()
    assert ((counts - 10_000) ** 2 / 10_000).sum() < 26.1  # chi-squared, 8 degrees of freedom, p = 0.001


def test_permutations():
    first, second = permutation(1000, 1), permutation(1000, 2)
    assert first.sort().values.tolist() == list(range(1000))
    assert not torch.equal(first, second)
    assert torch.equal(first, permutation(1000, 1))


@pytest.mark.parametrize("pad", [4, 2])
def test_crop_and_mirror_as_torchvision_does_them(pad):
    batch = images(16).float()
    top, left = draws(32, 7).view(2, 16) % (2 * pad + 1)
    mirror = draws(16, 8) % 2 == 1
    ours = crop_and_mirror(batch.permute(0, 2, 3, 1), top, left, mirror, pad).permute(0, 3, 1, 2)
    for image, y, x, m, result in zip(batch, top.tolist(), left.tolist(), mirror.tolist(), ours, strict=True):
        expected = TF.crop(TF.pad(image, [pad]), y, x, 32, 32)
        assert torch.equal(result, TF.horizontal_flip(expected) if m else expected)


def test_squares_are_cut_out_as_torchvision_does_it():
    batch = images(16).float()
    top, left = draws(32, 7).view(2, 16) % 21
    mirror = draws(16, 8) % 2 == 1
    ours = crop_and_mirror(batch.permute(0, 2, 3, 1), top, left, mirror, side=12).permute(0, 3, 1, 2)
    for image, y, x, m, result in zip(batch, top.tolist(), left.tolist(), mirror.tolist(), ours, strict=True):
        expected = TF.crop(image, y, x, 12, 12)
        assert torch.equal(result, TF.horizontal_flip(expected) if m else expected)


def test_a_batch_is_its_images_minus_the_mean_cropped():
    data, labels = images(40), torch.arange(40)
    batches = Batches(data, labels, batch=8, seed=3, device="cpu")
    made, made_labels = batches(0)
    assert made.shape == (8, 3, 32, 32) and made.is_contiguous(memory_format=torch.channels_last)
    mean = data.double().mean(0)
    for image, label in zip(made, made_labels.tolist(), strict=True):
        source = TF.pad(((data[label].double() - mean) / 255).float(), [4])
        views = [TF.crop(source, y, x, 32, 32) for y in range(9) for x in range(9)]
        assert any(
            torch.allclose(image, view, atol=1e-6) or torch.allclose(image, view.flip(-1), atol=1e-6) for view in views
        )


def test_iterations_and_seeds_differ():
    batches = Batches(images(40), torch.arange(40), batch=8, seed=0, device="cpu")
    assert not torch.equal(batches(0)[0], batches(5)[0])
    assert not torch.equal(batches(0)[0], Batches(images(40), torch.arange(40), 8, 1, "cpu")(0)[0])


def test_an_epoch_sees_every_image_once():
    batches = Batches(images(40), torch.arange(40), batch=8, seed=0, device="cpu")
    assert batches.per_epoch == 5
    epochs = [torch.cat([batches.indices(5 * e + i) for i in range(5)]).tolist() for e in range(2)]
    assert sorted(epochs[0]) == sorted(epochs[1]) == list(range(40))
    assert epochs[0] != epochs[1]


def test_batches_have_no_state():
    forwards = Batches(images(40), torch.arange(40), batch=8, seed=0, device="cpu")
    backwards = Batches(images(40), torch.arange(40), batch=8, seed=0, device="cpu")
    in_order = [forwards(i)[0] for i in range(12)]
    reverse = [backwards(i)[0] for i in reversed(range(12))]
    assert all(torch.equal(a, b) for a, b in zip(in_order, reversed(reverse), strict=True))


def test_resize_is_average_pooling():
    small = resize(images(4), 16)
    window = images(4)[1, 2, 6:8, 10:12].double()
    assert small.shape == (4, 3, 16, 16) and small.dtype == torch.uint8
    assert abs(small[1, 2, 3, 5].item() - window.mean().item()) <= 0.5


def test_validation_split_is_fixed_and_disjoint():
    kept, held_out = split(50, 10)
    assert sorted(kept.tolist() + held_out.tolist()) == list(range(50))
    assert len(held_out) == 10 and torch.equal(split(50, 10)[1], held_out)


@pytest.mark.gpu
def test_the_gpu_makes_the_same_batches():
    cpu, gpu = (Batches(images(40), torch.arange(40), 8, 0, device) for device in ("cpu", "cuda"))
    for iteration in (0, 7):
        assert torch.equal(cpu(iteration)[1], gpu(iteration)[1].cpu())
        torch.testing.assert_close(cpu(iteration)[0], gpu(iteration)[0].cpu(), atol=1e-6, rtol=0)
