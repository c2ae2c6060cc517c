"""The `reslab` command: thin, over the same functions that notebooks call."""

import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from .bench.contestants import BaselineFailed
from .data import DATASETS, DataError
from .data import load_dataset as load
from .nets import ORDERS, SHORTCUTS
from .nets.plugins import Plugin
from .runs import RunStore
from .training.config import FROM_PROFILE, RunConfig
from .training.loop import RunFailed, train
from .training.owner import OwnershipLost, RunBusy

app = typer.Typer(
    help="Deep Residual Learning, the edition you can run.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    # --log_every is --log-every, so that an option has the field's name in either spelling.
    context_settings=dict(token_normalize_func=lambda name: name.replace("_", "-")),
)

Store = Annotated[str | None, typer.Option(help="Folder of the run folders. Default: RESLAB_STORE, else ./runs.")]
Data = Annotated[Path | None, typer.Option(help="Where CIFAR-10 is. Default: RESLAB_DATA, else ./data.")]

FIELD_HELP = dict(
    depth="Weighted layers: 6n+2 for basic blocks, 9n+2 for bottlenecks.",
    shortcut=f"none is the plain net. All: {', '.join(SHORTCUTS)}; or one of your own.",
    profile="Where unset options get their values: paper, short, demo or smoke.",
    seed="Of initialisation, data order and augmentation.",
    dataset="cifar10 or shapes.",
    block="basic or bottleneck.",
    width="Channels of the first stage.",
    image_size="Pixels; smaller than the data set's means average pooling.",
    val_split="Training images held out and evaluated instead of the test set.",
    iterations="Mini-batches until the end.",
    batch="Images a mini-batch.",
    lr="Learning rate before the drops.",
    lr_drops="Iterations at which the learning rate is divided by 10, such as 240,340.",
    warmup_iterations="Linear ramp of the learning rate from 0.",
    warmup_error="Depth 110 and more: lr / 10 until the running training error is below this (percent).",
    momentum="Of stochastic gradient descent.",
    weight_decay="L2 penalty on all weights.",
    precision="bf16 or fp32.",
    log_every="Iterations between log points: a row of metrics.csv, a checkpoint.",
    activation_order=f"Where BN and ReLU stand in a block: {', '.join(ORDERS)}.",
    gate_bias="That a gating shortcut's gates start from. Default: the shortcut's own.",
    plugins="A Python file with a shortcut of your own; may be given several times.",
)


OPTION_TYPES = {tuple[int, ...]: str, tuple[Plugin, ...]: list[str]}

GOES_ON = "Stopped; the same command goes on from the last checkpoint."


@contextmanager
def sentences(stopped: str = GOES_ON) -> Iterator[None]:
    """What a user can cause ends in one sentence and an exit code: 2 for what was asked, 1 for what happened."""
    try:
        yield
    except (ValueError, DataError) as error:
        _end(error, 2)
    except (RunBusy, RunFailed, OwnershipLost, BaselineFailed, OSError) as error:
        _end(error, 1)
    except KeyboardInterrupt:
        _end(stopped, 130)


def _end(message: object, code: int) -> NoReturn:
    print(message, file=sys.stderr)
    raise typer.Exit(code)


def _field_options(command: Callable) -> Callable:
    """Gives `command`, which takes **values, an option for every RunConfig field: made from the class."""
    own = [p for p in inspect.signature(command).parameters.values() if p.kind is not p.VAR_KEYWORD]
    options = []
    for field in fields(RunConfig):
        kind = OPTION_TYPES.get(field.type, field.type)
        from_profile = field.default is FROM_PROFILE
        info = typer.Option(help=FIELD_HELP[field.name] + " Default: the profile's." * from_profile)
        annotation = Annotated[kind | None if from_profile else kind, info]
        options.append(
            inspect.Parameter(field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=annotation)
        )
    command.__signature__ = inspect.Signature([*options, *(p.replace(kind=p.KEYWORD_ONLY) for p in own)])
    command.__annotations__ = {p.name: p.annotation for p in command.__signature__.parameters.values()}
    return command


@app.command("train")
@_field_options
def train_command(
    store: Store = None,
    data: Data = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1 ... Default: the best one here.")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="torch threads. Default: one a core.")] = None,
    compile: Annotated[
        str, typer.Option(help="auto (where it saves more time than it costs), always or never.")
    ] = "auto",
    wait: Annotated[bool, typer.Option(help="Wait if another process trains this run, or end at once.")] = True,
    **values: Any,
) -> None:
    """Train one net; resume it, or return what is there."""
    import torch

    from .training.progress import ProgressBar

    with sentences():
        if values["lr_drops"] is not None:
            values["lr_drops"] = _whole_numbers("lr_drops", values["lr_drops"], "240,340")
        config = RunConfig(**values)
        if threads:
            torch.set_num_threads(threads)
        bar = ProgressBar(config.net_name)
        run = train(config, RunStore(store), device=device, data=data, compile=compile, progress=bar, wait=wait)
        row = run.final
        errors = f"training error {row['train_error']:.2f} %, test error {row['test_error']:.2f} %"
        print(f"{errors} after {row['iteration']:,} iterations in {row['seconds']:.0f} s: {run.path}")


def _whole_numbers(name: str, text: str, example: str) -> list[int]:
    try:
        return [int(number) for number in text.strip("[]").split(",") if number.strip()]
    except ValueError:
        raise ValueError(f"{name}={text!r} should be whole numbers with commas, such as {example}") from None


@app.command("reproduce")
def reproduce_command(
    experiment: Annotated[str, typer.Argument(help="A name in experiments/, or a YAML file.")],
    profile: Annotated[str | None, typer.Option(help="demo, short, paper or smoke. Default: the experiment's.")] = None,
    seeds: Annotated[int | None, typer.Option(help="Runs of each net. Default: the experiment's.")] = None,
    store: Store = None,
    data: Data = None,
    jobs: Annotated[int | None, typer.Option(help="Runs at a time. Default: one a core; on a GPU one.")] = None,
    engine: Annotated[str, typer.Option(help="local or ray.")] = "local",
    per_gpu: Annotated[int, typer.Option(help="Runs that share a GPU.")] = 1,
    address: Annotated[str | None, typer.Option(help="Of a Ray cluster.")] = None,
    parameter: Annotated[
        list[str] | None,
        typer.Option("-p", metavar="NAME=VALUE", help="A RunConfig field, or a parameter of the report notebook."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List the runs and the time they will take.")] = False,
    out: Annotated[Path, typer.Option(help="Folder for the executed report notebook and the HTML page.")] = Path(
        "reports"
    ),
) -> None:
    """Run a study: train what is missing, then make its report."""
    from rich.console import Console

    from .batch.engines import EngineOptions
    from .batch.plan import make_plan
    from .batch.reproduce import reproduce
    from .batch.spec import parse_parameters

    with sentences():
        parameters = parse_parameters(parameter or [])
        options = dict(profile=profile, seeds=seeds, store=store, data=data, parameters=parameters)
        options["engine"] = EngineOptions(engine, jobs, per_gpu, address)
        raise typer.Exit(reproduce(make_plan(experiment, **options), Console(), out, dry_run))


@app.command("runs")
def runs_command(
    store: Store = None,
    state: Annotated[str | None, typer.Option(help="new, running, interrupted, failed or done.")] = None,
    depth: Annotated[int | None, typer.Option()] = None,
    shortcut: Annotated[str | None, typer.Option()] = None,
    profile: Annotated[str | None, typer.Option()] = None,
    dataset: Annotated[str | None, typer.Option()] = None,
    seed: Annotated[int | None, typer.Option()] = None,
) -> None:
    """List runs: id, state, iteration, final errors."""
    wanted = dict(depth=depth, shortcut=shortcut, profile=profile, dataset=dataset, seed=seed)
    with sentences():
        root = RunStore(store)
        found = root.find(state, **{name: value for name, value in wanted.items() if value is not None})
        width = max((len(run.id) for run in found), default=0)
        for run in found:
            status, row = run.status, (run.metrics or [None])[-1]
            errors = f"training error {row['train_error']:6.2f} %  test error {row['test_error']:6.2f} %" if row else ""
            at = f"{status.get('iteration', 0):>6,} of {run.config.iterations:,}"
            print(f"{run.id:{width}}  {status['state']:11}  {at:16}  {errors}".rstrip())
        if not found:
            print(f"no such run in {root.root.resolve()}", file=sys.stderr)


@app.command("data")
def data_command(
    name: Annotated[str, typer.Argument(help=" or ".join(DATASETS))] = "cifar10", data: Data = None
) -> None:
    """Find a data set, or download it; verify and cache it."""
    with sentences():
        dataset = load(name, root=data)
        for split in ("train", "test"):
            images = getattr(dataset, f"{split}_images")
            size = "x".join(map(str, images.shape[1:]))
            print(f"{split:5}  {len(images):6,} images of {size}  {dataset.fingerprint[split]}")
        print(f"{len(dataset.classes)} classes: {', '.join(dataset.classes)}")


@app.command("bench")
def bench_command(
    baseline: Annotated[
        Path | None,
        typer.Option(help="A script to compare with: takes --depth, prints images_per_second in JSON."),
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="cifar10-png.zip, for the baseline, or its folder. Default: RESLAB_DATA.")
    ] = None,
    json: Annotated[Path | None, typer.Option(help="Write the numbers to this file.")] = None,
    figure: Annotated[Path | None, typer.Option(help="Write the figure to this HTML file.")] = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1 ... Default: the best one here.")] = None,
    depths: Annotated[str, typer.Option(help="Depths of the nets, such as 20,56.")] = "20,56",
    pairs: Annotated[int, typer.Option(min=1, help="Rounds in which everyone is measured once.")] = 5,
    iterations: Annotated[int | None, typer.Option(min=1, help="Steps a block. Default: a few seconds.")] = None,
    against: Annotated[
        Path | None, typer.Option(help="What --json wrote earlier: ends with 1 if reslab has become slower since.")
    ] = None,
    overheads: Annotated[
        bool, typer.Option("--overheads", help="Measure import, papermill, evaluation, memory.")
    ] = False,
) -> None:
    """How fast training is here: against another trainer, reslab's own eager step and the machine's limit."""
    from .bench import command
    from .bench.speed import Plan

    with sentences("Stopped; nothing was written."):
        if overheads:
            for name, value in dict(baseline=baseline, figure=figure, against=against, device=device).items():
                if value is not None:
                    raise ValueError(f"--overheads measures something else: leave out --{name}")
            raise typer.Exit(command.overheads(data, json))
        wanted = tuple(dict.fromkeys(_whole_numbers("depths", depths, "20,56")))
        archive = command.find_archive(data) if baseline else None
        plan = Plan(wanted, pairs, device, baseline, archive, iterations)
        raise typer.Exit(command.bench(plan, json, figure, against))
