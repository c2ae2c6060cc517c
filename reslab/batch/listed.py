"""The lists of names in an experiment file: what each may hold. Raise ValueError, with file and line, for all else."""

from collections.abc import Collection
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from ..names import check_names
from .lines import Lines


def claims(spec: Lines, names: list[Any]) -> tuple[str, ...]:
    """Those of reslab.claims that the study feeds."""
    if not names:
        return ()
    from ..claims import CLAIMS  # here, because of scipy, and most who read a study have no need of it

    return _listed(spec, "claim", names, CLAIMS, "degradation-test", "`reslab claims` shows all")


def probes(spec: Lines, names: list[Any]) -> tuple[str, ...]:
    """Those that look into its nets."""
    if not names:
        return ()
    from ..probes.probing import PROBES

    return _listed(spec, "probe", names, PROBES, "responses", "`reslab probe --help` names all")


def _listed(
    spec: Lines, kind: str, names: list[Any], known: Collection[str], example: str, hint: str
) -> tuple[str, ...]:
    """The names under `kind`s, if all are known and none is there twice."""
    for place, (name, line) in enumerate(zip(names, spec.item_lines(f"{kind}s"), strict=True)):
        if not isinstance(name, str):
            raise spec.error(f"{kind}s should be a list of names, such as {example}, not of {name!r}", line)
        if name not in known:
            (close,) = get_close_matches(name, list(known), n=1, cutoff=0.0)
            raise spec.error(f"there is no {kind} {name!r}; did you mean {close!r}? {hint}", line)
        if name in names[:place]:
            raise spec.error(f"{kind} {name!r} is there twice", line)
    return tuple(names)


def record(spec: Lines, names: list[Any], notebook: Path, takes: list[str]) -> tuple[str, ...]:
    """What its runs keep of their course, if the notebook that trains them takes it."""
    if not names:
        return ()
    from ..training.recording import check_record  # here, because it brings the loop along

    for name, line in zip(names, spec.item_lines("record"), strict=True):
        spec.check(check_record, [name], line=line)
    spec.check(check_names, ["record"], takes, notebook.name, line=spec.lines["record"])
    return check_record(names)
