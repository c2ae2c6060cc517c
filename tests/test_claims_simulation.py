"""Studies of which we know the truth: how often the verdicts are wrong, and whether they find what is there."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from reslab import RunConfig, claims
from reslab.claims import arms, evaluate
from reslab.claims.reading import CONTRADICTED, SUPPORTED, UNDECIDED, all_hold, judge, not_overfitting
from reslab.claims.statistics import difference, simultaneous, student, welch

STUDIES, CLAIMS, LEVEL, MARGIN = 2_000, 10, 0.95, 0.5
# At most this share of 2,000 studies is wrong, 999 times in 1,000, if 5 % of all are.
MOST = stats.binom.ppf(0.999, STUDIES, 1 - LEVEL) / STUDIES


def finding(first, second, tests=CLAIMS, expected="higher") -> SimpleNamespace:
    effect = difference(first, second)
    interval = welch(first, second, simultaneous(LEVEL, tests))
    verdict, direction, _ = judge(effect, interval, expected, MARGIN)
    return SimpleNamespace(verdict=verdict, direction=direction)


def samples(random, sizes, spreads, shift=0.0) -> list[list[float]]:
    """Final errors of the seeds of two nets, the second `shift` points higher in truth."""
    means = (9.0, 9.0 + shift)
    return [random.normal(m, s, n).tolist() for m, s, n in zip(means, spreads, sizes, strict=True)]


def shares(study) -> tuple[float, float]:
    """The share of studies with any claim supported, and with any contradicted; `study` gives a study's verdicts."""
    random = np.random.default_rng(12)
    verdicts = [set(study(random)) for _ in range(STUDIES)]
    return tuple(np.mean([word in some for some in verdicts]) for word in (SUPPORTED, CONTRADICTED))


@pytest.mark.parametrize("spreads", [(0.2, 0.2), (0.2, 0.6), (0.6, 0.2)])
@pytest.mark.parametrize("sizes", [(2, 2), (3, 3), (5, 5)])
def test_without_a_true_difference_few_studies_support_a_claim(sizes, spreads):
    supported, contradicted = shares(
        lambda random: [finding(*samples(random, sizes, spreads)).verdict for _ in range(CLAIMS)]
    )
    assert supported <= MOST and contradicted <= MOST


@pytest.mark.parametrize("spreads", [(0.2, 0.2), (0.4, 0.2), (0.2, 0.4)])
@pytest.mark.parametrize("sizes", [(2, 5), (3, 10), (5, 2), (2, 10)])
def test_nor_with_more_seeds_of_one_net_than_of_the_other(sizes, spreads):
    supported, contradicted = shares(
        lambda random: [finding(*samples(random, sizes, spreads)).verdict for _ in range(CLAIMS)]
    )
    assert supported <= MOST and contradicted <= MOST


def test_the_usual_degrees_of_freedom_would_not_do():
    """Why `welch` limits them: scipy's interval, corrected in the same way, in the last of those designs."""
    random, wrong = np.random.default_rng(12), 0
    for _ in range(STUDIES):
        first, second = (np.array([samples(random, (2, 10), (0.4, 0.2))[i] for _ in range(CLAIMS)]) for i in (0, 1))
        test = stats.ttest_ind(second, first, axis=1, equal_var=False)
        wrong += (test.confidence_interval(simultaneous(LEVEL, CLAIMS)).low > 0).any()
    assert wrong / STUDIES > 2 * MOST


def test_without_the_correction_many_studies_would():
    supported, _ = shares(
        lambda random: [finding(*samples(random, (5, 5), (0.2, 0.2)), tests=1).verdict for _ in range(CLAIMS)]
    )
    assert supported > 2 * MOST


def test_claims_of_several_parts_are_no_more_often_wrong():
    """A chain like option-order, of which one half may be true, and not-overfitting, each five times in a study."""

    def study(random):
        for _ in range(CLAIMS // 2):
            a, b, c = (random.normal(mean, 0.2, 3).tolist() for mean in (9.0, 8.0, 8.0))
            yield all_hold([finding(a, b, 2 * CLAIMS, "lower"), finding(b, c, 2 * CLAIMS, "lower")]).verdict
            parts = [finding(*samples(random, (3, 3), (0.2, 0.2)), 2 * CLAIMS) for _ in range(2)]
            yield not_overfitting(parts).verdict

    supported, contradicted = shares(study)
    assert supported <= MOST and contradicted <= MOST


def test_what_differs_by_the_margin_is_seldom_the_same():
    """For a claim of sameness the truth that must not be missed is a difference as large as the margin."""
    supported, contradicted = shares(
        lambda random: [
            finding(*samples(random, (5, 5), (0.1, 0.1), MARGIN), expected="same").verdict for _ in range(CLAIMS)
        ]
    )
    assert supported <= MOST and contradicted <= MOST


@pytest.mark.parametrize("n", [2, 3, 5, 10])
def test_what_is_the_number_is_seldom_found_above_or_below_it(n):
    """A net against a number: the truth that must not be missed is that number."""

    def verdict(random):
        low, high = student(random.normal(5, 0.7, n).tolist(), simultaneous(LEVEL, CLAIMS))
        return judge(0, (low - 5, high - 5), "lower", MARGIN).verdict

    supported, contradicted = shares(lambda random: [verdict(random) for _ in range(CLAIMS)])
    assert supported <= MOST and contradicted <= MOST


def test_what_is_lower_by_the_margin_is_seldom_not_lower():
    supported, contradicted = shares(
        lambda random: [
            finding(*samples(random, (3, 3), (0.2, 0.4), -MARGIN), expected="not lower").verdict for _ in range(CLAIMS)
        ]
    )
    assert supported <= MOST and contradicted <= MOST


@pytest.mark.parametrize(
    ("sizes", "shift", "expected"), [((3, 3), 3.0, "higher"), ((5, 5), 1.0, "higher"), ((5, 5), 0.0, "same")]
)
def test_what_is_there_is_found(sizes, shift, expected):
    """The plain nets' gap with three seeds, a third of it with five, and sameness: in nine of ten claims."""
    spread = 0.1 if expected == "same" else 0.2
    random = np.random.default_rng(5)
    found = [
        finding(*samples(random, sizes, (spread, spread), shift), expected=expected).verdict for _ in range(STUDIES)
    ]
    assert np.mean([verdict == SUPPORTED for verdict in found]) > 0.9
    assert CONTRADICTED not in found and set(found) <= {SUPPORTED, UNDECIDED}


def test_of_whole_studies_without_a_difference_few_support_anything():
    """Seven claims on nets that are all the same in truth, through `evaluate`, three seeds each."""
    nets = [dict(depth=d, shortcut=s) for s in ("none", "A") for d in (8, 14)]
    nets += [dict(depth=14, shortcut=s) for s in ("conv1x1", "dropout", "scaled", "B", "C")]
    random, wrong, studies = np.random.default_rng(3), [], 300
    configs = [RunConfig(profile="smoke", seed=seed, **net) for net in nets for seed in range(3)]
    read = (claim for claim in claims.CLAIMS.values() if not (claim.exact or claim.probes))
    names = [claim.name for claim in read if claim.name != "precision-bf16"]
    for _ in range(studies):
        runs = [_Finished(config, *random.normal(50, 2, 3)) for config in configs]
        verdicts = evaluate(runs, names)
        assert sum(verdict.tests > 0 and bool(verdict.findings) for verdict in verdicts) == 10
        wrong.append({verdict.verdict for verdict in verdicts})
    most = stats.binom.ppf(0.999, studies, 0.05) / studies
    for verdict in ("supported", "contradicted"):
        assert np.mean([verdict in found for found in wrong]) <= most


class _Finished(SimpleNamespace):
    """What `evaluate` reads of a run."""

    def __init__(self, config: RunConfig, early: float, train: float, test: float):
        rows = [
            dict(iteration=3, train_error=early, test_error=test),
            dict(iteration=12, train_error=train, test_error=test),
        ]
        super().__init__(config=config, id=config.id, state="done", metrics=rows, final=rows[-1])


def test_of_whole_studies_of_probes_without_a_difference_few_support_anything(monkeypatch):
    """All claims about what goes on inside, through `evaluate`: nets that are the same in truth, rises of the error of
    exactly 5 points and errors of exactly 10 points less than chance, and for gradients a decade less in deep nets.
    """
    monkeypatch.setattr(arms, "found_in", lambda runs, probe, _: [run.found[probe] for run in runs])
    random, wrong, studies = np.random.default_rng(4), [], 300
    nets = [dict(depth=depth, shortcut=shortcut) for shortcut in ("none", "A") for depth in (20, 56)]
    configs = [RunConfig(profile="smoke", seed=seed, **net) for net in nets for seed in range(3)]
    names = [name for name, claim in claims.CLAIMS.items() if claim.probes]
    for _ in range(studies):
        runs = [_Finished(config, 50, 50, 50) for config in configs]
        for run in runs:
            reach = 10 ** random.normal(-float(run.config.depth == 56), 0.1)
            run.found = dict(
                responses=[dict(std=random.normal(0.5, 0.05))],
                signals=[dict(gradient=reach), dict(gradient=1.0)],
                lesions=dict(error=75.0, blocks=[dict(name="stage1.block1", error=random.normal(80, 1))]),
                roughness=dict(roughness=random.normal(0.3, 0.02), negative=random.normal(0.2, 0.02)),
            )
        verdicts = evaluate(runs, names)
        assert {verdict.tests for verdict in verdicts} == {8} and len(verdicts) == len(names)
        wrong.append({verdict.verdict for verdict in verdicts})
    most = stats.binom.ppf(0.999, studies, 0.05) / studies
    for verdict in ("supported", "contradicted"):
        assert np.mean([verdict in found for found in wrong]) <= most
