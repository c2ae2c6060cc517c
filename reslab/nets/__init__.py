"""The nets, their blocks and shortcuts, and their layer tables."""

from .anatomy import Anatomy, Layer, anatomy
from .cifar import CifarNet, cifar_net
from .construction import deepened, padding_projection
from .imagenet import ImageNetNet, imagenet_net
from .orders import ORDERS
from .pair import BlockPair, block_pair
from .plugins import PluginError
from .registry import SHORTCUTS, Shortcut, register
from .shortcuts import IdentityPadded

__all__ = [
    "ORDERS",
    "SHORTCUTS",
    "Anatomy",
    "BlockPair",
    "CifarNet",
    "IdentityPadded",
    "ImageNetNet",
    "Layer",
    "PluginError",
    "Shortcut",
    "anatomy",
    "block_pair",
    "cifar_net",
    "deepened",
    "imagenet_net",
    "padding_projection",
    "register",
]
