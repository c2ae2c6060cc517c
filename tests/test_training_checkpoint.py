"""Checkpoints: damaged ones are noticed, and a crash at any file operation leaves a whole one."""

import os

import pytest
import torch

from reslab.training import checkpoint


def state(number: int) -> dict:
    return dict(iteration=number, weights={"a": torch.full((50,), float(number))}, rows=[dict(lr=0.1)])


def damage_half(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def damage_nothing_left(path):
    path.write_bytes(b"")


def flip_byte(position):
    def damage(path):
        content = bytearray(path.read_bytes())
        content[int(position * (len(content) - 1))] ^= 1
        path.write_bytes(content)

    return damage


def test_round_trip(tmp_path):
    assert checkpoint.load(tmp_path) is None
    checkpoint.save(tmp_path, state(1))
    loaded = checkpoint.load(tmp_path)
    assert loaded["iteration"] == 1 and loaded["rows"] == [dict(lr=0.1)]
    assert torch.equal(loaded["weights"]["a"], state(1)["weights"]["a"])


@pytest.mark.parametrize("damage", [damage_half, damage_nothing_left, *map(flip_byte, (0, 0.3, 0.7, 1))])
def test_a_damaged_checkpoint_is_noticed_and_the_one_before_used(tmp_path, damage):
    checkpoint.save(tmp_path, state(1))
    checkpoint.save(tmp_path, state(2))
    damage(tmp_path / checkpoint.NAME)
    with pytest.warns(UserWarning, match="damaged"):
        assert checkpoint.load(tmp_path)["iteration"] == 1


def test_two_damaged_checkpoints_are_none(tmp_path):
    checkpoint.save(tmp_path, state(1))
    checkpoint.save(tmp_path, state(2))
    damage_half(tmp_path / checkpoint.NAME)
    damage_half(tmp_path / checkpoint.PREVIOUS)
    with pytest.warns(UserWarning, match="damaged"):
        assert checkpoint.load(tmp_path) is None


@pytest.mark.parametrize("operation", ["fsync", "replace"])
@pytest.mark.parametrize("call", range(3))
def test_a_crash_at_any_file_operation_leaves_the_old_state_or_the_new(tmp_path, monkeypatch, operation, call):
    checkpoint.save(tmp_path, state(1))
    checkpoint.save(tmp_path, state(2))
    calls, real = [], getattr(os, operation)

    def crash(*arguments):
        calls.append(arguments)
        if len(calls) == call + 1:
            raise OSError("disk full")
        return real(*arguments)

    monkeypatch.setattr(os, operation, crash)
    try:
        checkpoint.save(tmp_path, state(3))
        survived = True
    except OSError:
        survived = False
    monkeypatch.undo()
    loaded = checkpoint.load(tmp_path)["iteration"]
    assert loaded == 3 if survived else loaded in (2, 3)
    checkpoint.save(tmp_path, state(4))
    assert checkpoint.load(tmp_path)["iteration"] == 4
    assert not list(tmp_path.glob("*.tmp")) and not list(tmp_path.glob(".*.tmp"))
