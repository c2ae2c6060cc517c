"""Worker processes: order, clear errors, and that they come and go with their owner."""

import gc
import os
import signal
import subprocess
import sys
import time
from functools import partial

import psutil
import pytest
import torch

from reslab.data import DataError
from reslab.data.loading import MOST_WORKERS, Workers, default_workers

from .processes import wait_until


@pytest.fixture(params=[0, 2])
def workers(request):
    with Workers(request.param) as these:
        yield these


def processes(workers: Workers) -> list[psutil.Process]:
    return [psutil.Process(worker.pid) for worker in workers._loader._iterator._workers]


def gone(these: list[psutil.Process]) -> bool:
    return not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in these)


def fail(name: str) -> None:
    raise DataError(f"{name} is broken; mend it")


def squares(*numbers: int):
    return [partial(pow, number, 2) for number in numbers]


def test_results_come_in_the_jobs_order(workers):
    assert list(workers.run(squares(*range(50)))) == [number**2 for number in range(50)]
    assert list(workers.run(squares(3))) == [9]  # and again, with the same workers
    assert list(workers.run([])) == []


def test_another_run_takes_the_place_of_an_endless_one(workers):
    endless = workers.run(partial(pow, number, 2) for number in iter(int, 1))
    assert [next(endless), next(endless)] == [0, 0]
    assert list(workers.run(squares(5, 6))) == [25, 36]


def test_a_data_error_arrives_as_itself(workers):
    results = workers.run([partial(pow, 2, 3), partial(fail, "caf\udce9.jpg"), partial(pow, 2, 4)])
    assert next(results) == 8
    with pytest.raises(DataError) as caught:
        next(results)
    assert str(caught.value) == "caf\udce9.jpg is broken; mend it"


def test_torchs_random_numbers_stay_as_they_are(workers):
    before = torch.get_rng_state()
    assert list(workers.run(squares(1, 2))) == [1, 4]
    assert torch.equal(torch.get_rng_state(), before)


def test_workers_have_one_thread_and_hear_no_signals_to_stop():
    with Workers(1) as workers:
        (threads,) = workers.run([torch.get_num_threads])
        assert threads == 1
        results, (process,) = workers.run(partial(time.sleep, 0.02) for _ in range(20)), processes(workers)
        next(results)
        for number in (signal.SIGINT, signal.SIGTERM):
            process.send_signal(number)
        assert len(list(results)) == 19
    assert gone([process])


def test_they_end_with_their_owner_and_without_a_warning(recwarn):
    workers = Workers(2)
    results = workers.run(squares(*range(1000)))
    assert next(results) == 0
    these = processes(workers)
    assert len(these) == 2 and not gone(these)
    workers.close()
    wait_until(lambda: gone(these))
    forgotten = Workers(1)
    assert list(forgotten.run(squares(1))) == [1]
    these = processes(forgotten)
    del forgotten, results
    gc.collect()
    wait_until(lambda: gone(these))
    assert not recwarn.list


def test_a_worker_that_was_killed_is_told_in_a_sentence():
    with Workers(1) as workers:
        results = workers.run(partial(time.sleep, 0.05) for _ in range(1000))
        next(results)
        processes(workers)[0].kill()
        with pytest.raises(DataError, match=r"a process that decodes pictures has died .* use fewer workers") as caught:
            list(results)
        assert "\n" not in str(caught.value)


SCRIPT = """
import functools, os, sys, time
from reslab.data.loading import Workers
print("begun", flush=True)
workers = Workers(2)
results = workers.run(functools.partial(time.sleep, 0.01) for _ in iter(int, 1))
next(results)
print(*[worker.pid for worker in workers._loader._iterator._workers], flush=True)
if sys.argv[1] == "wait":
    time.sleep(60)
"""


@pytest.mark.parametrize("end", ["at once", "killed"])
def test_they_end_with_a_process_that_never_closed_them_and_its_script_runs_once(tmp_path, end):
    """A script without `if __name__ == "__main__"`."""
    (tmp_path / "script.py").write_text(SCRIPT)
    command = [sys.executable, str(tmp_path / "script.py"), "wait" if end == "killed" else "end"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "begun\n"
        these = [psutil.Process(int(pid)) for pid in process.stdout.readline().split()]
        assert len(these) == 2
        if end == "killed":
            process.kill()
        output, errors = process.communicate(timeout=20)
    assert output == ""
    assert process.returncode == (-signal.SIGKILL if end == "killed" else 0), errors
    assert end == "killed" or errors == ""
    wait_until(lambda: gone(these), 20)


def test_the_default_leaves_a_core_to_the_trainer(monkeypatch):
    for cores, trainers, expected in ((2, 1, 1), (1, 1, 1), (9, 1, 8), (9, 2, 3), (200, 1, MOST_WORKERS)):
        monkeypatch.setattr(os, "sched_getaffinity", lambda _, cores=cores: set(range(cores)))
        monkeypatch.setenv("LOCAL_WORLD_SIZE", str(trainers))  # as torchrun does
        assert default_workers() == expected
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "1")
    monkeypatch.setenv("RESLAB_RUNS_AT_ONCE", "20")  # as the local engine does
    assert default_workers() == 9
