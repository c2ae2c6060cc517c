"""Grids that are computed by several processes, some of which are killed, on a disk and in an object store."""

import json
import math
import time
from collections import Counter

import pytest

from reslab.files import exists, names, place
from reslab.probes.surface import worker
from reslab.probes.surface.grid import TILE, Grid

from .grid_fixtures import AXIS, HEADER, begin, bowl, computed, start
from .processes import wait_until

EXPECTED = tuple(tuple(bowl(x, y / 3) for x in AXIS) for y in AXIS)


def assert_whole(grid):
    """Bit for bit what one process gives that nothing disturbs."""
    surface = grid.surface()
    assert (surface.done, surface.total) == (25, 25)
    assert surface.loss == tuple(tuple(loss for loss, _ in row) for row in EXPECTED)
    assert surface.error == tuple(tuple(error for _, error in row) for row in EXPECTED)
    # A killed writer's temporary file may be somebody's at work: it stays for a minute.
    assert [name for name in names(grid.folder) if not name.startswith(".")] == ["grid.json", "results.json"]


def test_alone_each_point_is_computed_once_and_told(tmp_path):
    grid, asked, told = begin(tmp_path), [], []
    worker.compute(grid, lambda x, y: (asked.append((x, y)), bowl(x, y))[1], lambda *what: told.append(what))
    assert_whole(grid)
    assert len(asked) == len({*asked}) == 25
    assert asked[0] == (0, 0) and math.hypot(*asked[-1]) == max(math.hypot(*at) for at in asked)
    assert [done for done, *_ in told] == sorted(done for done, *_ in told)
    assert told[0] == (0, 25, "") and told[-1] == (25, 25, "")
    worker.compute(grid, None, lambda *what: told.append(what))  # there is nothing to evaluate
    assert told[-1] == (25, 25, "")


def test_what_is_there_can_be_read_while_it_is_computed(tmp_path, monkeypatch):
    monkeypatch.setattr(worker, "KEEP_EVERY", 0.0)
    grid, seen = begin(tmp_path), []

    def evaluate(x, y):
        seen.append(Grid(tmp_path).surface())
        return bowl(x, y)

    worker.compute(grid, evaluate)
    assert [surface.done for surface in seen] == list(range(25))
    half = seen[12]
    known = [(j, i) for j in range(5) for i in range(5) if not math.isnan(half.loss[j][i])]
    assert len(known) == 12 and all(half.loss[j][i] == EXPECTED[j][i][0] for j, i in known)
    assert (half.name, half.x, half.y) == ("a bowl", tuple(AXIS), tuple(HEADER["y"]))


def test_tiles_and_claims_may_need_more_digits(tmp_path):
    grid = begin(tmp_path)
    for number, claim, worker_name in ((0, 99, "a"), (0, 100, "b"), (10_000, 1, "c")):
        (tmp_path / f"tile-{number:04}-{claim:02}.json").write_text(
            json.dumps(dict(worker=worker_name, found=[[number % 25 + claim % 25, 1.0, 2.0]]))
        )
    found, tiles = grid.look()
    assert (tiles[0].claims, tiles[0].worker) == (100, "b") and sorted(found) == [0, 1, 24]


def test_stopped_it_goes_on_where_it_was(tmp_path):
    grid, asked = begin(tmp_path), []

    def evaluate(x, y):
        if len(asked) in (7, 19):
            asked.append(None)
            raise KeyboardInterrupt
        asked.append((x, y))
        return bowl(x, y)

    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            worker.compute(grid, evaluate)
        assert not any(name.startswith("worker") for name in names(tmp_path))
    worker.compute(grid, evaluate)
    points = [at for at in asked if at]
    assert len(points) == len({*points}) == 25
    assert_whole(grid)


def test_killed_at_any_moment_it_goes_on(tmp_path):
    folder, log = tmp_path / "grid", tmp_path / "log"
    begin(folder)
    for count in (3, 9, 14):
        process = start(folder, log, 0.01)
        wait_until(lambda count=count: len(computed(log)) >= count)
        process.kill()
        process.join()
    last = start(folder, log)
    last.join(60)
    assert last.exitcode == 0
    assert_whole(Grid(folder))
    # What a killed process had found and not yet written is computed again, and nothing else.
    again = sum(times - 1 for times in Counter((x, y) for _, x, y in computed(log)).values())
    assert again <= 3 * TILE


def test_two_processes_share_a_grid_and_each_point_is_computed_once(tmp_path):
    folder, log = tmp_path / "grid", tmp_path / "log"
    begin(folder)
    both = [start(folder, log, 0.02) for _ in range(2)]
    for process in both:
        process.join(60)
        assert process.exitcode == 0
    points = computed(log)
    assert {pid for pid, *_ in points} == {process.pid for process in both}
    assert len(points) == len({(x, y) for _, x, y in points}) == 25
    assert_whole(Grid(folder))


def test_the_others_finish_what_a_killed_one_has_claimed(tmp_path):
    folder, log = tmp_path / "grid", tmp_path / "log"
    begin(folder)
    first = start(folder, log, 30)  # which will never finish a point
    wait_until(lambda: any(name.startswith("tile") for name in names(folder)))
    second = start(folder, log)
    wait_until(lambda: len(computed(log)) == 25 - TILE)  # and it waits for the rest
    time.sleep(0.2)
    assert len(computed(log)) == 25 - TILE and second.is_alive()
    first.kill()
    second.join(60)
    assert second.exitcode == 0
    assert_whole(Grid(folder))


def test_a_claim_without_a_word_in_it_is_its_writers_for_a_minute(tmp_path, monkeypatch):
    grid = begin(tmp_path)
    (tmp_path / "tile-0000-01.json").touch()  # between the two calls that make a claim
    first = grid.look()[1][0]
    assert grid.holder(first) is not None
    clock = time.time() + 61
    monkeypatch.setattr(time, "time", lambda: clock)
    assert grid.holder(first) is None and grid.claim(first, "me") and not grid.claim(first, "me too")


def test_a_silent_process_of_another_machine_is_replaced(tmp_path):
    grid = begin(tmp_path)
    status = dict(state="running", host="elsewhere", pid=1, process_started=0.0)
    for age, holds in ((30, True), (90, False)):
        (tmp_path / "worker-theirs.json").write_text(json.dumps(dict(status, heartbeat=time.time() - age)))
        first = grid.look()[1][0]
        if first.claims == 0:
            assert grid.claim(first, "theirs")
            first = grid.look()[1][0]
        assert (grid.holder(first) is not None) == holds
    worker.compute(grid, bowl)
    # It wakes up, and what it writes late is a file of its own that says the same.
    grid.keep(type(first)(0, first.points, 0, None), "theirs", {first.points[0]: bowl(0.0, 0.0)})
    assert grid.surface().done == 25 and grid.look()[1] == []


def test_the_first_plan_counts_for_all(tmp_path):
    begin(tmp_path)
    Grid(tmp_path).begin(dict(HEADER, x=[0.0, 1e-9]))
    assert Grid(tmp_path).header["x"] == AXIS


def test_in_an_object_store(s3, tmp_path):
    folder, log = f"{s3.url}/grid", tmp_path / "log"
    begin(folder)
    both = [start(folder, log, 0.05, s3.environment) for _ in range(2)]
    for process in both:
        process.join(120)
        assert process.exitcode == 0
    points = computed(log)
    assert len(points) == len({(x, y) for _, x, y in points}) == 25
    assert len({pid for pid, *_ in points}) == 2
    assert_whole(Grid(place(folder)))
    assert exists(place(folder) / "results.json")
