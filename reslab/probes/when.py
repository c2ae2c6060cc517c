"""When in its life a net is looked at, and whether it can be."""

TRAINED, INITIAL = "trained", "initial"


def check_at(at: str | int) -> None:
    """Raises ValueError unless `at` is "trained", "initial" or the number of an iteration."""
    if at not in (TRAINED, INITIAL) and (type(at) is not int or at < 0):
        raise ValueError(
            f"at={at!r} is not possible; allowed: {TRAINED}, {INITIAL}, an iteration of a run that recorded it"
        )


class DoesNotApply(ValueError):
    """A probe has nothing to look at in such a net; the message says why."""
