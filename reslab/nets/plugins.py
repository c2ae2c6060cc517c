"""Shortcuts of your own: a file with one decorated class, named by `plugins=["my_shortcut.py"]` wherever a config is.

    from reslab.nets import Shortcut, register


    @register("half")
    class Half(Shortcut):
        formula = r"y = \\mathcal{F}(x) + 0.5\\,x"

        def merge(self, x, fx):
            return fx + 0.5 * self.identity(x)

A plugin is Python: it runs when a config that names it is made or read.
"""

import hashlib
import linecache
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from types import ModuleType

from ..files import Place, cache_folder, place, read, write_atomically
from .registry import Shortcut, registering_into


class PluginError(ValueError):
    """A plugin file is not there or does not work; the message names the file, the line and what to do."""


@dataclass(frozen=True)
class Plugin:
    """A plugin file as it was when it was read. Two with the same content are equal, wherever they lie."""

    digest: str  # SHA-256 of the content
    path: Path = field(compare=False)
    source: bytes = field(compare=False, repr=False)
    shortcuts: dict[str, type[Shortcut]] = field(compare=False, repr=False)

    @property
    def copy_name(self) -> str:
        """The file's name in a run folder, which keeps a copy."""
        return f"{self.path.stem.removesuffix('-' + self.digest[:8])}-{self.digest[:8]}.py"


def kept_copy(folder: Place, name: str) -> Path:
    """The copy `name` in a run's own folder as a file of this machine, because Python runs files.

    Raises PluginError unless it lies there and holds what its name says.
    """
    path = folder / name
    if name != Path(name).name or name == "..":
        raise PluginError(f"plugins: {path} is not one of the run's own files")
    content = read(path)
    digest = hashlib.sha256(content or b"").hexdigest()
    if content is not None and not path.stem.endswith(digest[:8]):
        raise PluginError(f"plugins: {path} was changed after its run; put its old content back, or delete the run")
    if isinstance(path, Path):
        return path
    if content is None:
        raise PluginError(f"plugins: {path} is not there; put it back, or delete the run")
    copy = cache_folder() / "plugins" / digest / name
    if read(copy) != content:
        copy.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(copy, content)
    return copy


def load_plugin(path: str | Path | Plugin) -> Plugin:
    """Reads and runs a plugin file, or the copy of one that a run keeps on a URL; once for one content.

    Raises PluginError for a file that is not there, registers nothing, or has an error, with the line it is in.
    """
    if isinstance(path, Plugin):
        return path
    if "://" in str(path):
        copy = place(str(path))
        path = kept_copy(copy.parent, copy.name)
    path = Path(path).expanduser()
    try:
        source = path.read_bytes()
    except OSError as error:
        raise PluginError(
            f"plugins: {path} cannot be read ({error.strerror}); write the file or correct the path"
        ) from None
    return _run(path.resolve(), source)


@lru_cache(maxsize=256)
def _run(path: Path, source: bytes) -> Plugin:
    digest = hashlib.sha256(source).hexdigest()
    module, registry = ModuleType(f"{path.stem}_{digest[:8]}"), {}
    module.__file__ = str(path)
    linecache.checkcache(str(path))  # so that a traceback shows the lines of this version
    token = registering_into.set(registry)
    sys.modules[module.__name__] = module  # where dataclasses and pickle look for it
    try:
        exec(compile(source, str(path), "exec"), module.__dict__)
    except (Exception, SystemExit) as error:
        del sys.modules[module.__name__]
        raise PluginError(f"plugins: {explain(error, [path]) or f'{path}: {_said(error)}'}") from None
    finally:
        registering_into.reset(token)
    if not registry:
        raise PluginError(
            f"plugins: {path} registers no shortcut; put @register('its-name') before a class Name(Shortcut)"
        )
    for name, cls in registry.items():
        if not (isinstance(cls, type) and issubclass(cls, Shortcut)):
            raise PluginError(f"plugins: {path}: {name!r} is not a Shortcut; write class Name(Shortcut)")
    return Plugin(digest, path, source, registry)


def explain(error: BaseException, paths: Sequence[Path]) -> str | None:
    """Which line of one of `paths` an error came through, as a sentence; None if through none of them."""
    names = {str(path): Path(path).name for path in paths}
    if isinstance(error, SyntaxError) and error.filename in names:
        return f"{names[error.filename]}, line {error.lineno}: {_said(error)}"
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if frame.filename in names:
            where = f" in {frame.name}" if frame.name != "<module>" else ""
            return f"{names[frame.filename]}, line {frame.lineno}{where}: {_said(error)}"
    return None


@contextmanager
def naming_lines(plugins: Sequence[Plugin]) -> Iterator[None]:
    """Turns an exception that comes out of a plugin's code into a PluginError that names the file and the line."""
    try:
        yield
    except Exception as error:
        told = None if isinstance(error, PluginError) else explain(error, [plugin.path for plugin in plugins])
        if told is None:
            raise
        raise PluginError(told) from None


def _said(error: BaseException) -> str:
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
