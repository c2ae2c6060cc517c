"""Blocks to click away, and the error that is left."""

import random
from collections.abc import Mapping

import ipywidgets as ipw

from ..figures.lesions import default_colours
from ..probes.damage import swappable
from ..probes.lesions import LesionStudy
from .blocks import ROW_CSS, BlockRow, row_picture
from .button import Button
from .panel import Panel, html

FEW = 4  # blocks that are deleted together where no front end is
STILL = "In JupyterLab, blocks are clicked away here, and the error follows; the hatched ones change the shape."
HINT = "A number is a block. Click it to delete it, click it again to bring it back; the hatched ones change the shape."


class Lesions(Panel):
    """A row of blocks for each net: whoever deletes one sees what the net's error becomes.

    `studies` maps a net's name to its LesionStudy, `colours` to its colour "#rrggbb". `rows[name].deleted` are the
    blocks that are gone; `delete_one`, `swap_two` and `restore` are what the buttons do, to all nets: nets of as many
    blocks lose the same ones. Where no front end is, the nets are shown whole, without their middle block, and without
    a few random ones.
    """

    name = "lesions"

    def __init__(
        self,
        studies: Mapping[str, LesionStudy],
        colours: Mapping[str, str] | None = None,
        seed: int = 0,
        live: bool | None = None,
    ):
        super().__init__(live)
        self.studies, self.colours = dict(studies), colours or default_colours(studies)
        self.seed, self.random = seed, random.Random(seed)
        self.whole = {name: study.error() for name, study in self.studies.items()}
        self.rows = {name: self._row(name) for name in self.studies} if self.live else {}
        if self.live:
            self.buttons = {
                "delete": Button(description="Delete one at random"),
                "swap": Button(description="Swap two at random"),
                "restore": Button(description="Restore all", primary=True),
            }
            for name, action in (("delete", self.delete_one), ("swap", self.swap_two), ("restore", self.restore)):
                self.buttons[name].on_click(self.guarded(action))
            bar = ipw.HBox(list(self.buttons.values()))
            bar.add_class("reslab-bar")
            self.widget = self.wrapped(bar, ipw.HTML(f'<p class="reslab-hint">{HINT}</p>'), *self.rows.values())

    def still(self):
        images = len(next(iter(self.studies.values())).labels)
        pictures = "".join(self._picture(name, count) for count in (0, 1, FEW) for name in self.studies)
        return [
            html(f'<style>{ROW_CSS}</style>{pictures}<p class="reslab-hint">Errors on {images:,} images. {STILL}</p>')
        ]

    def delete_one(self, _button: Button | None = None) -> None:
        """Deletes one more block of each net that has one left."""
        share = self.random.random()
        for row in self.rows.values():
            left = [block for block in row.blocks if block not in row.deleted]
            if left:
                row.deleted = [*row.deleted, left[int(share * len(left))]]

    def swap_two(self, _button: Button | None = None) -> None:
        """Lets two blocks of one shape change places, in each net that has two."""
        share = self.random.random()
        for name, row in self.rows.items():
            pairs = swappable(self.studies[name])
            if pairs:
                i, j = pairs[int(share * len(pairs))]
                order = list(row.order)
                order[i], order[j] = order[j], order[i]
                row.order = order

    def restore(self, _button: Button | None = None) -> None:
        """Brings all blocks back, to their places."""
        for row in self.rows.values():
            with row.hold_trait_notifications():
                row.deleted, row.order = [], row.blocks

    def _picture(self, name: str, count: int) -> str:
        """The row without so many blocks: the middle one, or some at random."""
        study = self.studies[name]
        middle, draw = [study.blocks[len(study.blocks) // 2]], random.Random(self.seed)
        deleted = middle[:count] if count < 2 else draw.sample(study.blocks, min(count, len(study.blocks)))
        return row_picture(name, self.colours[name], study.blocks, study.reshaping, deleted, study.error(deleted))

    def _row(self, name: str) -> BlockRow:
        study = self.studies[name]
        blocks = list(study.blocks)
        row = BlockRow(
            name=name,
            colour=self.colours[name],
            blocks=blocks,
            order=blocks,
            reshaping=study.reshaping,
            answer=dict(deleted=[], order=blocks, error=self.whole[name]),
            facts=dict(whole=self.whole[name], chance=study.chance, images=len(study.labels)),
        )
        row.observe(self.guarded(self._measure), ["deleted", "order"])
        return row

    def _measure(self, change: dict) -> None:
        row = change["owner"]
        if (row.deleted, row.order) == (row.answer["deleted"], row.answer["order"]):
            return
        error = self.studies[row.name].error(row.deleted, row.order)
        row.answer = dict(deleted=list(row.deleted), order=list(row.order), error=error)
