"""Commands whose modules are imported when they are used: `reslab runs` answers before torch would be loaded."""

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand


class LazyCommand(TyperCommand):
    """Stands for the command of the same name until it is used."""

    def load(self):
        """The command itself: that of its module's `app`."""
        return typer.main.get_command(import_module(f".{self.name}", __package__).app)

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any):
        return self.load().make_context(info_name, args, parent=parent, **extra)


def add(app: typer.Typer, **commands: str) -> None:
    """Gives `app` the command of each module named in this folder, with what its list of commands says of it."""
    for name, text in commands.items():
        app.command(name, cls=LazyCommand, help=text)(lambda: None)
