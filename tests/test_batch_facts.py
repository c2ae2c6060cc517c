"""What a study's page and summary say of its runs, against the run folders."""

import json
import re
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from reslab import RunConfig, RunStore
from reslab.batch.appendix import code_of, sections
from reslab.batch.facts import StudyFacts, divided
from reslab.batch.spec import Experiment
from reslab.batch.summary import summary
from reslab.claims import ledger

from .batch_fixtures import SPEC, finished_run, write_study

COMMANDS = [("reslab reproduce small --seeds 2", "the same again"), ("make <lab>", "the notebooks")]


def facts_of(folder: Path, seeds: int = 2, failures: tuple = (), claims: str = "[degradation-test]") -> StudyFacts:
    """A study of two nets, all its seeds but those without a folder finished at 10, 11, 12 ... percent."""
    study = Experiment.load(write_study(folder, SPEC + f"claims: {claims}\n"))
    store, configs = RunStore(folder / "runs"), study.configs(seeds=seeds)
    runs = [store.run(config) for config in configs]
    begun = [run for run in runs if run.state != "new"]
    return StudyFacts(study, "smoke", runs, ledger(begun, study.claims), COMMANDS, failures)


@pytest.fixture
def done(tmp_path) -> Path:
    """Two nets with two seeds each, of which the last was resumed with more threads."""
    for place, config in enumerate(RunConfig(8, s, "smoke", seed) for seed in (0, 1) for s in ("none", "A")):
        later = [dict(started="2026-01-03T03:04:05+0000", threads=4), dict(started="2026-01-04T03:04:05+0000")]
        finished_run(tmp_path / "runs", config, 10.0 + place, **(dict(resumed=later) if place == 3 else {}))
    return tmp_path


def text_of(html: str) -> str:
    return BeautifulSoup(html, "html.parser").get_text(" ", strip=True)


def rows(html: str, kind: str) -> list[list[str]]:
    (table, *_) = BeautifulSoup(html, "html.parser").find_all("table", class_=kind)
    return [[cell.get_text() for cell in row.find_all(["th", "td"])] for row in table.find_all("tr")]


def test_what_runs_have_in_common_is_said_once_and_the_rest_for_each(done):
    facts = facts_of(done)
    html = sections(facts)["Runs"]
    assert "4 of 4 runs done, in 4 min of training altogether." in text_of(html)
    head, *body = rows(html, "each")
    assert head == ["run", "shortcut", "seed", "training error", "test error", "trained for", "started", "resumed"]
    for row, run in zip(body, facts.runs, strict=True):
        errors = [f"{run.final[name]:.2f}" for name in ("train_error", "test_error")]
        wanted = [run.id, run.config.shortcut, str(run.config.seed), *errors, "1 min", "2026-01-02 03:04 +0000"]
        assert row[:-1] == wanted
    assert [row[-1] for row in body] == ["", "", "", "2: threads 4; 3: threads 1"]
    config = dict(rows(html, "pairs"))
    values = facts.runs[0].config.to_dict()
    assert config.keys() == values.keys() - {"shortcut", "seed", "plugins"}
    assert config["depth"] == "8" and config["lr_drops"] == "6, 9" and config["gate_bias"] == "none"
    told = text_of(html)
    assert "a1b2c3d4e5" * 4 in told and "f" * 64 in told and str(done) not in html
    assert not BeautifulSoup(html, "html.parser").find("details", open=True)


def test_provenance_that_differs_is_told_by_run(done):
    finished_run(done / "runs", RunConfig(8, "A", "smoke"), git_commit="b" * 40, git_dirty=True)
    html = sections(facts_of(done))["Runs"]
    head, *body = rows(html, "each")
    commits = [row[head.index("git_commit")] for row in body]
    assert commits == ["a1b2c3d4e5", "b" * 10, "a1b2c3d4e5", "a1b2c3d4e5"] and "git_commit" not in dict(
        rows(html, "pairs")
    )
    assert [row[head.index("git_dirty")] for row in body] == ["no", "yes", "no", "no"]


def test_runs_that_are_not_done_are_named_with_what_happened(done):
    run = RunStore(done / "runs").run(RunConfig(8, "none", "smoke"))
    status = json.loads((run.path / "status.json").read_text())
    (run.path / "status.json").write_text(json.dumps(status | dict(state="failed")))
    facts = facts_of(done, seeds=3, failures=[(run.id, "loss is <nan> & not finite")])
    html = sections(facts)
    assert "3 of 6 runs done" in text_of(html["Runs"])
    assert text_of(html["What failed"]) == f"{run.id} : loss is <nan> & not finite"
    for missing in facts.runs[4:]:
        assert missing.id in text_of(html["Runs"]) and not missing.path.exists()
    head, *body = rows(html["Runs"], "each")
    assert [row[head.index("state")] for row in body] == ["failed", "done", "done", "done"]
    assert f"- `{run.id}`: loss is <nan> & not finite" in summary(facts)


def test_a_study_of_which_nothing_has_run_can_be_told(tmp_path):
    facts = facts_of(tmp_path)
    assert sections(facts).keys() == {"Verdicts", "Runs", "How to repeat it"}
    assert "0 of 2 runs done" in summary(facts_of(tmp_path, seeds=1)) and "No run has begun" in summary(facts)


def test_a_study_without_claims_has_no_verdicts(done):
    facts = facts_of(done, claims="[]")
    assert "Verdicts" not in sections(facts) and "Verdicts" not in summary(facts)


def test_the_page_has_verdicts_numbers_and_commands(done):
    facts = facts_of(done)
    html = sections(facts)
    assert list(html) == ["Verdicts", "Numbers", "Runs", "How to repeat it"]
    assert html["Verdicts"] == ledger(facts.runs, ["degradation-test"])._repr_html_()
    assert "11.00 ± 1.41" in html["Numbers"]  # plain-8: 10 and 12
    repeat = text_of(html["How to repeat it"])
    assert "a1b2c3d4e5" in repeat and "The same again: reslab reproduce small --seeds 2" in repeat and "<lab>" in repeat


def test_the_summary_is_markdown_with_the_same_numbers(done):
    text = summary(facts_of(done))
    assert text.startswith("## Small\n\n**Does it run?**\n") and text.endswith("```\n")
    assert (
        "| plain-8 | 2 | 5.50 ± 0.71 | 11.00 ± 1.41 |" in text
        and "| ResNet-8 | 2 | 6.00 ± 0.71 | 12.00 ± 1.41 |" in text
    )
    assert "degradation-test" in text and "**undecided**" in text
    assert "- Different: shortcut\n" in text and "iterations 12" in text and "threads 1" in text
    assert "reslab reproduce small --seeds 2  # the same again\n" in text and str(done) not in text


@pytest.mark.parametrize(
    ("commits", "words"),
    [
        ([], "No run has begun"),
        (["a" * 40], "of commit aaaaaaaaaa: check it out first"),
        (["a" * 40, "b" * 40], "aaaaaaaaaa and bbbbbbbbbb: .* not all of one commit"),
        (["a" * 40 + "+"], "of commit aaaaaaaaaa and changes that no commit holds"),
        (["", "a" * 40], "outside of git"),
    ],
)
def test_whether_the_code_can_be_had_again(commits, words):
    assert re.search(words, code_of(commits))


def test_commits_of_later_sittings_count(done):
    later = [dict(started="2026-01-03T03:04:05+0000", git_commit="c" * 40, git_dirty=True)]
    finished_run(done / "runs", RunConfig(8, "A", "smoke"), resumed=later)
    assert facts_of(done).commits == ["a1b2c3d4e5" * 4, "c" * 40 + "+"]


def test_divided():
    assert divided([]) == ({}, [])
    assert divided([dict(a=1, b=2)]) == (dict(a=1, b=2), [{}])
    assert divided([dict(a=1, b=2), dict(b=3, a=1, c=4)]) == (dict(a=1), [dict(b=2, c=""), dict(b=3, c=4)])
