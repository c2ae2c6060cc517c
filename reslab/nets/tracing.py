"""torch.fx tracing that other threads of the process do not notice."""

import threading
from collections.abc import Callable
from typing import Any

from torch import fx, nn

_ONE_AT_A_TIME = threading.Lock()


class Tracer(fx.Tracer):
    """A tracer that leaves the nets of other threads alone: a widget draws a net while a cell may be training one.

    torch.fx replaces nn.Module.__call__ for the whole process while it traces: it must do so once at a time, or it puts
    the wrong function back, and calls of other threads must go through. A subclass overrides `call_here` in place of
    `call_module`.
    """

    def trace(self, root: nn.Module, concrete_args: dict[str, Any] | None = None) -> fx.Graph:
        with _ONE_AT_A_TIME:
            self._thread = threading.get_ident()
            return super().trace(root, concrete_args)

    def call_module(self, module: nn.Module, forward: Callable, args: tuple, kwargs: dict[str, Any]) -> Any:
        if threading.get_ident() != self._thread:
            return forward(*args, **kwargs)
        return self.call_here(module, forward, args, kwargs)

    def call_here(self, module: nn.Module, forward: Callable, args: tuple, kwargs: dict[str, Any]) -> Any:
        return super().call_module(module, forward, args, kwargs)
