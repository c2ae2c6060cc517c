"""The C++ kernels, compiled for this very CPU by the system's compiler when they are first needed, and kept."""

import ctypes
import functools
import hashlib
import os
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path

from ..files import cache_folder, write_atomically

FOLDER = Path(__file__).parent
# native: the widest vectors of this CPU.
FLAGS = ("-std=c++17", "-O3", "-march=native", "-shared", "-fPIC")
OWN_FLAGS = {"norm": ("-fopenmp",)}  # torch's own threads, whose library is loaded already

POINTER, INT, INT64, FLOAT = ctypes.c_void_p, ctypes.c_int, ctypes.c_int64, ctypes.c_float
FORWARD = [INT64, INT64, *[POINTER] * 9, FLOAT, FLOAT, INT, INT, INT]
BACKWARD = [INT64, INT64, *[POINTER] * 11, INT]
# Of each source: what its functions take, and give if anything.
SIGNATURES: dict[str, dict[str, tuple[list[type], type | None]]] = dict(
    norm={
        f"{precision}_{name}": (types, None)
        for precision in ("float32", "bfloat16")
        for name, types in (("forward", FORWARD), ("backward", BACKWARD))
    },
    conv=dict(
        convolve=([INT64, POINTER, INT64], None),
        convolve_weights=([*[INT64] * 4, *[POINTER] * 5], None),
        convolve_channels=([INT64], INT64),
        **{f"convolve_{name}": ([], INT64) for name in ("lanes", "group", "reduced")},
    ),
)


class BuildError(Exception):
    """The kernels cannot be compiled here; the message says why and what to do."""


@functools.cache
def kernels(source: str = "norm") -> ctypes.CDLL:
    """The compiled kernels of norm.cpp or conv.cpp: from the cache, or built in some seconds. Raises BuildError."""
    compiler = _compiler()
    path = cache_folder() / f"kernels-{_fingerprint(compiler, source)}.so"
    try:
        try:
            library = ctypes.CDLL(str(path))
        except OSError:  # not there, or damaged
            _build(compiler, source, path)
            library = ctypes.CDLL(str(path))
    except OSError as error:
        raise BuildError(f"{error}; set RESLAB_CACHE to a folder that programs can be loaded from") from None
    for name, (takes, gives) in SIGNATURES[source].items():
        function = getattr(library, name)
        function.argtypes, function.restype = takes, gives
    return library


def _compiler() -> list[str]:
    """CXX, where set, else the first C++ compiler there is, as a command without arguments of ours."""
    commands = [shlex.split(os.environ.get("CXX", ""))] if os.environ.get("CXX") else [["g++"], ["c++"], ["clang++"]]
    for program, *rest in commands:
        if found := shutil.which(program):
            return [found, *rest]
    names = ", ".join(command[0] for command in commands)
    raise BuildError(f"there is no C++ compiler ({names}); install g++, or set CXX to yours")


def _run(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    except OSError as error:
        raise BuildError(f"{command[0]} cannot be run: {error}") from None
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if "error" in line] or done.stderr.splitlines() or ["?"]
        raise BuildError(f"{command[0]} ended with {done.returncode}: {lines[0].strip()}")
    return done.stdout


def _flags(source: str) -> tuple[str, ...]:
    return (*FLAGS, *OWN_FLAGS.get(source, ()))


def _fingerprint(compiler: list[str], source: str = "norm") -> str:
    """Of the sources, the flags, the compiler's version and what "native" means on this CPU: all are in its macros."""
    macros = _run([*compiler, *_flags(source), "-dM", "-E", "-x", "c++", "/dev/null"])
    files = [_path(source), *sorted(FOLDER.glob("*.h"))]
    read = b"".join(file.read_bytes() for file in files) + macros.encode() + " ".join(_flags(source)).encode()
    return hashlib.sha256(read).hexdigest()[:16]


def _path(source: str) -> Path:
    return FOLDER / f"{source}.cpp"


def _build(compiler: list[str], source: str, path: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder) / path.name
        _run([*compiler, *_flags(source), str(_path(source)), "-o", str(fresh)])
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, fresh.read_bytes())  # two processes may build at once: the last one stays
