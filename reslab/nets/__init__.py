"""The nets, their blocks and shortcuts, and their layer tables."""

from .anatomy import Anatomy, Layer, anatomy
from .cifar import CifarNet, cifar_net
from .imagenet import ImageNetNet, imagenet_net
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
    "ImageNetNet",
    "Layer",
    "PluginError",
    "Shortcut",
    "anatomy",
    "cifar_net",
    "imagenet_net",
    "register",
]
