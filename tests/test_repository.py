"""What the repository promises about itself."""

import ast
import csv
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from statistics import mean, stdev

import nbformat
import pytest
import yaml

from reslab import Run, RunConfig, RunStore
from reslab.batch.spec import Experiment
from reslab.claims import ledger
from reslab.files import write_json
from reslab.runs import COLUMNS

from .claims_fixtures import find

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "experiments/results"
NOTEBOOKS = sorted(ROOT.glob("notebooks/*.ipynb"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def run(*command: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True)


@pytest.mark.parametrize("command", [("ruff", "check"), ("ruff", "format", "--check")])
def test_ruff_is_content(command):
    done = run(*command)
    assert done.returncode == 0, done.stdout + done.stderr


def test_environment_is_in_step_with_pyproject():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    python, pip, through_pip = environment["dependencies"]
    assert environment["name"] == PROJECT["name"] and pip == "pip"
    assert python == f"python{PROJECT['requires-python']}"
    (requirement,) = through_pip["pip"]
    extras = re.fullmatch(r"-e \.\[(.+)\]", requirement)[1].split(",")
    assert set(extras) <= set(PROJECT["optional-dependencies"])


def test_dependencies_are_bounded_on_both_sides():
    extras = [item for items in PROJECT["optional-dependencies"].values() for item in items]
    for dependency in PROJECT["dependencies"] + extras:
        assert re.fullmatch(r"[\w-]+(\[\w+\])?>=[\d.]+,<\d+", dependency), dependency


def test_what_is_imported_is_declared():
    names = {
        "PIL": "pillow",
        "skimage": "scikit-image",
        "yaml": "pyyaml",
        "bs4": "beautifulsoup4",
        "upath": "universal-pathlib",
    }
    declared = {re.match(r"[\w-]+", item)[0] for item in PROJECT["dependencies"]}
    for path in ROOT.glob("reslab/**/*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            modules = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            modules += [node.module] if isinstance(node, ast.ImportFrom) and not node.level else []
            for module in {m.split(".")[0] for m in modules} - sys.stdlib_module_names - {"reslab"}:
                # ipykernel and jupyterlab bring jupyter_client and IPython along; ray and tensorboard are extras
                known = declared | {"jupyter_client", "IPython", "traitlets", "click", "ray", "tensorboard"}
                assert names.get(module, module) in known, f"{path}: {module}"


def test_import_is_light():
    code = (
        "import sys, reslab; print([m for m in ('plotly', 'ipywidgets', 'papermill', 'IPython') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
class TestNotebook:
    def test_is_stripped(self, path):
        flags = ("--keep-id", "--extra-keys", "metadata.papermill metadata.widgets cell.metadata.papermill")
        done = run("nbstripout", "--verify", *flags, str(path))
        assert done.returncode == 0, f"{path.name} holds outputs: run pre-commit"

    def test_keeps_the_rules(self, path):
        notebook = nbformat.read(path, 4)
        nbformat.validate(notebook)
        code = [cell for cell in notebook.cells if cell.cell_type == "code"]
        lines = [len(cell.source.splitlines()) for cell in code]
        prose = " ".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
        assert len(notebook.cells) <= 25 and max(lines) <= 15 and sum(lines) <= 80
        assert 300 <= len(re.findall(r"[A-Za-z][\w'-]*", prose)) <= 800
        assert not any(re.search(r"^\s*(def|class)\s", cell.source, re.M) for cell in code)

    def test_has_one_literal_annotated_parameters_cell(self, path):
        code = [cell for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"]
        (cell,) = [cell for cell in code if "parameters" in cell.metadata.get("tags", [])]
        statements = ast.parse(cell.source).body
        assert all(isinstance(statement, ast.AnnAssign) for statement in statements)
        names = {statement.target.id for statement in statements}
        assert {"profile", "store"} <= names
        for statement in statements:
            ast.literal_eval(statement.value)  # derived values would not follow what papermill injects
        assert all("  # " in line for line in cell.source.splitlines())


@pytest.mark.parametrize("path", ["README.md", "docs/benchmarks.md"])
def test_final_errors_in_the_text_are_those_of_the_committed_runs(path):
    """Each row `| net | training error | test error |` against experiments/results/, by profile in order of mention."""
    rows = re.findall(r"^\| ([\w-]+-\d+) \| \**([\d.]+)[^|]*\| \**([\d.]+)[^|]*\|$", (ROOT / path).read_text(), re.M)
    profiles = ["demo", "short"] if path == "README.md" else ["short"]
    assert len(rows) == 4 * len(profiles)
    for (net, *told), profile in zip(rows, [p for p in profiles for _ in range(4)], strict=True):
        runs = json.loads((ROOT / f"experiments/results/degradation-{profile}.json").read_text()).values()
        kind, depth = net.split("-")
        mine = [r for r in runs if (r["config"]["shortcut"] == "none") == (kind == "plain")]
        finals = [r["final"] for r in mine if r["config"]["depth"] == int(depth)]
        for number, name in zip(told, ("train_error", "test_error"), strict=True):
            assert abs(float(number) - mean(final[name] for final in finals)) <= 0.0501, (net, profile, name)


def test_speeds_in_the_text_are_those_of_the_committed_benchmark():
    """Each row `| depth | precision | images/s (least-most) | baseline | ratio (least-most) | ...`."""
    text = (ROOT / "docs/benchmarks.md").read_text().replace(",", "")
    result = json.loads((ROOT / "experiments/results/speed.json").read_text())
    assert f"commit {result['commit'][:7]}" in text and not result["dirty"]
    for row in result["rows"]:
        speeds = [round(row[f"images_per_second{end}"]) for end in ("", "_low", "_high")]
        ratios = [row[f"ratio{end}"] for end in ("", "_low", "_high")]
        line = re.search(rf"^\| {row['depth']} \| {row['precision']} \| (.*) \|$", text, re.M)[1].split(" | ")
        assert line[0] == "{} ({}-{})".format(*speeds) and int(line[1]) == round(row["baseline_images_per_second"])
        assert line[2] == "{:.2f} ({:.2f}-{:.2f})".format(*ratios)
        assert line[4] == f"{row['over_eager']:.2f}" and line[5] == f"{100 * row['share_of_limit']:.0f} %"


def test_times_of_nets_in_the_text_are_those_of_the_committed_benchmark():
    """Each row `| net | multiply-adds | forward | its ratio | forward + backward | its ratio |`."""
    text = (ROOT / "docs/benchmarks.md").read_text()
    result = json.loads((ROOT / "experiments/results/timing.json").read_text())
    assert f"commit {result['commit'][:7]}" in text and not result["dirty"]
    rows = {(row["net"], row["mode"]): row for row in result["rows"]}
    for net in dict.fromkeys(net for net, _ in rows):
        cells = [net, f"{rows[net, 'forward']['multiply_adds'] / 1e9:.2f}"]
        for mode in ("forward", "forward + backward"):
            row = rows[net, mode]
            ratios = [row[f"ratio{end}"] for end in ("", "_low", "_high")]
            cells.append(f"{1000 * row['mean']:,.1f} ± {1000 * row['std']:,.1f}")
            cells.append("" if row["ratio"] is None else "{:.3f} ({:.3f}-{:.3f})".format(*ratios))
        assert f"| {' | '.join(cells)} |" in text


def test_the_explorers_numbers_in_the_text_are_those_that_were_measured():
    text = (ROOT / "docs/benchmarks.md").read_text()
    result = json.loads((ROOT / "experiments/results/explorer.json").read_text())
    assert f"commit {result['commit'][:7]}" in text and not result["dirty"]
    for name, latency in result["latency"].items():
        depth, profile, state = name.split()
        assert f"| {depth} | {profile} | {state} | {latency['median']:.0f} ms | {latency['p95']:.0f} ms |" in text
        assert latency["median"] < 150
    messages, size = result["messages"], result["bytes"]
    assert f"| {messages['mean']:.1f}, at most {messages['most']} in a second | 20 |" in text and messages["most"] <= 20
    for name in ("papermill", "saved"):
        assert f"| {size[name] / 1000:.0f} kB | 300 kB |" in text and size[name] < 300_000


def test_precisions_in_the_text_are_those_of_the_committed_runs():
    text = (ROOT / "docs/benchmarks.md").read_text()
    runs = json.loads((ROOT / "experiments/results/precision-short.json").read_text()).values()
    for precision in ("fp32", "bf16"):
        finals = [run["final"] for run in runs if run["config"]["precision"] == precision]
        errors = ([final[name] for final in finals] for name in ("train_error", "test_error"))
        cells = " | ".join(f"{mean(values):.2f} ± {stdev(values):.2f}" for values in errors)
        assert len(finals) == 3 and f"| {precision} | {cells} |" in text


def test_errors_on_the_folder_of_pictures_are_those_of_the_committed_runs():
    """Each row `| net | n | training error | test error |`."""
    text = (ROOT / "docs/benchmarks.md").read_text()
    runs = json.loads((ROOT / "experiments/results/imagenet-cifar10-64.json").read_text()).values()
    assert {run["config"]["dataset"] for run in runs} == {"folder:cifar10-64"}
    for shortcut, name in (("none", "plain"), ("A", "ResNet")):
        for depth in (18, 34):
            net = dict(shortcut=shortcut, depth=depth, family="imagenet")
            finals = [run["final"] for run in runs if net.items() <= run["config"].items()]
            errors = ([final[name] for final in finals] for name in ("train_error", "test_error"))
            cells = " | ".join(f"{mean(values):.1f} ± {stdev(values):.1f}" for values in errors)
            assert f"| {name}-{depth} | {len(finals)} | {cells} |" in text


def test_what_grows_with_the_number_of_runs_is_as_it_was_measured():
    text = (ROOT / "docs/benchmarks.md").read_text()
    result = json.loads((ROOT / "experiments/results/scale.json").read_text())
    assert f"commit {result['commit'][:7]}" in text and not result["dirty"]
    for row in result["rows"]:
        seconds = f"{1000 * row['seconds']:.0f} ms" if row["what"].startswith("orch") else f"{row['seconds']:.2f} s"
        assert f"| {row['what']} | {row['runs']:,} | {seconds} |" in text, row


def test_nets_without_batch_norm_are_those_of_the_committed_results():
    """The table in docs/inside.md, and what it says of larger learning rates."""
    said = (ROOT / "docs/inside.md").read_text()
    numbers = [f"{signal}_{when}" for signal in ("least_gradient", "last_variance") for when in ("before", "after")]
    for row in csv.DictReader((RESULTS / "no-norm-demo.csv").read_text().splitlines()):
        net = f"{'plain' if row['shortcut'] == 'none' else 'ResNet'}-{row['depth']}"
        if row["lr"] == "0.01":
            cells = [f"{float(row[name]):.2g}" for name in numbers] + [f"{float(row['test_error']):.1f}"]
            assert f"| {' | '.join([net + ', no BN' * (row['norm'] == 'none'), *cells])} |" in said
        else:
            assert (
                row["test_error"] == "90.00" and f"{float(row['least_gradient_after']):.0g}".replace("-0", "-") in said
            )


@pytest.mark.parametrize("name", ["chaos-local", "chaos-s3"])
def test_the_story_of_the_kills_is_the_one_that_was_told(name):
    text = (ROOT / "docs/benchmarks.md").read_text()
    story = json.loads((ROOT / f"experiments/results/{name}.json").read_text())
    assert f"commit {story['commit'][:7]}" in text and not story["dirty"]
    killed = ", ".join(f"{count} {kind}" for kind, count in sorted(story["killed"].items()))
    assert f"{sum(story['killed'].values())} ({killed})" in text and f"| {story['typed']} |" in text


def committed(stem: str, store: Path) -> list[Run]:
    """Runs put together again from experiments/results/."""
    with open(RESULTS / f"{stem}.csv", newline="") as file:
        points = list(csv.DictReader(file))
    runs = []
    for name, facts in json.loads((RESULTS / f"{stem}.json").read_text()).items():
        run = RunStore(store).create(RunConfig.from_dict(facts["config"]))
        assert run.id == name
        run.write_metrics([{key: row[key] for key in COLUMNS} for row in points if row["run"] == name])
        end = run.config.iterations
        write_json(run.path / "status.json", dict(state="done", iteration=end, iterations=end, heartbeat=0.0))
        for probe, found in facts.get("probes", {}).items():
            find(run, probe, found)
        runs.append(run)
    return runs


def test_verdicts_in_the_text_are_those_of_the_committed_runs(tmp_path):
    """The claims are tested anew."""
    study = Experiment.load("degradation")
    verdicts = ledger(committed("degradation-2000", tmp_path), names=list(study.claims))
    assert verdicts.markdown().strip() in (RESULTS / "degradation-2000.md").read_text()
    told = (ROOT / "README.md").read_text()
    for verdict in verdicts:
        if verdict.interval and len(verdict.findings) == 1:
            low, high = verdict.interval
            numbers = f"{verdict.effect:+.1f} [{low:+.1f}, {high:+.1f}]".replace("-", "−")
            assert f"| {verdict.claim.statement.rstrip('.')} | {numbers} | {verdict.verdict} |" in told, (
                verdict.claim.name
            )


def test_verdicts_on_what_goes_on_inside_are_those_of_the_committed_results(tmp_path):
    """Each row `| claim | each difference [interval] | verdict |`."""
    text = (ROOT / "docs/benchmarks.md").read_text()
    runs = committed("inside-demo", tmp_path)
    assert len(runs) == 20
    for verdict in ledger(runs, names=list(Experiment.load("inside").claims)):
        cells = []
        for finding in verdict.findings:
            low, high = finding.interval
            digits = 3 if max(abs(low), abs(high)) < 1 else 1
            cells.append(f"{finding.effect:+.{digits}f} [{low:+.{digits}f}, {high:+.{digits}f}]")
        assert f"| {verdict.claim.name} | {'; '.join(cells)} | {verdict.verdict} |" in text


def test_the_speed_of_a_surface_in_the_text_is_the_one_that_was_measured():
    """Each row `| way | seconds (least-most) | times ours |`."""
    text = (ROOT / "docs/benchmarks.md").read_text()
    for name in ("surface", "surface-avx2"):
        result = json.loads((RESULTS / f"{name}.json").read_text())
        assert result["commit"][:7] in text and not result["dirty"]
        for row in result["rows"]:
            seconds = f"{row['seconds']:.3f} ({row['seconds_low']:.3f}-{row['seconds_high']:.3f})"
            ratio = f"{row['ratio']:.2f} ({row['ratio_low']:.2f}-{row['ratio_high']:.2f})"
            assert f"| {row['way']} | {seconds} | {ratio} |" in text


def test_every_tracked_text_file_is_free_of_machine_paths():
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    pattern = re.compile("|".join(("/" + "work/", "/" + "root/", "/" + "home/")))
    for name in tracked:
        path = ROOT / name
        if path.suffix in {".py", ".md", ".yaml", ".yml", ".toml", ".ipynb", ".json", ".csv"} and path.is_file():
            assert not pattern.search(path.read_text()), name
