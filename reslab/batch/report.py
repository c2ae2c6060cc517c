"""An executed notebook as one HTML page that opens anywhere without a network: text, figures, and code folded away."""

import json
import re
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
from nbformat import NotebookNode
from plotly.offline import get_plotlyjs
from pygments.formatters import HtmlFormatter

from .progress import duration

PLOTLY, WIDGET = "application/vnd.plotly.v1+json", "application/vnd.jupyter.widget-view+json"
ANCHOR = "#"  # after a heading, a link to it
CONTENTS_FROM = 3  # sections, from which on a table of contents helps

# What the page may do, enforced by the browser: run what is in it, load nothing. plotly compiles its shaders with eval.
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval' blob:; worker-src blob:; style-src 'unsafe-inline'; "
    "img-src data: blob:; font-src data:; connect-src data: blob:"
)


def write_html(notebook: Path, out: Path, title: str | None = None) -> Path:
    """Writes the executed `notebook` to `out`, one file of some 5 MB, most of it plotly.js, once; returns `out`.

    The title is `title`, or the notebook's first heading, or its file name. Figures are drawn from the outputs that
    plotly's default renderer stores and stay interactive. Nothing is loaded from anywhere: a picture that the text
    names by URL becomes a link. Raises ValueError if there is no such notebook.
    """
    notebook, out = Path(notebook), Path(out)
    if not notebook.is_file():
        raise ValueError(f"there is no notebook {notebook}; execute one first, with papermill say")
    document = nbformat.read(notebook, as_version=4)
    _self_contained_outputs(document)
    exporter = HTMLExporter(
        exclude_input_prompt=True,
        exclude_output_prompt=True,
        template_file="report.html.j2",
        extra_loaders=[DictLoader({"report.html.j2": TEMPLATE})],
    )
    exporter.register_filter("report_markdown", lambda text: _markdown(text, notebook.parent))
    body, _ = exporter.from_notebook_node(document)
    soup = BeautifulSoup(body, "html.parser")
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
        "style": STYLE + HtmlFormatter(style="friendly").get_style_defs(".highlight"),
        "plotly": f"<script>{get_plotlyjs()}</script>" if soup.find(class_="figure") else "",
        "script": SCRIPT,
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(re.sub(r"\{\{(\w+)\}\}", lambda found: page[found[1]], PAGE), encoding="utf-8")
    return out


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
    shown = {k: v for k, v in run.get("parameters", {}).items() if v not in ("", None) and k not in ("store", "data")}
    facts += [f"{name} = {value}" for name, value in shown.items()]  # a page is passed round: no paths
    failed = '<strong class="failed">stopped by an error</strong>' if run.get("exception") else ""
    return " ".join(f"<span>{escape(fact)}</span>" for fact in facts) + failed


def _contents(soup: BeautifulSoup) -> str:
    """Links to the sections, if there are enough of them."""
    sections = [heading for heading in soup.find_all("h2") if heading.get("id")]
    if len(sections) < CONTENTS_FROM:
        return ""
    links = "".join(f'<a href="#{escape(heading["id"])}">{escape(_text(heading))}</a>' for heading in sections)
    return f"<nav>{links}</nav>"


def _text(heading: Tag) -> str:
    """What a heading says, without the link to itself."""
    return heading.get_text().strip().removesuffix(ANCHOR).strip()


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

SCRIPT = """
for (const place of document.querySelectorAll('.figure')) {
  const figure = JSON.parse(place.firstElementChild.textContent);
  place.replaceChildren();
  if (figure.layout?.width) place.style.width = figure.layout.width + 'px';
  Plotly.newPlot(place, figure);
}
const button = document.getElementById('code'), code = [...document.querySelectorAll('details.code')];
button.hidden = !code.length;
button.onclick = () => {
  const open = !code.every(cell => cell.open);
  code.forEach(cell => cell.open = open);
  button.textContent = open ? 'Hide code' : 'Show code';
};
"""

STYLE = """
:root{--ink:#1f2430;--faint:#5b6472;--line:#e1e4e9;--tint:#f6f7f9;--accent:#0072b2;
--sans:Inter,'Segoe UI','Helvetica Neue','Liberation Sans',Arial,sans-serif;
--serif:Charter,'Bitstream Charter','Iowan Old Style',Georgia,'Liberation Serif',serif;
--mono:'SF Mono',ui-monospace,Menlo,Consolas,'Liberation Mono',monospace;color-scheme:light}
*{box-sizing:border-box}html{scroll-behavior:smooth}
body{margin:0;background:#fff;color:var(--ink);font:18px/1.62 var(--serif)}
header{display:flex;gap:1rem;align-items:center;justify-content:space-between;padding:.7rem 1.5rem;
background:var(--tint);
border-bottom:1px solid var(--line);font:14px/1.5 var(--sans);color:var(--faint)}
.facts span+span::before{content:'·';margin:0 .55em}.failed{margin-left:1em;color:#b3261e}
button{flex:none;font:inherit;color:var(--ink);background:#fff;border:1px solid #c9cdd4;border-radius:6px;
padding:.3em .9em;
cursor:pointer}button:hover,button:focus-visible{border-color:var(--accent);color:var(--accent)}
main{max-width:64rem;margin:0 auto;padding:2.2rem 1.5rem 6rem}.prose,main>h1{max-width:43rem;margin:0 auto}
h1,h2,h3,h4{font-family:var(--sans);line-height:1.25;letter-spacing:-.012em;text-wrap:balance;scroll-margin-top:1rem}
h1{font-size:2.35rem;margin:.6em 0 .5em}h2{font-size:1.5rem;margin:2em 0 .5em}h3{font-size:1.15rem;
margin:1.6em 0 .4em}
.anchor-link{margin-left:.35em;color:#c2c7cf;text-decoration:none;opacity:0}
:is(h1,h2,h3,h4):hover .anchor-link{opacity:1}
a{color:var(--accent);text-underline-offset:.15em;text-decoration-thickness:1px}p{margin:0 0 1em}li{margin:.25em 0}
blockquote{margin:1.2em 0;padding:.1em 1.2em;border-left:3px solid var(--accent);color:var(--faint)}
code{font:.84em var(--mono);background:var(--tint);border-radius:4px;padding:.12em .35em}
pre code,.prose .highlight{background:none;padding:0}
math{white-space:nowrap}
sub,sup{font-size:.72em;line-height:0}
.cell{margin:1rem auto 1.6rem;max-width:62rem}details{max-width:43rem;margin:0 auto;font-family:var(--sans)}
summary{cursor:pointer;font:13px/1.8 var(--mono);color:#737b88;white-space:nowrap;overflow:hidden;
text-overflow:ellipsis}
summary:hover{color:var(--accent)}
details pre,.prose pre,.output_text pre{font:14px/1.55 var(--mono);background:var(--tint);
border:1px solid var(--line);border-radius:8px;
padding:.9em 1.1em;margin:.4em 0 1em;overflow-x:auto}.output_text,.output_markdown{max-width:43rem;margin:0 auto}
.output_text pre{white-space:pre-wrap}
.output_error pre{background:#fdf3f2;border-color:#f0c8c4}.figure{width:100%;max-width:100%;margin:.4rem auto}
.output_html,.prose{overflow-x:auto}.output_html:has(.figure){overflow:visible}.output_html>table{margin:.6rem auto}
.cell:not(:has(.output_wrapper)){margin:.2rem auto}
table{border-collapse:collapse;font-family:var(--sans);font-size:15px;line-height:1.4;margin:1rem 0}
th,td{padding:.45em .9em;border-bottom:1px solid var(--line)}th{text-align:left;border-bottom:2px solid #c9cdd4;
font-weight:600}
caption{color:var(--faint);font-size:14px}img{max-width:100%;height:auto}
.control{max-width:43rem;margin:0 auto;color:var(--faint);font:italic 15px var(--sans)}
nav{display:none}@media(min-width:1500px){nav{display:block;position:fixed;top:6.5rem;
left:max(1.5rem,calc(50vw - 46rem));
width:12.5rem;font:14px/1.4 var(--sans)}nav a{display:block;padding:.4em 0 .4em .9em;
border-left:2px solid var(--line);
color:var(--faint);text-decoration:none}nav a:hover{color:var(--accent);border-color:var(--accent)}}
@media(max-width:40rem){body{font-size:17px}main{padding:1.2rem 1rem 4rem}h1{font-size:1.8rem}}
@media print{header button,nav,details.code,details.log{display:none}.cell,.figure{break-inside:avoid}}
"""
