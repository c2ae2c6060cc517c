"""The explorer: design a net, train it, watch it against others, take it with you."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from IPython.display import display

from ..runs import RunStore
from ..training.config import RunConfig
from .design import Design
from .following import Following
from .panel import Panel, html
from .taking import Take
from .ticker import Ticker
from .training import Train
from .watching import Watch

CLOSED = "This explorer is read-only: runs can be watched here, and are started elsewhere."
STILL = "In JupyterLab the buttons that train the design above stand here."


class Explorer:
    """Four panels, each of which a cell can show: `design`, `train`, `watch` and `take`. The explorer itself shows all.

    `config` is the present design.
    """

    def __init__(self, design: Design, train: "Train | Closed", watch: Watch, take: Take):
        self.design, self.train, self.watch, self.take = design, train, watch, take

    @property
    def config(self) -> RunConfig:
        return self.design.config

    def add_plugin(self, path: str | Path) -> None:
        """Makes the shortcuts of a file of your own choosable, and chooses the first.

        Raises PluginError, with the line, for a file that does not work.
        """
        self.design.add_plugin(path)

    def _ipython_display_(self) -> None:
        for panel in (self.design, self.train, self.watch, self.take):
            display(panel)


class Closed(Panel):
    """In the place of the buttons, where nothing may be started."""

    name = "train"

    def __init__(self, live: bool | None = None):
        super().__init__(live)
        if self.live:
            import ipywidgets as ipw

            self.widget = self.wrapped(ipw.HTML(f'<p class="reslab-hint">{CLOSED}</p>'))

    def still(self):
        return [html(f'<p class="reslab-hint">{STILL}</p>')]

    def refresh(self) -> None:
        """There is nothing to look at."""


def explorer(
    store: str | Path | RunStore | None = None,
    *,
    data: str | Path | None = None,
    plugins: Iterable[str | Path] = (),
    read_only: bool | None = None,
    live: bool | None = None,
    seeds: int = 0,
    **design: Any,
) -> Explorer:
    """The explorer over the runs of `store`, beginning with the net that the RunConfig fields in `design` describe.

    `plugins` are files with shortcuts of your own, to choose from. With `read_only` (default: whether RESLAB_READ_ONLY
    is set) nobody can start training or write a file. `live` says whether a front end shows widgets (default: found
    out); without one the panels are still pictures, of all runs of the design's profile and data set, or of the first
    `seeds` of each net. Raises ValueError for a field or value that cannot be.
    """
    store = store if isinstance(store, RunStore) else RunStore(store)
    read_only = bool(os.environ.get("RESLAB_READ_ONLY")) if read_only is None else read_only
    plugins = list(plugins)
    panel = Design(RunConfig.from_dict(design | dict(plugins=plugins)), plugins, live)
    watch = Watch(Following(store, None if panel.live else _of_the_profile(store, panel.config, seeds)), live)
    take = Take(panel.config, live)
    closed = read_only or not panel.live
    train = Closed(live) if closed else Train(store, panel.settled, data=data, live=live)
    panel.changed.append(lambda: take.show(panel.config))
    if not closed:
        panel.changed.append(train.announce)
        train.added.append(watch.guarded(watch.show))
    if panel.live:

        def tick() -> None:
            train.guarded(train.refresh)()
            watch.guarded(watch.refresh)()

        Ticker(tick, watch.following.every)
    return Explorer(panel, train, watch, take)


def _of_the_profile(store: RunStore, config: RunConfig, seeds: int) -> list[str]:
    """Ids of the runs that are comparable with `config`, of every seed or of the first `seeds`."""
    found = store.find(profile=config.profile, dataset=config.dataset)
    return [run.id for run in found if not seeds or run.config.seed < seeds]
