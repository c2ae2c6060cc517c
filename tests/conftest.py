"""What every test shares."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch

if TYPE_CHECKING:
    from .s3_fixtures import S3


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """GPU tests are deselected, not skipped, where there is no GPU."""
    if not torch.cuda.is_available():
        gpu = [item for item in items if item.get_closest_marker("gpu")]
        config.hook.pytest_deselected(items=gpu)
        items[:] = [item for item in items if item not in gpu]


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    """A test that changes the number of torch threads changes it for itself."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One cache of data sets for the whole session, and for the processes that tests start; never the user's."""
    folder = tmp_path_factory.mktemp("cache")
    before = os.environ.get("RESLAB_CACHE")
    os.environ["RESLAB_CACHE"] = str(folder)
    yield folder
    if before is None:
        del os.environ["RESLAB_CACHE"]
    else:
        os.environ["RESLAB_CACHE"] = before


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator["S3"]:
    """An S3 with a store of the test's own, without faults until it asks for them, in this process's environment."""
    from .s3_fixtures import serve  # here, because its client takes a second to load

    yield from serve(monkeypatch)


@pytest.fixture(autouse=True)
def no_callback_failed(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """What a widget's callback raises is shown in its panel and logged: here it fails the test, which clears the log if
    that is what it is about.
    """
    yield
    failed = [record.getMessage() for record in caplog.get_records("call") if record.name == "reslab.widgets"]
    assert not failed, failed
