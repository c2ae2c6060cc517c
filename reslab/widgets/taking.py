"""Panel 4: the design as Python, as a command line and as an experiment file, to copy."""

from html import escape

import ipywidgets as ipw

from ..batch.sharing import as_command, as_experiment, as_python
from ..training.config import RunConfig
from .panel import Panel, html
from .snippet import Snippet

FORMS = {"Python": as_python, "Command line": as_command, "Experiment file": as_experiment}


class Take(Panel):
    """`snippets[form].text` is the config last given to `show`."""

    name = "take"

    def __init__(self, config: RunConfig, live: bool | None = None):
        super().__init__(live)
        self.config = config
        if self.live:
            self.snippets = {form: Snippet(language=form) for form in FORMS}
            hint = "Save the last as mine.yaml: in that folder, reslab reproduce mine.yaml trains it, with error bars."
            box = ipw.GridBox(list(self.snippets.values()))
            box.add_class("reslab-snippets")
            self.widget = self.wrapped(box, ipw.HTML(f'<p class="reslab-hint">{hint}</p>'))
            self.show(config)

    def still(self):
        return [html("".join(f"<pre>{escape(write(self.config))}</pre>" for write in FORMS.values()))]

    def show(self, config: RunConfig) -> None:
        self.config = config
        if self.live:
            for form, write in FORMS.items():
                self.snippets[form].text = write(config)
