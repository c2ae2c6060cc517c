"""What is kept in the cache is made once, by one process, and made again where it is damaged."""

import threading
import time

import pytest

from reslab.data.remembered import remembered


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("RESLAB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "pictures"


def never() -> bytes:
    raise AssertionError("it is there")


def test_it_is_made_once(own_cache):
    assert remembered("a.mean", lambda: b"content") == b"content"
    assert remembered("a.mean", never) == b"content"
    assert remembered("b.mean", lambda: b"") == remembered("b.mean", never) == b""


def test_a_damaged_file_is_made_again(own_cache):
    remembered("a.mean", lambda: b"content")
    for damage in (b"", (own_cache / "a.mean").read_bytes()[:-1], (own_cache / "a.mean").read_bytes() + b"x"):
        (own_cache / "a.mean").write_bytes(damage)
        assert remembered("a.mean", lambda: b"other") == b"other"
        assert remembered("a.mean", never) == b"other"


def test_who_comes_meanwhile_waits_for_it():
    made = []

    def slowly() -> bytes:
        made.append(1)
        time.sleep(0.2)
        return b"content"

    found = []
    threads = [threading.Thread(target=lambda: found.append(remembered("a.mean", slowly))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [b"content"] * 3 and len(made) == 1


def test_what_failed_is_not_kept():
    with pytest.raises(AssertionError):
        remembered("a.mean", never)
    assert remembered("a.mean", lambda: b"content") == b"content"


def test_a_cache_that_cannot_be_written_to_costs_a_warning(own_cache):
    own_cache.parent.mkdir()
    own_cache.write_text("a file where the folder should be")
    with pytest.warns(UserWarning, match=r"a\.mean could not be written .* set RESLAB_CACHE"):
        assert remembered("a.mean", lambda: b"content") == b"content"
