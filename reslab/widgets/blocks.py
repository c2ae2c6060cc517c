"""A net's blocks in a row, to delete by a click."""

from collections.abc import Collection, Sequence
from html import escape
from itertools import groupby
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from ..figures.svg import accent

ROW_CSS = Path(__file__).with_name("blocks.css").read_text()


class BlockRow(anywidget.AnyWidget):
    """The blocks of a net, stage by stage, as buttons: pressing one deletes it, pressing it again brings it back.

    `blocks` are the names in the order of training, such as stage1.block1; `order` is the one in which they run now.
    A press changes `deleted`, the names in the order of training; who observes it sets `answer`: {"deleted", "order",
    "error"}, the error in percent. Until it is about what is shown, the row says that it is being measured. `facts`
    are {"whole": error of the whole net, "chance": of guessing, "images": how many}. `views` is there because the first
    change of any widget goes to the main thread, as in Button.
    """

    _esm = Path(__file__).with_name("blocks.js")
    _css = ROW_CSS

    name = traitlets.Unicode(help="the net's name").tag(sync=True)
    colour = traitlets.Unicode(help="CSS").tag(sync=True)
    ink = traitlets.Unicode(help="of what is written on that colour").tag(sync=True)
    blocks = traitlets.List(traitlets.Unicode()).tag(sync=True)
    reshaping = traitlets.List(traitlets.Unicode(), help="blocks that change the shape").tag(sync=True)
    order = traitlets.List(traitlets.Unicode()).tag(sync=True)
    deleted = traitlets.List(traitlets.Unicode()).tag(sync=True)
    answer = traitlets.Dict().tag(sync=True)
    facts = traitlets.Dict().tag(sync=True)
    views = traitlets.Int().tag(sync=True)

    @traitlets.validate("deleted")
    def _in_order(self, proposal: Any) -> list[str]:
        wanted = set(proposal["value"])
        return [name for name in self.blocks if name in wanted]


def row_picture(
    name: str, colour: str, blocks: Sequence[str], reshaping: Collection[str], deleted: Collection[str], error: float
) -> str:
    """The row as HTML, for where no front end is: without ROW_CSS it is nothing to look at."""
    lost = f"{len(deleted)} of {len(blocks)} blocks deleted" if deleted else "nothing deleted"
    stages = []
    for _stage, members in groupby(blocks, lambda block: block.partition(".")[0]):
        cells = "".join(_cell(block, block in reshaping, block in deleted) for block in members)
        stages.append(f'<div class="reslab-lesion-stage"><div class="reslab-lesion-blocks">{cells}</div></div>')
    return (
        f'<div class="reslab-lesion" style="--reslab-net:{accent(colour)};--reslab-on:{ink_on(colour)}">'
        '<div class="reslab-lesion-head">'
        f'<span class="reslab-dot"></span><b>{escape(name)}</b><span class="reslab-lesion-now">{error:.1f} %</span>'
        f'<span class="reslab-lesion-told">{lost}</span></div>'
        f'<div class="reslab-lesion-row">{"".join(stages)}</div></div>'
    )


def ink_on(colour: str) -> str:
    """Black or white, whichever is easier to read on "#rrggbb"."""
    red, green, blue = bytes.fromhex(colour[1:])
    return "#000" if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else "#fff"


def _cell(block: str, reshapes: bool, gone: bool) -> str:
    looks = "reslab-lesion-block" + " reslab-lesion-entry" * reshapes + " reslab-lesion-gone" * gone
    title = block + ", deleted" * gone
    return f'<span class="{looks}" title="{title}">{block.rpartition("block")[2]}</span>'
