"""A progress bar for train(), in a terminal, in JupyterLab and under papermill alike."""

import os
import sys
from typing import TextIO

from tqdm import tqdm

from .loop import Progress


class ProgressBar:
    """A callable for train(progress=...): one line with the iteration, the errors (percent), speed and time left.

    Plain tqdm: the notebook variant stays at 0 under papermill. Where nobody watches (papermill, a log file), it is
    rewritten every half minute: a long run leaves little output.
    """

    def __init__(self, name: str = "", file: TextIO | None = None):
        self.name, self.file = name, file or sys.stderr
        watched = self.file.isatty() or "JPY_SESSION_NAME" in os.environ
        self.interval = 0.2 if watched else 30.0
        self.bar: tqdm | None = None

    def __call__(self, progress: Progress) -> None:
        if self.bar is None:
            # Made at the first report, so that a resumed run's speed counts what this sitting did.
            self.bar = tqdm(
                desc=self.name,
                total=progress.iterations,
                initial=progress.iteration,
                unit="it",
                file=self.file,
                mininterval=self.interval,
                maxinterval=self.interval,
                ncols=100,
            )
        self.bar.set_description_str(progress.note or self.name, refresh=bool(progress.note))
        if progress.row:
            row = progress.row
            errors = dict(train=f"{row['train_error']:.1f}%", test=f"{row['test_error']:.1f}%")
            self.bar.set_postfix(errors, refresh=False)
        self.bar.update(progress.iteration - self.bar.n)
        if progress.iteration == progress.iterations:
            self.bar.close()
