"""What a store holds, without torch: listing ten thousand runs, comparing some, pruning others."""

from .entries import OWN, Entry, Listing, find, resolve, sort

__all__ = ["OWN", "Entry", "Listing", "find", "resolve", "sort"]
