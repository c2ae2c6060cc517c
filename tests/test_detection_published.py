"""Pascal VOC by name: found, checked, downloaded as far as the network; and the splits of the paper's tables."""

import http.server
import tarfile
import threading
import urllib.error
from hashlib import md5
from pathlib import Path

import pytest
import torchvision

from reslab.data import DataError, Facts
from reslab.detection.datasets import BOX_DATASETS
from reslab.detection.published import CLASSES, find_voc

from .voc_fixtures import TEST, TRAIN, annotation, write_lists, write_voc

KNOWN = dict(BOX_DATASETS)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    for name, train, test in (("voc07", 6, 3), ("voc07+12", 12, 3), ("voc07++12", 15, 0)):
        monkeypatch.setitem(BOX_DATASETS, name, Facts(train, test, None, 20))


def write(root: Path, *years: str) -> Path:
    for year in years:
        write_voc(root / year)
        if year == "VOC2012":
            write_lists(root / year, dict(test=["2012_000001"]))  # whose annotations nobody has
    return root


def sentence(dataset: str, root: Path) -> str:
    with pytest.raises(DataError) as caught:
        find_voc(dataset, root)
    message = str(caught.value)
    assert "\n" not in message and not message.endswith(".")
    return message


def files(year: str, names: tuple[str, ...]) -> list[str]:
    return [f"{year}/JPEGImages/{name}.jpg" for name in names]


def test_known_sets():
    """Everingham et al. 2010, and the numbers of pictures on the challenges' pages."""
    assert len(CLASSES) == 20 and list(CLASSES) == sorted(CLASSES)
    trainval_07, test_07, trainval_12 = 5011, 4952, 11540
    assert (KNOWN["voc07"].train, KNOWN["voc07"].test) == (trainval_07, test_07)
    assert (KNOWN["voc07+12"].train, KNOWN["voc07+12"].test) == (trainval_07 + trainval_12, test_07)
    assert (KNOWN["voc07++12"].train, KNOWN["voc07++12"].test) == (trainval_07 + test_07 + trainval_12, 0)


@pytest.mark.parametrize("below", ["VOCdevkit", "."])
def test_the_splits_of_the_papers_tables(tmp_path, monkeypatch, below):
    write(tmp_path / below, "VOC2007", "VOC2012")
    monkeypatch.setenv("RESLAB_DATA", str(tmp_path))
    trainval, test = files("VOC2007", TRAIN), files("VOC2007", TEST)
    for dataset, train, held_out in (
        ("voc07", trainval, test),
        ("voc07+12", trainval + files("VOC2012", TRAIN), test),
        ("voc07++12", trainval + test + files("VOC2012", TRAIN), []),
    ):
        found = find_voc(dataset)
        assert found.root == (tmp_path / below).resolve() and found.classes == CLASSES
        assert list(found.train.names) == train and list(found.held_out.names) == held_out
        assert (found.root / train[-1]).is_file()


def test_everything_is_as_it_was_published(tmp_path):
    write(tmp_path, "VOC2007")
    twice = ("dog", 5, 6, 24, 30), ("dog", 5, 6, 24, 30), ("cat", 9, 9, 9, 30)
    (tmp_path / "VOC2007" / "Annotations" / "a1.xml").write_text(annotation(*twice))
    found = find_voc("voc07", tmp_path)
    assert found.slips == () and found.train.pictures[0].labels.tolist() == [12, 12, 8]


def test_other_classes_are_faults(tmp_path):
    write(tmp_path, "VOC2007")
    (tmp_path / "VOC2007" / "Annotations" / "b1.xml").write_text(annotation(("dgo", 5, 6, 24, 30)))
    message = sentence("voc07", tmp_path)
    assert "VOC2007/Annotations/b1.xml has the class dgo, which is none that the data set has" in message


def test_counts_are_checked(tmp_path):
    write(tmp_path, "VOC2007")
    write_lists(tmp_path / "VOC2007", dict(test=TEST[:2]))
    message = sentence("voc07", tmp_path)
    assert "lists 6 training and 2 held-out pictures, but voc07 has 6 and 3; complete the copy" in message
    assert message.endswith(f"as the data set folder:{tmp_path / 'VOC2007'}")


def test_a_year_without_its_test_pictures(tmp_path):
    write(tmp_path, "VOC2007")
    (tmp_path / "VOC2007" / "ImageSets" / "Main" / "test.txt").unlink()
    assert "ImageSets/Main/test.txt cannot be read (" in sentence("voc07", tmp_path)


# Downloads


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A web server with the three archives; VOC2007's two unpack into one folder, as the real ones do."""
    write(tmp_path / "served" / "VOCdevkit", "VOC2007", "VOC2012")
    archives = {}
    for key, year, mine in (("2007", "VOC2007", "a*"), ("2007-test", "VOC2007", "b*"), ("2012", "VOC2012", "*")):
        root = tmp_path / "served" / "VOCdevkit" / year
        lists = root.glob("ImageSets/Main/test.txt" if mine == "b*" else "ImageSets/Main/tr*.txt")
        with tarfile.open(tmp_path / f"{key}.tar", "w") as archive:
            for file in [*root.glob(f"*/{mine}.*"), *lists]:
                archive.add(file, file.relative_to(tmp_path / "served"))
        archives[f"/{key}.tar"] = (tmp_path / f"{key}.tar").read_bytes()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = archives[self.path]
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as web:
        threading.Thread(target=web.serve_forever, args=(0.01,), daemon=True).start()
        known = torchvision.datasets.voc.DATASET_YEAR_DICT
        for path, body in archives.items():
            key = path[1:-4]
            url = f"http://127.0.0.1:{web.server_address[1]}{path}"
            mirror = dict(url=url, filename=path[1:], md5=md5(body).hexdigest())
            monkeypatch.setitem(known, key, known[key] | mirror)
        yield archives
        web.shutdown()


def test_years_are_downloaded_once(tmp_path, server):
    root = tmp_path / "new" / "root"
    first = find_voc("voc07", root)
    assert sorted(path.relative_to(root).as_posix() for path in root.glob("*/*")) == ["VOCdevkit/VOC2007"]
    server["/2007.tar"] = server["/2007-test.tar"] = b""
    assert find_voc("voc07", root).digest == first.digest
    assert find_voc("voc07+12", root).facts.train == 12
    assert [path.name for path in root.iterdir()] == ["VOCdevkit"]


def test_a_download_that_was_cut_leaves_nothing(tmp_path, server):
    server["/2007-test.tar"] = server["/2007-test.tar"][:-1000]
    root = tmp_path / "new" / "root"
    assert sentence("voc07", root).startswith(f"Pascal VOC 2007 is not in {root} and could not be downloaded (")
    assert not root.parent.exists()


def test_no_network(tmp_path, monkeypatch):
    def fail(*_, **__):
        raise urllib.error.URLError("no network")

    monkeypatch.setattr(torchvision.datasets.utils, "_urlretrieve", fail)
    monkeypatch.setattr(torchvision.datasets.utils, "_get_redirect_url", fail)
    message = sentence("voc07", tmp_path)
    assert "no network" in message and message.endswith("set RESLAB_DATA (or --data) to the folder that has it")
    assert list(tmp_path.iterdir()) == []
