"""An executed notebook as one HTML page that opens anywhere without a network: text, figures, and code folded away."""

import json
import re
from collections.abc import Mapping
from copy import deepcopy
from datetime import datetime
from html import escape
from pathlib import Path
from typing import Any

import nbformat
from bs4 import BeautifulSoup, Tag
from jinja2 import DictLoader
from latex2mathml.converter import convert as mathml
from nbconvert import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbconvert.preprocessors import CoalesceStreamsPreprocessor
from nbformat import NotebookNode
from plotly.offline import get_plotlyjs
from pygments.formatters import HtmlFormatter

from ..files import write_atomically
from .appendix import sections
from .facts import StudyFacts
from .progress import duration
from .summary import summary

PLOTLY, WIDGET = "application/vnd.plotly.v1+json", "application/vnd.jupyter.widget-view+json"
ANCHOR = "#"  # after a heading, a link to it; nbconvert has ¶ behind those of outputs
PATHS = ("store", "data", "experiment")  # parameters that may hold one: a page is passed round
INJECTED = "injected-parameters"  # papermill's tag for the cell in which it puts what it was given, paths too
CONTENTS_FROM = 3  # sections, from which on a table of contents helps

# What the page may do, enforced by the browser: run what is in it, load nothing. plotly compiles its shaders with eval.
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval' blob:; worker-src blob:; style-src 'unsafe-inline'; "
    "img-src data: blob:; font-src data:; connect-src data: blob:"
)


def write_html(notebook: Path, out: Path, title: str | None = None, appendix: Mapping[str, str] | None = None) -> Path:
    """Writes the executed `notebook` to `out`, one file of some 5 MB, most of it plotly.js, once; returns `out`.

    The title is `title`, or the notebook's first heading, or its file name. Figures are drawn from the outputs that
    plotly's default renderer stores and stay interactive. Nothing is loaded from anywhere: a picture that the text
    names by URL becomes a link. The cell with papermill's parameters, which has this machine's paths, stays out.
    `appendix` are sections that follow, heading -> HTML; one whose heading the notebook has is left out, since the
    notebook has said it. Raises ValueError if there is no such notebook.
    """
    notebook, out = Path(notebook), Path(out)
    if not notebook.is_file():
        raise ValueError(f"there is no notebook {notebook}; execute one first, with papermill say")
    document = nbformat.read(notebook, as_version=4)
    document.cells = [cell for cell in document.cells if INJECTED not in cell.metadata.get("tags", [])]
    _self_contained_outputs(document)
    exporter = HTMLExporter(
        exclude_input_prompt=True,
        exclude_output_prompt=True,
        template_file="report.html.j2",
        extra_loaders=[DictLoader({"report.html.j2": TEMPLATE})],
    )
    # A progress bar writes a piece at a time: one log a cell, as the bar was in the end.
    exporter.register_preprocessor(CoalesceStreamsPreprocessor(), enabled=True)
    exporter.register_filter("report_markdown", lambda text: _markdown(text, notebook.parent))
    body, _ = exporter.from_notebook_node(document)
    soup = BeautifulSoup(body, "html.parser")
    soup.append(BeautifulSoup(_sections(appendix or {}, soup), "html.parser"))
    _offline(soup)
    first = soup.find("h1")
    heading = _text(first) if first else ""
    page = {
        "title": escape(title or heading or notebook.stem),
        "heading": f"<h1>{escape(title or notebook.stem)}</h1>" if not heading else "",
        "facts": _facts(document, notebook),
        "contents": _contents(soup),
        "body": str(soup),
        "policy": POLICY,
        "style": _beside("report.css") + HtmlFormatter(style="friendly").get_style_defs(".highlight"),
        "plotly": f"<script>{get_plotlyjs()}</script>" if soup.find(class_="figure") else "",
        "script": _beside("report.js"),
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(out, re.sub(r"\{\{(\w+)\}\}", lambda found: page[found[1]], PAGE))
    return out


def write_report(notebook: Path, facts: StudyFacts, out: Path) -> tuple[Path, Path]:
    """Writes OUT.html, the executed report `notebook` of a study and all that belongs to it, and OUT.md, its summary.

    The page is the notebook, then verdicts and numbers if it has no such section, what failed, every run's config and
    provenance, and how to repeat it. Both hold what `facts` says and no path of this machine, as far as its commands
    and failures hold none. Returns both paths. Raises ValueError if there is no such notebook.
    """
    page = write_html(notebook, Path(f"{out}.html"), facts.experiment.title, sections(facts))
    text = page.with_suffix(".md")
    write_atomically(text, summary(facts))
    return page, text


def _self_contained_outputs(document: NotebookNode) -> None:
    """Puts HTML in the place of outputs that need a front end: figures, and widgets, which need a kernel too."""
    for cell in document.cells:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if PLOTLY in data:
                output["data"] = {"text/html": _figure(data[PLOTLY])}
            elif WIDGET in data:
                text = "An interactive control stands here: open the notebook in JupyterLab to use it."
                output["data"] = {"text/html": f'<p class="control">{text}</p>'}


def _figure(stored: dict[str, Any]) -> str:
    """A place for a figure and, beside it, its data, which the page's script draws."""
    figure = deepcopy(stored)
    offline = {"responsive": True, "displaylogo": False, "showSendToCloud": False}
    figure["config"] = offline | figure.get("config", {})
    text = json.dumps(figure, separators=(",", ":")).replace("<", "\\u003c")  # no "</script>" inside
    height = figure.get("layout", {}).get("height", 450)
    return f'<div class="figure" style="min-height:{height}px"><script type="application/json">{text}</script></div>'


class _Renderer(IPythonRenderer):
    """Formulas as MathML, which browsers draw themselves: MathJax would come from a network."""

    def block_math(self, body: str) -> str:
        return mathml(body, display="block")

    def inline_math(self, body: str) -> str:
        return mathml(body)


def _markdown(text: str, folder: Path) -> str:
    renderer = _Renderer(escape=False, embed_images=True, path=str(folder), anchor_link_text=ANCHOR)
    return MarkdownWithMath(renderer=renderer).render(text)


def _offline(soup: BeautifulSoup) -> None:
    """Takes out of the page whatever a browser would go and fetch."""
    for element in soup.find_all(src=re.compile(r"^\s*(https?:)?//", re.I)):
        link = soup.new_tag("a", href=element["src"].strip())
        link.string = element.get("alt") or element["src"].strip()
        element.replace_with(link)
    for element in soup.find_all("link"):
        element.decompose()


def _facts(document: NotebookNode, notebook: Path) -> str:
    """When and with what papermill ran the notebook."""
    run = document.metadata.get("papermill", {})
    facts = [notebook.name]
    if run.get("start_time"):
        facts.append(f"run on {datetime.fromisoformat(run['start_time']).astimezone():%-d %B %Y, %H:%M}")
    if run.get("duration"):
        facts.append(duration(run["duration"]))
    shown = {k: v for k, v in run.get("parameters", {}).items() if v not in ("", None) and k not in PATHS}
    facts += [f"{name} = {value}" for name, value in shown.items()]
    failed = '<strong class="failed">stopped by an error</strong>' if run.get("exception") else ""
    return " ".join(f"<span>{escape(fact)}</span>" for fact in facts) + failed


def _sections(appendix: Mapping[str, str], soup: BeautifulSoup) -> str:
    said = {_text(heading) for heading in soup.find_all("h2")}
    return "".join(
        f'<section class="appendix"><h2 id="{escape(re.sub(r"[^a-z]+", "-", heading.lower()))}">{escape(heading)}'
        f"</h2>{content}</section>"
        for heading, content in appendix.items()
        if heading not in said
    )


def _beside(name: str) -> str:
    return (Path(__file__).parent / name).read_text(encoding="utf-8")


def _contents(soup: BeautifulSoup) -> str:
    """Links to the sections, if there are enough of them."""
    sections = [heading for heading in soup.find_all("h2") if heading.get("id")]
    if len(sections) < CONTENTS_FROM:
        return ""
    links = "".join(f'<a href="#{escape(heading["id"])}">{escape(_text(heading))}</a>' for heading in sections)
    return f"<nav>{links}</nav>"


def _text(heading: Tag) -> str:
    """What a heading says, without the link to itself."""
    return heading.get_text().strip().removesuffix(ANCHOR).removesuffix("¶").strip()


TEMPLATE = """{%- extends 'classic/base.html.j2' -%}
{% block codecell %}<section class="cell">{{ super() }}</section>{% endblock %}
{% block input_group %}{% if cell.source.strip() %}<details class="code">
<summary>{{ cell.source.strip().split('\\n')[0] | escape }}</summary>
{{ cell.source | highlight_code(metadata=cell.metadata) }}</details>{% endif %}{% endblock %}
{% block markdowncell scoped %}<section class="prose">{{ cell.source | report_markdown }}</section>{% endblock %}
{% block stream_stderr %}<details class="log"><summary>log</summary>
<pre>{{ output.text | ansi2html }}</pre></details>{% endblock %}
{% block data_latex scoped %}{{ output.data['text/latex'] | report_markdown }}{% endblock %}
{% block data_javascript scoped %}{% endblock %}
"""

PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{{policy}}">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>{{title}}</title>
<style>{{style}}</style></head>
<body><header><div class="facts">{{facts}}</div><button id="code" hidden>Show code</button></header>{{contents}}
<main>{{heading}}{{body}}</main>{{plotly}}<script>{{script}}</script></body></html>
"""
