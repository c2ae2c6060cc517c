"""A study in Markdown, short enough for an issue or the appendix of a paper."""

from .appendix import SHORT, code_of
from .facts import StudyFacts, divided
from .progress import duration

SETTING = ("dataset", "profile", "iterations", "batch", "optimizer", "lr", "lr_schedule", "precision")
SETTING += ("width", "image_size", "patch")
MACHINE = ("device_name", "device", "computed in", "threads", "torch", "python")


def summary(facts: StudyFacts) -> str:
    """Question, verdicts, numbers, setting, and how to repeat it."""
    study = facts.experiment
    parts = [f"## {study.title}", f"**{study.question}**"]
    if study.claims:
        parts += ["### Verdicts", facts.ledger.markdown()]
    if facts.table:
        parts += ["### Numbers", facts.table.markdown()]
    if facts.failures:
        parts += ["### What failed", "\n".join(f"- `{run}`: {what}" for run, what in facts.failures)]
    parts += ["### Setting", _setting(facts)]
    if facts.commands:
        commands = "\n".join(f"{command}  # {what}" for command, what in facts.commands)
        parts += ["### How to repeat it", f"{code_of(facts.commits)}\n\n```bash\n{commands}\n```"]
    return "\n\n".join(parts) + "\n"


def _setting(facts: StudyFacts) -> str:
    config, own = divided(run.config for run in facts.begun)
    provenance, _ = divided(run.provenance for run in facts.begun)
    axes = [name for name in (own[0] if own else {}) if name != "seed"]
    told = ", ".join(f"{name} {config[name]}" for name in SETTING if config.get(name) is not None)
    lines = [f"- {facts.done} of {len(facts.runs)} runs done, in {duration(facts.seconds)} of training altogether"]
    lines += [f"- The same in all: {told}"] if told else []
    lines += [f"- Different: {', '.join(axes)}"] if axes else []
    machine = ", ".join(f"{name} {provenance[name]}" for name in MACHINE if name in provenance)
    lines += [f"- Machine: {machine}"] if machine else []
    prints = [f"{name} {value[:SHORT]}" for name, value in provenance.items() if name.endswith(" data")]
    return "\n".join(lines + ([f"- Fingerprints: {', '.join(prints)}"] if prints else []))
