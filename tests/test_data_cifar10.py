import http.server
import re
import socket
import threading
import time
import urllib.error
from collections.abc import Iterator
from dataclasses import fields
from hashlib import md5
from pathlib import Path

import pytest
import torch
import torchvision

from reslab.data import DataError, Dataset, load_dataset
from reslab.data.cifar10 import CIFAR10

from .data_fixtures import (
    FORMS,
    load_small,
    real,  # noqa: F401
    sentence,
    small_arrays,
    small_standard,
    tar_batches,
    write_batches,
    write_folder,
    write_form,
    zip_folder,
)


def same(a: Dataset, b: Dataset) -> bool:
    pairs = [(getattr(a, field.name), getattr(b, field.name)) for field in fields(Dataset)]
    return all(torch.equal(x, y) if isinstance(x, torch.Tensor) else x == y for x, y in pairs)


def flat(dataset: Dataset) -> list[str]:
    """Each training example as text that sorts."""
    rows = zip(dataset.train_labels.tolist(), dataset.train_images.numpy(), strict=True)
    return sorted(f"{label} {image.tobytes().hex()}" for label, image in rows)


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise urllib.error.URLError("no network")

    monkeypatch.setattr(torchvision.datasets.utils, "_urlretrieve", fail)
    monkeypatch.setattr(torchvision.datasets.utils, "_get_redirect_url", fail)


# Forms


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_tensors(tmp_path: Path, form: str) -> None:
    root = tmp_path / "root"
    source = write_form(form, root, small_arrays())
    plain = load_small(write_folder(tmp_path / "plain", small_arrays()), tmp_path / "cache-plain")
    assert same(load_small(root, tmp_path / "cache"), plain)  # found below the root
    assert same(load_small(source, tmp_path / "cache-2"), plain)  # named


def test_nothing_is_lost_or_changed(tmp_path: Path) -> None:
    images, labels = small_arrays()["train"]
    dataset = load_small(write_folder(tmp_path / "root", small_arrays()), tmp_path / "cache")
    expected = sorted(f"{label} {image.tobytes().hex()}" for label, image in zip(labels, images, strict=True))
    assert flat(dataset) == expected
    assert dataset.train_images.dtype == torch.uint8 and dataset.train_labels.dtype == torch.int64
    assert dataset.test_images.shape == (20, 3, 6, 5) and dataset.classes == CIFAR10.classes
    assert dataset.fingerprint == small_standard().fingerprint


def test_other_archives_beside_it_are_passed_by(tmp_path: Path) -> None:
    """One of another kind, one of cats and dogs, one with a broken end: the data are found all the same."""
    root = write_form("zip", tmp_path / "root", small_arrays()).parent
    pets = {split: (x[(y == 3) | (y == 5)], y[(y == 3) | (y == 5)]) for split, (x, y) in small_arrays().items()}
    zip_folder(write_folder(tmp_path / "pets", pets), root / "a-pets.zip")
    (tmp_path / "boxes" / "Annotations").mkdir(parents=True)
    (tmp_path / "boxes" / "Annotations" / "1.xml").write_text("<a/>")
    zip_folder(tmp_path / "boxes", root / "b-boxes.zip")
    (root / "c-broken.zip").write_bytes(b"PK")
    (root / "train").mkdir()
    assert len(load_small(root, tmp_path / "cache").train_images) == 40


def test_root_comes_from_the_environment_and_then_is_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, offline: None
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RESLAB_DATA", raising=False)
    assert f"CIFAR-10 is not in {tmp_path / 'data'} and" in sentence(None, tmp_path / "cache")
    assert list(tmp_path.iterdir()) == []  # not even ./data
    write_form("folder", tmp_path / "data", small_arrays())
    assert load_small(None, tmp_path / "cache").name == "cifar10"
    monkeypatch.setenv("RESLAB_DATA", str(tmp_path / "else"))
    assert f"CIFAR-10 is not in {tmp_path / 'else'} and" in sentence(None, tmp_path / "cache-2")


def test_a_named_file_that_is_not_there(tmp_path: Path) -> None:
    missing = tmp_path / "cifar.zip"
    assert sentence(missing, tmp_path / "cache").startswith(f"there is no file {missing}; give the folder")


# Downloading


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, bytes]]:
    """A web server that stands for the real one, and what it serves: change `body`, or `length` to promise another
    size.
    """
    loose = write_batches(tmp_path / "served", small_arrays(), small_standard())
    body = tar_batches(loose, tmp_path / "served.tar.gz").read_bytes()
    serves = {"body": body, "length": len(body)}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(serves["length"]))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(serves["body"])

        do_HEAD = do_GET

        def log_message(self, *_: object) -> None:
            pass

    monkeypatch.setenv("no_proxy", "*")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as web:
        threading.Thread(target=web.serve_forever, args=(0.01,), daemon=True).start()
        url = f"http://127.0.0.1:{web.server_address[1]}/cifar-10-python.tar.gz"
        monkeypatch.setattr(torchvision.datasets.CIFAR10, "url", url)
        monkeypatch.setattr(torchvision.datasets.CIFAR10, "tgz_md5", md5(body).hexdigest())
        yield serves
        web.shutdown()


def test_download_with_a_bar_then_no_second_download(
    tmp_path: Path, server: dict[str, bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "new" / "root"
    first = load_small(root, tmp_path / "cache")
    assert "100%|" in capsys.readouterr().err
    assert [path.name for path in root.iterdir()] == ["cifar-10-python.tar.gz"]
    server["body"] = b""
    assert same(load_small(root, tmp_path / "cache"), first)
    assert same(load_small(root, tmp_path / "cache-2"), first)
    assert socket.getdefaulttimeout() is None


@pytest.mark.parametrize("fault", ["cut", "changed", "short"])
def test_a_failing_download_leaves_nothing(tmp_path: Path, server: dict[str, bytes], fault: str) -> None:
    body = server["body"]
    server["body"] = {"cut": body[:-100], "changed": body[:-1] + b"?", "short": body[:-100]}[fault]
    server["length"] -= 100 if fault == "short" else 0
    root = tmp_path / "new" / "root"
    said = sentence(root, tmp_path / "cache")
    assert said.startswith(f"CIFAR-10 is not in {root} and could not be downloaded (")
    assert not root.parent.exists()


def test_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """torchvision's own code, up to a port where nobody listens."""
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(torchvision.datasets.CIFAR10, "url", "http://127.0.0.1:9/cifar-10-python.tar.gz")
    root = tmp_path / "root"
    root.mkdir()
    said = sentence(root, tmp_path / "cache")
    assert re.match(r"CIFAR-10 is not in .*/root and could not be downloaded \(.*refused.*\); put cifar-10-pyt", said)
    assert "RESLAB_DATA (or --data)" in said and "'shapes', which needs no download" in said
    assert list(root.iterdir()) == []


def test_an_interrupted_download_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: str, partial: str, name: str, __: str) -> None:
        (Path(partial) / name).write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(torchvision.datasets.utils, "download_url", interrupted)
    with pytest.raises(KeyboardInterrupt):
        load_small(tmp_path / "root", tmp_path / "cache")
    assert list(tmp_path.iterdir()) == []


# The real thing


def test_real_counts_and_fingerprints(real: Dataset) -> None:  # noqa: F811
    assert real.train_images.shape == (50000, 3, 32, 32) and real.test_images.shape == (10000, 3, 32, 32)
    assert torch.bincount(real.train_labels).tolist() == [5000] * 10
    assert torch.bincount(real.test_labels).tolist() == [1000] * 10
    assert real.fingerprint == {
        "train": "55a61f79a40ece2ceda9fb5f9f7078f6ea2fc4952489cef56682bcf92cfcc260",
        "test": "325704b01eb92e1e2a6215ae6a916bb7db7de054af0c496be1c7be2e0fcfbf5f",
    }


def test_real_channel_statistics(real: Dataset) -> None:  # noqa: F811
    values = torch.arange(256) / 255.0
    for channel, mean, std in ((0, 0.4914, 0.2470), (1, 0.4822, 0.2435), (2, 0.4465, 0.2616)):
        share = torch.bincount(real.train_images[:, channel].flatten(), minlength=256) / (50000 * 32 * 32)
        found = (share * values).sum()
        assert round(found.item(), 4) == mean
        assert round(((share * (values - found) ** 2).sum() ** 0.5).item(), 4) == std


def test_real_second_load_takes_under_a_second(real: Dataset, cache: Path) -> None:  # noqa: F811
    start = time.perf_counter()
    again = load_dataset("cifar10", cache=cache, progress=False)
    seconds = time.perf_counter() - start
    assert same(again, real)
    assert seconds < 1


def test_real_images_as_batches_are_the_same_tensors(real: Dataset, tmp_path: Path) -> None:  # noqa: F811
    """The torchvision folder, written as Python 2 did, from the real images in another order."""
    order = torch.randperm(50000, generator=torch.Generator().manual_seed(0))
    arrays = {
        "train": (real.train_images[order].numpy(), real.train_labels[order].numpy()),
        "test": (real.test_images.flip(0).numpy(), real.test_labels.flip(0).numpy()),
    }
    write_batches(tmp_path / "cifar-10-batches-py", arrays, CIFAR10)
    assert same(load_dataset("cifar10", tmp_path, tmp_path / "cache", progress=False), real)


def test_unknown_name() -> None:
    with pytest.raises(DataError, match=r"^there is no data set 'cifar100'; choose one of cifar10, shapes"):
        load_dataset("cifar100")
