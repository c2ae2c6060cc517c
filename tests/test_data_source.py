"""Batches of pictures: order, mean and normalisation against hand computation; the same bits however they are made."""

import gc
import hashlib
import shutil

import numpy as np
import pytest
import torch
import torchvision.transforms as v1
from PIL import Image

from reslab.data import DataError
from reslab.data.batches import ORDER, Batches, split
from reslab.data.decoding import decode
from reslab.data.draws import permutation
from reslab.data.pictures import open_pictures
from reslab.data.source import MEAN, MEAN_PICTURES
from reslab.data.views import COLOUR, Views, lighting, shorter_side

from .picture_fixtures import folder, make_source, pictures  # noqa: F401


@pytest.fixture
def source(pictures):  # noqa: F811
    made = make_source(pictures)
    yield made
    made.close()


def centre(path):
    """The test view in numpy: [24, 24, 3]."""
    image = shorter_side(decode(path), 28)
    return v1.CenterCrop(24)(image).permute(1, 2, 0).numpy().astype(float)


def test_the_mean_is_that_of_the_central_crops(folder, source):  # noqa: F811
    assert len(source.train.names) < MEAN_PICTURES
    oracle = np.mean([centre(folder / name) for name in source.train.names], axis=0)
    assert source.mean.shape == (24, 24, 3) and source.mean.dtype == torch.float32
    assert np.abs(source.mean.numpy() - oracle).max() < 1e-4


def test_the_mean_is_of_some_pictures_and_kept(folder, pictures, cache, monkeypatch):  # noqa: F811
    monkeypatch.setattr("reslab.data.source.MEAN_PICTURES", 5)
    small = make_source(pictures, size=20, scale=(22, 30))
    some = permutation(len(small.train.names), MEAN)[:5].tolist()
    images = [v1.CenterCrop(20)(shorter_side(decode(folder / small.train.names[i]), 22)) for i in some]
    oracle = torch.stack(images).double().mean(0).permute(1, 2, 0)
    assert (small.mean - oracle).abs().max() < 1e-4
    (kept,) = cache.glob(f"pictures/{pictures.stamp}-0-20-22.mean")
    monkeypatch.setattr("reslab.data.source.PictureSource._mean", None)  # nothing to make it with
    assert torch.equal(make_source(pictures, size=20, scale=(22, 30)).mean, small.mean)
    kept.unlink()


def test_the_order_is_that_of_tensors(pictures, source):  # noqa: F811
    oracle = Batches(torch.zeros(42, 3, 8, 8, dtype=torch.uint8), pictures.train.labels, 8, 0, "cpu")
    assert source.per_epoch == oracle.per_epoch == 5
    for iteration in (0, 1, 4, 5, 12):
        assert torch.equal(source.indices(iteration), oracle.indices(iteration))
        assert torch.equal(source.batch(iteration)[1], oracle(iteration)[1])
    assert torch.equal(source.indices(5), permutation(42, 0, ORDER, 1)[:8])


def test_a_batch_is_its_views_less_the_mean_plus_the_light(folder, source):  # noqa: F811
    images, labels = source.batch(6)
    assert images.shape == (8, 3, 24, 24) and images.dtype == torch.float32 and labels.dtype == torch.int64
    assert images.is_contiguous(memory_format=torch.channels_last)
    chosen, light = source.indices(6).tolist(), lighting(8, 0.1, 0, COLOUR, 6)
    assert light.abs().max() > 0.01
    views = Views(str(folder), 24, (28, 40), 0)
    for position, index in enumerate(chosen):
        name, label = source.train.names[index], source.train.labels[index]
        view = views.training([name], label[None], 6, position)[0][0]
        oracle = (view.double() - source.mean.double()) / 255 + light[position].double()
        assert torch.allclose(images[position].permute(1, 2, 0).double(), oracle, atol=1e-6)
        assert labels[position] == label


def test_without_colour(pictures, source):  # noqa: F811
    plain = make_source(pictures, colour=0.0)
    light = lighting(8, 0.1, 0, COLOUR, 3)[:, :, None, None]
    assert torch.allclose(plain.batch(3)[0] + light, source.batch(3)[0], atol=1e-6)


def test_workers_shares_and_stops_change_no_bit(pictures, source):  # noqa: F811
    wanted = {iteration: source.batch(iteration) for iteration in range(8)}
    two, second = make_source(pictures, workers=2), make_source(pictures, share=(1, 2), workers=1)
    first = make_source(pictures, share=(0, 2))
    for iteration in (0, 1, 2, 6, 7, 3):  # going on, and begun anew elsewhere
        images, labels = wanted[iteration]
        for made in ([two.batch(iteration)], [first.batch(iteration), second.batch(iteration)]):
            assert torch.equal(torch.cat([part for part, _ in made]), images)
            assert torch.equal(torch.cat([part for _, part in made]), labels)
    # An evaluation in between takes the same workers.
    held_out = list(two.held_out())
    assert torch.equal(two.batch(4)[0], wanted[4][0])
    for (ours, labels), (oracle, same) in zip(held_out, source.held_out(), strict=True):
        assert torch.equal(ours, oracle) and torch.equal(labels, same)
    for made in (two, first, second):
        made.close()


def test_shares_of_a_batch_that_cannot_be_halved_are_still_all_of_it(pictures):  # noqa: F811
    whole = make_source(pictures, batch=7)
    parts = [make_source(pictures, batch=7, share=(rank, 3)) for rank in range(3)]
    assert torch.equal(torch.cat([part.batch(2)[0] for part in parts]), whole.batch(2)[0])


def test_seeds_differ_and_epochs_are_shuffled(pictures, source):  # noqa: F811
    other = make_source(pictures, seed=1)
    assert not torch.equal(other.indices(0), source.indices(0))
    epochs = [torch.cat([source.indices(5 * epoch + i) for i in range(5)]).tolist() for epoch in (0, 1)]
    assert len(set(epochs[0])) == len(set(epochs[1])) == 40 and epochs[0] != epochs[1]


def test_held_out_pictures_in_order_single_and_ten_crops(folder, pictures, source, monkeypatch):  # noqa: F811
    monkeypatch.setattr("reslab.data.source.HELD_OUT_BATCH", 20)
    names = pictures.held_out.names
    single, ten = list(source.held_out()), list(source.held_out(views=10))
    assert [len(labels) for _, labels in single] == [15] and [len(labels) for _, labels in ten] == [2] * 7 + [1]
    for batches in (single, ten):
        assert torch.equal(torch.cat([labels for _, labels in batches]), pictures.held_out.labels)
    single, ten = torch.cat([images for images, _ in single]), torch.cat([images for images, _ in ten])
    assert single.shape == (15, 3, 24, 24) and ten.shape == (15, 10, 3, 24, 24)
    mean = source.mean.permute(2, 0, 1)
    for images, crops, name in zip(single, ten, names, strict=True):
        resized = shorter_side(decode(folder / name), 28)
        assert torch.allclose(images, (v1.CenterCrop(24)(resized).float() - mean) / 255, atol=1e-6)
        oracle = torch.stack(v1.TenCrop(24)(resized))
        assert torch.allclose(crops, (oracle.float() - mean) / 255, atol=1e-6)


def test_processes_share_the_held_out_pictures(pictures, source, monkeypatch):  # noqa: F811
    monkeypatch.setattr("reslab.data.source.HELD_OUT_BATCH", 4)
    ours = [list(make_source(pictures, share=(rank, 3)).held_out()) for rank in range(3)]
    assert [len(batches) for batches in ours] == [2, 1, 1]
    for number, (images, labels) in enumerate(source.held_out()):
        part, part_labels = ours[number % 3][number // 3]
        assert torch.equal(part, images) and torch.equal(part_labels, labels)


def test_another_normalisation(source):
    ((images, _),) = source.held_out(normalise=lambda views: views.float() + 1)
    ((oracle, _),) = source.held_out(normalise=lambda views: views.float())
    assert torch.equal(images, oracle + 1) and oracle.max() > 1


def test_a_validation_split_is_taken_from_the_training_pictures(pictures):  # noqa: F811
    source = make_source(pictures, val_split=10)
    kept, held_out = split(42, 10)
    assert source.train.names == tuple(pictures.train.names[i] for i in kept)
    assert source.test.names == tuple(pictures.train.names[i] for i in held_out)
    assert torch.equal(source.test.labels, pictures.train.labels[held_out]) and source.per_epoch == 4
    assert not torch.equal(source.mean, make_source(pictures).mean)  # a mean of other pictures


def test_the_fingerprint(pictures, source):  # noqa: F811
    mean = hashlib.sha256(source.mean.numpy().tobytes()).hexdigest()[:16]
    assert source.fingerprint == dict(digest=pictures.digest, train=42, test=15, mean=mean)


def test_examples_are_the_first_picture_of_each_class(folder, source):  # noqa: F811
    images, labels = source.examples(2)
    assert labels.tolist() == [0, 1] and images.dtype == torch.uint8
    for image, name in zip(images, source.classes, strict=False):
        first = min((folder / "train" / name).iterdir(), key=lambda path: path.name)
        assert np.array_equal(image.permute(1, 2, 0), centre(first))


@pytest.mark.parametrize("workers", [0, 1])
def test_a_picture_damaged_later_is_named(folder, tmp_path, workers):  # noqa: F811
    mine = shutil.copytree(folder, tmp_path / "mine")
    source = make_source(open_pictures(mine), workers=workers)
    source.batch(0)
    damaged = mine / source.train.names[source.indices(40)[3]]
    damaged.write_bytes(damaged.read_bytes()[:200])
    with pytest.raises(DataError) as caught:
        source.batch(40)
    assert str(caught.value).startswith(f"{damaged} cannot be read as a picture (")
    assert "\n" not in str(caught.value)
    source.close()
    gc.collect()


def test_pictures_smaller_than_the_crop_are_enlarged(tmp_path, folder):  # noqa: F811
    mine = shutil.copytree(folder, tmp_path / "mine")
    Image.new("RGB", (3, 2), "red").save(mine / "train" / "cat" / "000.jpg", quality=100)
    source = make_source(open_pictures(mine), colour=0.0)
    iteration = next(i for i in range(10) if 0 in source.indices(i))
    position = source.indices(iteration).tolist().index(0)
    image = source.batch(iteration)[0][position].permute(1, 2, 0) * 255 + source.mean
    assert torch.allclose(image, torch.tensor([254.0, 0.0, 0.0]).expand(24, 24, 3), atol=1.5)


@pytest.mark.gpu
def test_the_gpu_gets_the_same_batches(pictures):  # noqa: F811
    cpu, gpu = make_source(pictures), make_source(pictures, device="cuda", workers=2)
    for iteration in (0, 1, 5):
        (images, labels), (moved, moved_labels) = cpu.batch(iteration), gpu.batch(iteration)
        assert moved.is_cuda and moved.is_contiguous(memory_format=torch.channels_last)
        assert torch.equal(labels, moved_labels.cpu())
        torch.testing.assert_close(images, moved.cpu(), atol=1e-6, rtol=0)
    assert torch.equal(gpu.batch(1)[0], gpu.batch(1)[0])
    gpu.close()
