"""The loss around nets as contours and as surfaces in space, side by side on one scale, with the path of training."""

import textwrap
from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from ..probes.surface import Surface
from .heights import UNITS, Heights, number, pictures, values
from .style import FAINT, FONT, INK, TEMPLATE, headline
from .surface_marks import Places, marks_flat, marks_in_space

ROW = 3  # nets side by side; more go below
EYE = (1.35, 1.35, 1.4)  # of the camera: from above a corner
WIDE = 110  # characters in a line below the title
SQUARE = 1.5  # ratio of a plane's sides up to which it is drawn to scale
HOVER = (
    "x = %{x:.3g}, y = %{y:.3g}<br>loss %{customdata[0]:.4g}<br>error %{customdata[1]:.4g} %<extra>%{meta.net}</extra>"
)


def loss_contours(
    surfaces: Sequence[Surface],
    what: str = "loss",
    scale: str = "log",
    top: float | None = None,
    data: str = "",
    places: Places | None = None,
) -> go.Figure:
    """The "loss" or the "error" around each net, seen from above, all with the same colours and contour lines.

    What is above `top` is cut, and grey; without a `top` that is a loss above 100 where the `scale` is "log", above
    10 where it is "linear". A surface on its way is drawn point by point, with holes. The path of training, if there is
    one, lies on it with its start and end marked. `places` are other
    things to mark, (x, y) by name, such as the nets that the plane goes through. `data` is the data set's name, for the
    title.

    Raises ValueError for no surfaces, for a line instead of a plane, and for what `Heights.of` refuses.
    """
    heights = Heights.of(_planes(surfaces), what, scale, top)
    figure, panels = _panels(surfaces, "xy", heights, data)
    for surface, place in zip(surfaces, panels, strict=True):
        figure.add_traces([_seen_from_above(surface, heights), *marks_flat(surface, places or {})], *place)
        figure.update_xaxes(range=[surface.x[0], surface.x[-1]], row=place[0], col=place[1])
        figure.update_yaxes(range=[surface.y[0], surface.y[-1]], row=place[0], col=place[1])
        across, up = surface.x[-1] - surface.x[0], surface.y[-1] - surface.y[0]
        if 1 / SQUARE <= across / up <= SQUARE:
            scene = figure.get_subplot(*place)
            scene.yaxis.update(scaleanchor=scene.yaxis.anchor, constrain="domain")
            scene.xaxis.update(constrain="domain")
    figure.update_xaxes(title="x", showgrid=False)
    return figure.update_yaxes(title=dict(text="y", standoff=4), showgrid=False)


def loss_surfaces(
    surfaces: Sequence[Surface],
    what: str = "loss",
    scale: str = "log",
    top: float | None = None,
    data: str = "",
    places: Places | None = None,
) -> go.Figure:
    """The same as `loss_contours` as landscapes that can be turned, all with the same heights and colours.

    layout.meta names the scenes whose cameras belong together: a live Plot turns them as one.
    """
    heights = Heights.of(_planes(surfaces), what, scale, top)
    figure, panels = _panels(surfaces, "scene", heights, data)
    for surface, place in zip(surfaces, panels, strict=True):
        figure.add_traces([*_in_space(surface, heights), *marks_in_space(surface, heights, places or {})], *place)
    line = dict(gridcolor="#d5d8de", backgroundcolor="white", tickfont=dict(size=12), title=dict(font=dict(size=15)))
    high = dict(range=heights.room, title=dict(text=what, font=dict(size=15))) | heights.ticks
    figure.update_scenes(
        xaxis=line | dict(title=dict(text="x"), nticks=5),
        yaxis=line | dict(title=dict(text="y"), nticks=5),
        zaxis=line | high,
        camera=_camera(surfaces),
        aspectmode="manual",
        aspectratio=dict(x=1, y=1, z=0.75),
        dragmode="turntable",
        uirevision="surface",
    )
    return figure.update_layout(meta=dict(linked=[f"scene{i or ''}" for i in (0, *range(2, len(surfaces) + 1))]))


def _planes(surfaces: Sequence[Surface]) -> Sequence[Surface]:
    if not surfaces:
        raise ValueError("there is no surface to draw; give at least one, as reslab.probes.surface makes them")
    for surface in surfaces:
        if len(surface.y) < 2:
            raise ValueError(f"the surface of {surface.name} is a line; draw it with loss_profile")
    return surfaces


def _panels(
    surfaces: Sequence[Surface], kind: str, heights: Heights, data: str
) -> tuple[go.Figure, list[tuple[int, int]]]:
    """An empty figure with a place (row, column) for each surface, and the colour scale that they share."""
    columns = min(ROW, len(surfaces))
    rows = -(-len(surfaces) // columns)
    figure = make_subplots(
        rows,
        columns,
        specs=[[dict(type=kind)] * columns] * rows,
        subplot_titles=[_panel_title(surface, heights.what, _own_planes(surfaces)) for surface in surfaces],
        horizontal_spacing=0.09 if kind == "xy" else 0.02,
        vertical_spacing=0.24 / rows,
    )
    rest = _rest(surfaces, heights, data)
    head = 26 * len(rest) + 22 * max(note.text.count("<br>") for note in figure.layout.annotations) + 104
    bar = dict(title=dict(text=UNITS[heights.what], side="right"), thickness=16, outlinewidth=0) | heights.ticks
    figure.update_layout(
        template=TEMPLATE,
        title=dict(text=headline(f"{heights.what.capitalize()} around {_what_nets(surfaces)}", "<br>".join(rest))),
        height=head + 390 * rows + 50,
        margin=dict(t=head, b=50, l=60, r=20) if kind == "xy" else dict(t=head, b=10, l=0, r=20),
        showlegend=False,
        hoverlabel=dict(font=dict(color=INK)),  # else it takes the frame's pale grey
        uirevision="surface",
        coloraxis=dict(colorscale=heights.colours, cmin=heights.room[0], cmax=heights.room[1], colorbar=bar),
    )
    figure.update_annotations(font=dict(size=17, family=FONT), yshift=8)
    return figure, [(i // columns + 1, i % columns + 1) for i in range(len(surfaces))]


def _what_nets(surfaces: Sequence[Surface]) -> str:
    names = list(dict.fromkeys(surface.name for surface in surfaces))
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _rest(surfaces: Sequence[Surface], heights: Heights, data: str) -> list[str]:
    """Which pictures, which plane and which scale: the lines below the title."""
    images = " / ".join(dict.fromkeys(map(pictures, surfaces))) + f" of {data}" * bool(data)
    plane = "each in a plane of its own" if _own_planes(surfaces) else surfaces[0].directions
    same = "the same " if len(surfaces) > 1 else ""
    return [*textwrap.wrap(f"{images}; {plane}", WIDE), same + heights.told]


def _own_planes(surfaces: Sequence[Surface]) -> bool:
    """Whether the panels have to say what their planes are: training's path holds another share in each net."""
    return len({surface.directions for surface in surfaces}) > 1


def _panel_title(surface: Surface, what: str, own: bool) -> str:
    """The net, and between which values its plane lies, or how far it is; with `own` also what its plane is."""
    known = values(surface, what)
    known = known[~np.isnan(known)]
    unit = " %" if what == "error" else ""
    told = f"{what} {number(known.min())} to {number(known.max())}{unit}" if len(known) else ""
    if surface.done < surface.total:
        told = f"{surface.done:,} of {surface.total:,} points" + f", {told}" * bool(told)
    lines = [*(textwrap.wrap(surface.directions, WIDE // 2) if own else []), told]
    return f"<b>{surface.name}</b><br><span style='font-size:15px;color:{FAINT}'>{'<br>'.join(lines)}</span>"


def _camera(surfaces: Sequence[Surface]) -> dict:
    """Above the corner at which the losses are lowest together: a wall in front would hide what is behind it. The same
    for whatever is drawn of them, and until the last point is there.
    """
    heights = Heights.of(surfaces)
    height = {(x, y): 0.0 for x in (1, -1) for y in (-1, 1)}
    for surface in surfaces if all(s.done == s.total for s in surfaces) else ():
        z = heights.place(values(surface, "loss"))
        middle = z.shape[0] // 2, z.shape[1] // 2
        for x, y in height:
            rows = z[middle[0] :] if y > 0 else z[: middle[0] + 1]
            corner = rows[:, middle[1] :] if x > 0 else rows[:, : middle[1] + 1]
            height[x, y] += float(corner.mean())
    x, y = min(height, key=height.get)
    return dict(eye=dict(x=x * EYE[0], y=y * EYE[1], z=EYE[2]), center=dict(x=0, y=0, z=-0.17))


def _both(surface: Surface) -> np.ndarray:
    """Loss and error [y, x, 2], for the words under the pointer."""
    return np.stack([values(surface, "loss"), values(surface, "error")], axis=-1)


def _words(surface: Surface) -> np.ndarray:
    """The same written out [y, x]: plotly.js swaps rows and columns of a surface's customdata, and not of its text."""
    words = [
        [
            f"x = {x:.3g}, y = {y:.3g}<br>loss {loss:.4g}<br>error {error:.4g} %"
            for x, loss, error in zip(surface.x, losses, errors, strict=True)
        ]
        for y, losses, errors in zip(surface.y, surface.loss, surface.error, strict=True)
    ]
    return np.array(words)  # plotly takes each list in a list for one text


def _seen_from_above(surface: Surface, heights: Heights) -> go.Contour | go.Heatmap:
    """Contours, or as long as points are missing, a field for each: lines need neighbours."""
    common = dict(
        x=surface.x,
        y=surface.y,
        z=heights.place(values(surface, heights.what)),
        customdata=_both(surface),
        coloraxis="coloraxis",
        hovertemplate=HOVER,
        hoverongaps=False,
        meta=dict(net=surface.name, kind="plane"),
    )
    if surface.done < surface.total:
        return go.Heatmap(**common)
    start = heights.level * np.ceil(heights.ends[0] / heights.level)
    lines = dict(coloring="heatmap", start=start, end=heights.ends[1], size=heights.level)
    return go.Contour(**common, contours=lines, line=dict(color="rgba(31,36,48,0.55)", width=0.8))


def _in_space(surface: Surface, heights: Heights) -> list[go.Surface | go.Scatter3d]:
    """The surface, and as long as points are missing, those that are there: a surface needs neighbours."""
    z, both = heights.place(values(surface, heights.what)), _both(surface)
    traces: list[go.Surface | go.Scatter3d] = [
        go.Surface(
            x=surface.x,
            y=surface.y,
            z=z,
            text=_words(surface),
            hoverinfo="text",
            coloraxis="coloraxis",
            lighting=dict(ambient=0.72, diffuse=0.5, specular=0.08, roughness=0.9),
            meta=dict(net=surface.name, kind="plane"),
        )
    ]
    if surface.done < surface.total:
        rows, columns = np.nonzero(~np.isnan(z))
        traces.append(
            go.Scatter3d(
                x=np.array(surface.x)[columns],
                y=np.array(surface.y)[rows],
                z=z[rows, columns],
                customdata=both[rows, columns],
                mode="markers",
                marker=dict(size=3, color=z[rows, columns], coloraxis="coloraxis"),
                hovertemplate=HOVER,
                meta=dict(net=surface.name, kind="points"),
            )
        )
    return traces
