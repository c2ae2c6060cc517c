"""What a store holds, without torch: listing ten thousand runs, comparing some, pruning others."""

from .entries import Entry, Listing, find, resolve, sort

__all__ = ["Entry", "Listing", "find", "resolve", "sort"]
