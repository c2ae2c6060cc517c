"""What `reslab bench` and `reslab time` print: one table, and a sentence on the machine."""

from typing import Any

from rich.table import Table

from ..batch.progress import duration


def speed_table(result: dict[str, Any]) -> Table:
    """The rows of measure_speed's result."""
    rounds = f"{result['pairs']} round{'s' * (result['pairs'] > 1)}"
    table = _table(f"Training steps of 128 images, data included: median of {rounds}, and their range")
    for name in ("depth", "precision"):
        table.add_column(name)
    right = ["images/s", "ms", *(["baseline\nimages/s", "ratio"] if result["baseline"] else [])]
    for name in (*right, "over eager\nfp32", "share of\nlimit", "work"):
        table.add_column(name, justify="right", overflow="fold")
    for row in result["rows"]:
        cells = [str(row["depth"]), row["precision"], _range(row, "images_per_second", ",.0f")]
        cells += [f"{row['milliseconds']:,.1f}"]
        if result["baseline"]:
            cells += [_range(row, "baseline_images_per_second", ",.0f"), _range(row, "ratio", ".2f")]
        cells += [_range(row, "over_eager", ".2f"), f"{100 * row['share_of_limit']:.0f} %\n{row['bound']}"]
        table.add_row(*cells, f"{row['gflop']:,.1f} GFLOP\n{row['megabytes']:,.0f} MB")
    return table


def machine_sentences(result: dict[str, Any]) -> list[str]:
    """What the table was measured on, and what it means for the paper's runs."""
    m = result["machine"]
    rates = ", ".join(f"{rate['median'] / 1e12:.2f} TFLOP/s in {name}" for name, rate in m["flops_per_second"].items())
    runs = ", ".join(f"{name} {duration(seconds)}" for name, seconds in result["projected_seconds"].items())
    total = duration(sum(result["projected_seconds"].values()))
    copies = m["bytes_per_second"]["median"] / 1e9
    return [
        f"{_name(m)}, torch {m['torch']}, {_commit(result)}. Measured in the same run: {rates} in matrix products, "
        f"{copies:.0f} GB/s in copies (read plus write).",
        f"Projected, not run: the paper's four runs, 64,000 iterations each with all evaluations, one after the other, "
        f"{total} ({runs}).",
    ]


def timing_table(result: dict[str, Any]) -> Table:
    """The rows of measure_timings's result: a line for each net and batch size."""
    rows = {(row["net"], row["batch"], row["mode"]): row for row in result["rows"]}
    modes, compared = dict.fromkeys(mode for *_, mode in rows), any(row["ratio"] for row in result["rows"])
    table = _table(f"Milliseconds a batch: mean ± standard deviation of {result['batches']} batches")
    for name in ("net", "batch", "multiply-adds\nan image"):
        table.add_column(name, justify="left" if name == "net" else "right")
    for mode in modes:
        for name in (f"{mode}\nms", "images/s", *["times torchvision's\nmedian, 95 %"] * compared):
            table.add_column(name, justify="right")
    for net, batch in dict.fromkeys((net, batch) for net, batch, _ in rows):
        cells = [net, str(batch), f"{rows[net, batch, next(iter(modes))]['multiply_adds'] / 1e9:.2f} G"]
        for mode in modes:
            row = rows[net, batch, mode]
            cells += [f"{1000 * row['mean']:,.1f} ± {1000 * row['std']:,.1f}", f"{row['images_per_second']:,.1f}"]
            cells += [_ratio(row)] * compared
        table.add_row(*cells)
    return table


def timing_sentence(result: dict[str, Any]) -> str:
    """What measure_timings's result was measured on, with which counts."""
    m, rows = result["machine"], result["rows"]
    sizes = " and ".join(f"{size}x{size}" for size in sorted({row["size"] for row in rows}))
    fast = {row["precision"] for row in rows if row["net"].startswith("fast:")}
    kinds = {(row["precision"], row["channels_last"]) for row in rows if not row["net"].startswith("fast:")}
    how = [f"{precision}{', channels last' * last}" for precision, last in kinds]
    how += [f"fast: {precision}, channels last, accelerated as in training" for precision in fast]
    counts = f"{result['batches']} batches timed in turns, {result['warm_up']} before them to warm up"
    return f"{_name(m)}, torch {m['torch']}, {_commit(result)}. Images of {sizes}; {counts}; {'; '.join(how)}."


def _ratio(row: dict[str, Any]) -> str:
    if row["ratio"] is None:
        return ""
    ends = "" if row["ratio_low"] is None else f" ({row['ratio_low']:.3f}-{row['ratio_high']:.3f})"
    return f"{row['ratio']:.3f}{ends}"


def overheads_table(result: dict[str, Any]) -> Table:
    """The rows of measure_overheads's result; what is over its limit is red."""
    table = _table("What a run costs besides its training steps: median, least and most")
    table.add_column("what")
    for name in ("median", "least-most", "limit"):
        table.add_column(name, justify="right")
    table.add_column("")
    for row in result["overheads"]:
        unit = row["unit"]
        spread = f"{row['low']:.3g}-{row['high']:.3g}"
        verdict = "ok" if row["ok"] else "[red]over[/red]"
        table.add_row(row["what"], f"{row['median']:.3g} {unit}", spread, f"{row['limit']:g} {unit}", verdict)
    return table


def scale_table(result: dict[str, Any]) -> Table:
    """The rows of measure_scale's result: a line for each thing, a column for each number of runs."""
    counts = sorted({row["runs"] for row in result["rows"]})
    table = _table("Seconds against the number of runs: median, least and most")
    table.add_column("")
    for count in counts:
        table.add_column(f"{count:,} runs", justify="right")
    for what in dict.fromkeys(row["what"] for row in result["rows"]):
        rows = {row["runs"]: row for row in result["rows"] if row["what"] == what}
        table.add_row(what, *(_seconds(rows[count]) if count in rows else "" for count in counts))
    return table


def surface_table(result: dict[str, Any]) -> Table:
    """The rows of measure_surface's result: a line for each way of evaluating a point."""
    table = _table(f"A point of ResNet-20's loss surface, {result['images']:,} images: median, least and most")
    table.add_column("")
    for name in ("seconds", "times ours", "loss differs by"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in result["rows"]:
        cells = (_range(row, "seconds", ".3f"), _range(row, "ratio", ".2f"), f"{row['difference']:.1g}")
        table.add_row(row["way"], *cells)
    return table


def surface_sentence(result: dict[str, Any]) -> str:
    """What measure_surface's result means for a whole grid."""
    took, limit, way = duration(result["grid"]), duration(result["limit"]), result["rows"][0]["way"]
    grid = f"25 x 25 points ({way}) take {took}, {limit} being the limit"
    return f"{_name(result['machine'])}, torch {result['machine']['torch']}, {_commit(result)}: {grid}."


def memory_sentence(result: dict[str, Any]) -> str:
    """The memory of measure_scale's result: how much more the largest study takes than the smallest."""
    rows = result["memory"]
    each = ", ".join(f"{row['megabytes']:,.0f} MB with {row['runs']:,} runs" for row in rows)
    more = rows[-1]["megabytes"] - rows[0]["megabytes"]
    return f"Memory of the process that orchestrates, at most: {each}: {more:.1f} MB more."


def _commit(result: dict[str, Any]) -> str:
    return f"commit {(result['commit'] or 'unknown')[:10]}{' with changes' * bool(result['dirty'])}"


def _seconds(row: dict[str, Any]) -> str:
    text = f"{row['seconds']:.3g} s\n{row['low']:.3g}-{row['high']:.3g}"
    over = row["limit"] is not None and row["seconds"] > row["limit"]
    return f"[red]{text}\nover {row['limit']:g} s[/red]" if over else text


def _table(title: str) -> Table:
    return Table(title=title, title_style="", title_justify="left", box=None, pad_edge=False)


def _name(machine: dict[str, Any]) -> str:
    threads = f"{machine['threads']} thread{'s' * (machine['threads'] > 1)}"
    cpu = f"{machine['cpu']}, {machine['cores']} cores, {threads}"
    return cpu if machine["device"] == "cpu" else f"{machine['device_name']} ({cpu})"


def _range(row: dict[str, Any], name: str, form: str) -> str:
    return f"{row[name]:{form}}\n{row[f'{name}_low']:{form}}-{row[f'{name}_high']:{form}}"
