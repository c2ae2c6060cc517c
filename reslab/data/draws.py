"""Random integers as a pure function of integers.

A generator has a state that must be saved, restored and kept in step; a function of (seed, iteration) has none. That is
what makes resuming a run exact and cheap, and the data the same on every machine and device. The function is splitmix64
(Steele, Lea and Flood, 2014, "Fast splittable pseudorandom number generators"), in counter form: the i-th number is
computed from i alone, so a whole batch is a few tensor operations.
"""

import torch

GOLDEN = 0x9E3779B97F4A7C15
MIX_1, MIX_2 = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
WORD = (1 << 64) - 1


def _signed(word: int) -> int:
    """The int64 with the same bits as an unsigned 64-bit word."""
    return word - (1 << 64) if word >> 63 else word


def _mix(word: int) -> int:
    word = ((word ^ (word >> 30)) * MIX_1) & WORD
    word = ((word ^ (word >> 27)) * MIX_2) & WORD
    return word ^ (word >> 31)


def _shift(words: torch.Tensor, bits: int) -> torch.Tensor:
    """Logical right shift: torch's >> copies the sign bit."""
    return (words >> bits) & ((1 << (64 - bits)) - 1)


def _state(key: tuple[int, ...]) -> int:
    """The integers of a key mixed into one unsigned 64-bit word."""
    state = 0
    for part in key:
        state = _mix((state + GOLDEN * (part + 1)) & WORD)
    return state


def seed_of(*key: int) -> int:
    """A seed for a random number generator, below 2**63, determined by `key` alone."""
    return _state(key) >> 1


def draws(count: int, *key: int, device: torch.device | str | None = None) -> torch.Tensor:
    """`count` uniform integers in [0, 2**62), int64 [count], determined by the integers in `key` alone, on any device.

    Use `draws(...) % n` for integers below n: with n below 2**32 the bias is under 2**-30.
    """
    words = torch.arange(1, count + 1, dtype=torch.int64, device=device) * _signed(GOLDEN) + _signed(_state(key))
    words = (words ^ _shift(words, 30)) * _signed(MIX_1)
    words = (words ^ _shift(words, 27)) * _signed(MIX_2)
    return _shift(words ^ _shift(words, 31), 2)


def permutation(size: int, *key: int, device: torch.device | str | None = None) -> torch.Tensor:
    """A uniform permutation of range(size), int64 [size], determined by `key` alone, on any device."""
    return torch.argsort(draws(size, *key, device=device), stable=True)
