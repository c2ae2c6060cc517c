"""The nets, their blocks and shortcuts, and their layer tables."""

from .anatomy import Anatomy, Layer, anatomy
from .cifar import CifarNet, cifar_net
from .shortcuts import SHORTCUTS, IdentityPadded, Shortcut, register

__all__ = [
    "SHORTCUTS",
    "Anatomy",
    "CifarNet",
    "IdentityPadded",
    "Layer",
    "Shortcut",
    "anatomy",
    "cifar_net",
    "register",
]
