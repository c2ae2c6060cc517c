"""ImageNet and Imagenette by name: found in the places where people have them, checked, downloaded as far as the
network.
"""

import http.server
import socket
import tarfile
import threading
import urllib.error
from hashlib import md5
from pathlib import Path

import pytest
import torchvision

from reslab.data import DATASETS, DataError, Facts
from reslab.data.known_pictures import find_pictures

from .picture_fixtures import write_pictures

WORDS = ("n01440764", "n02102040", "n02979186", "n03000684")  # four of Imagenette's


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Stands for both: 2 training and 1 held-out picture of each of four classes."""
    for name in ("imagenet", "imagenette"):
        monkeypatch.setitem(DATASETS, name, Facts(8, 4, None, 4))


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")


def write(root: Path) -> Path:
    write_pictures(root, WORDS, train=2, test=1)
    for file in root.glob("*/n*/*.jpg"):
        file.rename(file.with_suffix(".JPEG"))  # as they are called there
    return root


def sentence(dataset: str, root: Path | None) -> str:
    with pytest.raises(DataError) as caught:
        find_pictures(dataset, root)
    message = str(caught.value)
    assert "\n" not in message and not message.endswith(".")
    return message


@pytest.mark.parametrize(
    ("dataset", "name"),
    [
        ("imagenet", "imagenet"),
        ("imagenet", "ILSVRC2012"),
        ("imagenet", "."),
        ("imagenette", "imagenette2"),
        ("imagenette", "imagenette2-320"),
        ("imagenette", "imagenette2-160"),
        ("imagenette", "."),
    ],
)
def test_where_it_is_found(tmp_path, monkeypatch, dataset, name):
    write(tmp_path / name)
    assert find_pictures(dataset, tmp_path).classes == WORDS
    monkeypatch.setenv("RESLAB_DATA", str(tmp_path))
    assert find_pictures(dataset).root == (tmp_path / name).resolve()


def test_a_folder_of_ones_own(tmp_path, monkeypatch):
    write(tmp_path / "mine")
    monkeypatch.chdir(tmp_path)
    assert find_pictures("folder:mine", tmp_path / "elsewhere").root == tmp_path / "mine"
    assert "there is no folder" in sentence("folder:none", None)


def test_the_larger_imagenette_is_preferred(tmp_path):
    for name in ("imagenette2-160", "imagenette2-320"):
        write(tmp_path / name)
    assert find_pictures("imagenette", tmp_path).root.name == "imagenette2-320"


def test_other_pictures_in_the_data_root_are_not_taken_for_it(tmp_path):
    write_pictures(tmp_path)  # cats and dogs
    assert "ImageNet is not in" in sentence("imagenet", tmp_path)


def test_imagenet_cannot_be_downloaded(tmp_path):
    message = sentence("imagenet", tmp_path)
    assert message.startswith(f"ImageNet is not in {tmp_path}, as imagenet or ILSVRC2012 or with train/ and val/ right")
    assert "https://image-net.org" in message and "imagenet/train/<class>/" in message and "--data" in message


def test_counts_are_checked(tmp_path):
    write(tmp_path / "imagenet")
    (tmp_path / "imagenet" / "train" / WORDS[0] / "000.JPEG").unlink()
    message = sentence("imagenet", tmp_path)
    assert "has 7 training and 4 held-out pictures of 4 classes, but imagenet has 8 and 4 of 4" in message
    assert message.endswith(f"train on it as the data set folder:{tmp_path / 'imagenet'}")


# Imagenette's download


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A web server that stands for the real one; what it serves may be cut short."""
    loose = write(tmp_path / "served" / "imagenette2-160")
    with tarfile.open(tmp_path / "served.tgz", "w:gz") as archive:
        archive.add(loose, "imagenette2-160")
    serves = {"body": (tmp_path / "served.tgz").read_bytes()}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", str(len(serves["body"])))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(serves["body"])

        do_HEAD = do_GET

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as web:
        threading.Thread(target=web.serve_forever, args=(0.01,), daemon=True).start()
        url = f"http://127.0.0.1:{web.server_address[1]}/imagenette2-160.tgz"
        archives = {"160px": (url, md5(serves["body"]).hexdigest())}
        monkeypatch.setattr(torchvision.datasets.Imagenette, "_ARCHIVES", archives)
        yield serves
        web.shutdown()


def test_imagenette_is_downloaded_once(tmp_path, server):
    root = tmp_path / "new" / "root"
    first = find_pictures("imagenette", root)
    assert [path.name for path in root.iterdir()] == ["imagenette2-160"] and first.facts.train == 8
    server["body"] = b""
    assert find_pictures("imagenette", root).digest == first.digest
    assert socket.getdefaulttimeout() is None


def test_a_download_that_was_cut_leaves_nothing(tmp_path, server):
    server["body"] = server["body"][:-100]
    root = tmp_path / "new" / "root"
    assert sentence("imagenette", root).startswith(f"Imagenette is not in {root} and could not be downloaded (")
    assert not root.parent.exists()


def test_no_network(tmp_path, monkeypatch):
    def fail(*_, **__):
        raise urllib.error.URLError("no network")

    monkeypatch.setattr(torchvision.datasets.utils, "_urlretrieve", fail)
    monkeypatch.setattr(torchvision.datasets.utils, "_get_redirect_url", fail)
    message = sentence("imagenette", tmp_path)
    assert "no network" in message and message.endswith("set RESLAB_DATA (or --data) to the folder that has it")
    assert list(tmp_path.iterdir()) == []
