"""Top-1 and top-5 errors against hand computation, the loop's own test error, and torchvision's nets and transforms."""

import shutil

import numpy as np
import pytest
import torch
import torchvision
import torchvision.transforms as v1
from PIL import Image
from torch import nn

from reslab import DataError, RunConfig, RunStore, train
from reslab.data.decoding import decode
from reslab.data.views import shorter_side
from reslab.training.evaluation import evaluate, evaluate_published, score

from .picture_fixtures import write_pictures
from .test_training_pictures import make_config

CLASSES = tuple("abcdefg")


@pytest.fixture(scope="module")
def mine(tmp_path_factory):
    return write_pictures(tmp_path_factory.mktemp("mine"), CLASSES, train=4, test=3)


@pytest.fixture(scope="module")
def run(mine, tmp_path_factory):
    return train(make_config(mine), tmp_path_factory.mktemp("runs"), workers=0)


class Told(nn.Module):
    """A net whose logits are the first values of each image."""

    def forward(self, images):
        return images.flatten(1)[:, :7]


def by_hand(probabilities, labels):
    """(top-1, top-5) error in percent and the loss of class probabilities [n, 7], one image after another."""
    first = fifth = loss = 0
    for row, label in zip(probabilities, labels, strict=True):
        order = sorted(range(len(row)), key=lambda k, row=row: -row[k])
        first += order[0] != label
        fifth += label not in order[:5]
        loss -= np.log(row[label])
    return 100 * first / len(labels), 100 * fifth / len(labels), loss / len(labels)


def softmax(logits):
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def test_top_1_and_top_5_by_hand():
    random = np.random.default_rng(0)
    images, labels = random.normal(size=(60, 3, 2, 2)), random.integers(0, 7, 60)
    whole = torch.tensor(images, dtype=torch.float32), torch.tensor(labels)
    batches = zip(whole[0].split(40), whole[1].split(40), strict=True)
    found = score(Told(), batches, 1, torch.device("cpu"))
    top1, top5, loss = by_hand(softmax(images.reshape(60, 12)[:, :7]), labels)
    assert 0 < top5 < top1 < 100
    assert (found.top1, found.top5, found.n, found.views) == (pytest.approx(top1), pytest.approx(top5), 60, 1)
    assert found.loss == pytest.approx(loss, rel=1e-5)


def test_of_ten_views_the_softmax_is_averaged():
    random = np.random.default_rng(1)
    images, labels = 4 * random.normal(size=(50, 10, 3, 2, 2)), random.integers(0, 7, 50)
    logits = images.reshape(50, 10, 12)[:, :, :7]
    mean = softmax(logits).mean(1)
    assert (mean.argmax(1) != logits.mean(1).argmax(1)).any()  # the mean of the logits would be something else
    batch = torch.tensor(images, dtype=torch.float32), torch.tensor(labels)
    found = score(Told(), [batch], 10, torch.device("cpu"))
    top1, top5, loss = by_hand(mean, labels)
    assert (found.top1, found.top5, found.views) == (pytest.approx(top1), pytest.approx(top5), 10)
    assert found.loss == pytest.approx(loss, rel=1e-5)


def test_fewer_classes_than_five_are_all_among_the_best():
    images = torch.randn(4, 1, 1, 3)
    found = score(nn.Flatten(), [(images, torch.zeros(4, dtype=torch.int64))], 1, torch.device("cpu"))
    assert found.top5 == 0


def test_a_single_view_gives_the_runs_final_error(run, tmp_path):
    found = evaluate(run, workers=0)
    assert found.n == 21 and found.top1 == pytest.approx(run.final["test_error"])
    assert found.loss == pytest.approx(run.final["test_loss"], rel=1e-5)
    shapes = train(RunConfig(8, profile="smoke", val_split=500), tmp_path)
    found = evaluate(shapes)
    assert found.n == 500 and found.top1 == pytest.approx(shapes.final["test_error"])
    assert 0 < found.top5 < found.top1


def test_ten_views_are_torchvisions_ten_crops(run, mine):
    found = evaluate(run, views=10, workers=0)
    net = run.config.make_net().eval()
    net.load_state_dict(run.weights())
    crops = v1.TenCrop(32)
    mean = np.mean(
        [
            v1.CenterCrop(32)(shorter_side(decode(path), 32)).numpy().astype(float)
            for path in sorted(mine.glob("train/*/*.jpg"))
        ],
        axis=0,
    )
    rows, labels = [], []
    for path in sorted(mine.glob("val/*/*.jpg")):
        views = torch.stack(crops(shorter_side(decode(path), 32))).double() - torch.tensor(mean)
        with torch.inference_mode():
            rows.append(softmax(net((views / 255).float()).double().numpy()).mean(0))
        labels.append(CLASSES.index(path.parent.name))
    top1, top5, loss = by_hand(rows, labels)
    assert (found.top1, found.top5, found.n) == (pytest.approx(top1), pytest.approx(top5), 21)
    assert found.loss == pytest.approx(loss, rel=1e-4)


def test_a_folder_that_has_moved(run, mine, tmp_path):
    moved = shutil.copytree(mine, tmp_path / "moved")
    assert evaluate(run, data=moved, workers=0) == evaluate(run, workers=0)
    (moved / "val" / "a" / "000.jpg").unlink()
    with pytest.raises(DataError, match="is not what it was"):
        evaluate(run, data=moved, workers=0)


def test_what_cannot_be_evaluated(run, tmp_path):
    with pytest.raises(ValueError, match=r"^views=3 is not possible; allowed: 1 \(the central crop\) or 10"):
        evaluate(run, views=3)
    config = RunConfig(8, profile="smoke")
    with pytest.raises(ValueError, match="is new: weights are there when it is done"):
        evaluate(RunStore(tmp_path).create(config))
    with pytest.raises(ValueError, match="images of shapes are tested with their single view"):
        evaluate(train(config, tmp_path), views=10)


# torchvision's own weights


@pytest.fixture
def published(monkeypatch):
    """A net of torchvision's with seven classes stands for those that it publishes, which are downloads."""
    torch.manual_seed(0)
    net = torchvision.models.resnet18(num_classes=7)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
    monkeypatch.setattr("reslab.nets.imagenet._published", lambda depth, name: net.state_dict())
    return net.eval()


@pytest.mark.parametrize("views", [1, 10])
def test_published_weights_with_torchvisions_own_views(tmp_path, published, views):
    mine = write_pictures(tmp_path, CLASSES, train=1, test=1)  # few: the views are large
    found = evaluate_published("IMAGENET1K_V1", 18, f"folder:{mine}", views, workers=0)
    whole = torchvision.models.ResNet18_Weights.IMAGENET1K_V1.transforms()
    ten = v1.Compose([v1.Resize(256), v1.TenCrop(224)])
    rest = v1.Compose([v1.ToTensor(), v1.Normalize(whole.mean, whole.std)])
    rows, labels = [], []
    for path in sorted(mine.glob("val/*/*.jpg")):
        image = Image.open(path)
        seen = [whole(image)] if views == 1 else [rest(crop) for crop in ten(image)]
        with torch.inference_mode():
            rows.append(softmax(published(torch.stack(seen)).double().numpy()).mean(0))
        labels.append(CLASSES.index(path.parent.name))
    top1, top5, loss = by_hand(rows, labels)
    assert (found.top1, found.top5, found.n, found.views) == (pytest.approx(top1), pytest.approx(top5), 7, views)
    assert found.loss == pytest.approx(loss, rel=2e-3)  # Pillow's resize and torch's differ by a step here and there


def test_published_weights_want_their_classes(mine, published):
    published.fc = nn.Linear(512, 1000)
    with pytest.raises(ValueError, match=r"IMAGENET1K_V1 of ResNet-18 cannot be evaluated on folder:.*1000"):
        evaluate_published("IMAGENET1K_V1", 18, f"folder:{mine}", workers=0)
