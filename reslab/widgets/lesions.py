"""Blocks to click away, and the error that is left."""

import random
from collections.abc import Mapping

import ipywidgets as ipw

from ..figures.inside import Key, Look, looks
from ..figures.svg import accent
from ..probes.damage import swappable
from ..probes.lesions import LesionStudy
from .blocks import ROW_CSS, BlockRow, ink_on, row_picture
from .button import Button
from .panel import Panel, html

FEW = 4  # blocks that are deleted together where no front end is
STILL = "In JupyterLab, blocks are clicked away here, and the error follows; the hatched ones change the shape."
HINT = "A number is a block. Click it to delete it, click it again to bring it back; the hatched ones change the shape."


class Lesions(Panel):
    """A row of blocks for each net: whoever deletes one sees what the net's error becomes.

    `studies` has a LesionStudy for each net, by its config. `rows[0].deleted` are the blocks that are gone from the
    first; `delete_one`, `swap_two` and `restore` are what the buttons do, to all nets: nets of as many blocks lose the
    same ones. Where no front end is, the nets are shown whole, without their middle block, and without a few random
    ones.
    """

    name = "lesions"

    def __init__(self, studies: Mapping[Key, LesionStudy], seed: int = 0, live: bool | None = None):
        super().__init__(live)
        self.studies, self.looks = list(studies.values()), looks(list(studies))
        self.seed, self.random = seed, random.Random(seed)
        if self.live:
            self.rows = [self._row(study, look) for study, look in zip(self.studies, self.looks, strict=True)]
            self.buttons = {
                "delete": Button(description="Delete one at random"),
                "swap": Button(description="Swap two at random"),
                "restore": Button(description="Restore all", primary=True),
            }
            for name, action in (("delete", self.delete_one), ("swap", self.swap_two), ("restore", self.restore)):
                self.buttons[name].on_click(self.guarded(action))
            bar = ipw.HBox(list(self.buttons.values()))
            bar.add_class("reslab-bar")
            self.widget = self.wrapped(bar, ipw.HTML(f'<p class="reslab-hint">{HINT}</p>'), *self.rows)

    def still(self):
        nets = list(zip(self.studies, self.looks, strict=True))
        pictures = "".join(self._picture(study, look, count) for count in (0, 1, FEW) for study, look in nets)
        told = f"Errors on {len(self.studies[0].labels):,} images. {STILL}"
        return [html(f'<style>{ROW_CSS}</style>{pictures}<p class="reslab-hint">{told}</p>')]

    def delete_one(self, _button: Button | None = None) -> None:
        """Deletes one more block of each net that has one left."""
        share = self.random.random()
        for row in self.rows:
            left = [block for block in row.blocks if block not in row.deleted]
            if left:
                row.deleted = [*row.deleted, left[int(share * len(left))]]

    def swap_two(self, _button: Button | None = None) -> None:
        """Lets two blocks of one shape change places, in each net that has two."""
        share = self.random.random()
        for row, study in zip(self.rows, self.studies, strict=True):
            pairs = swappable(study)
            if pairs:
                i, j = pairs[int(share * len(pairs))]
                order = list(row.order)
                order[i], order[j] = order[j], order[i]
                row.order = order

    def restore(self, _button: Button | None = None) -> None:
        """Brings all blocks back, to their places."""
        for row in self.rows:
            with row.hold_trait_notifications():
                row.deleted, row.order = [], row.blocks

    def _picture(self, study: LesionStudy, look: Look, count: int) -> str:
        """The row without so many blocks: the middle one, or some at random."""
        middle, draw = [study.blocks[len(study.blocks) // 2]], random.Random(self.seed)
        deleted = middle[:count] if count < 2 else draw.sample(study.blocks, min(count, len(study.blocks)))
        return row_picture(look.label, look.colour, study.blocks, study.reshaping, deleted, study.error(deleted))

    def _row(self, study: LesionStudy, look: Look) -> BlockRow:
        blocks, whole = list(study.blocks), study.error()
        row = BlockRow(
            name=look.label,
            colour=accent(look.colour),
            ink=ink_on(look.colour),
            blocks=blocks,
            order=blocks,
            reshaping=list(study.reshaping),
            answer=dict(deleted=[], order=blocks, error=whole),
            facts=dict(whole=whole, chance=study.chance, images=len(study.labels)),
        )
        row.observe(self.guarded(self._measure), ["deleted", "order"])
        return row

    def _measure(self, change: dict) -> None:
        row = change["owner"]
        if (row.deleted, row.order) == (row.answer["deleted"], row.answer["order"]):
            return
        error = self.studies[self.rows.index(row)].error(row.deleted, row.order)
        row.answer = dict(deleted=list(row.deleted), order=list(row.order), error=error)
