"""The nets, their blocks and shortcuts, and their layer tables."""

from .anatomy import Anatomy, Layer, anatomy
from .cifar import CifarNet, cifar_net
from .orders import ORDERS
from .plugins import PluginError
from .registry import SHORTCUTS, Shortcut, register
from .shortcuts import IdentityPadded

__all__ = [
    "ORDERS",
    "SHORTCUTS",
    "Anatomy",
    "CifarNet",
    "IdentityPadded",
    "Layer",
    "PluginError",
    "Shortcut",
    "anatomy",
    "cifar_net",
    "register",
]
