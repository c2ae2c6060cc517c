"""Intervals against scipy's Welch test and against arithmetic done by hand."""

import numpy as np
import pytest
from scipy import stats

from reslab.claims.reading import AGAINST, CONTRADICTED, FOR, INDICATIVE, SUPPORTED, UNDECIDED, judge
from reslab.claims.statistics import difference, seeds_needed, simultaneous, student, welch


@pytest.mark.parametrize("n", [2, 3, 5, 12])
@pytest.mark.parametrize("level", [0.9, 0.95, 0.9975])
def test_the_interval_is_scipys(n, level):
    random = np.random.default_rng(n)
    for spread in (0.01, 1, 40):
        first, second = random.normal(9, 1, n), random.normal(10, spread, n)
        theirs = stats.ttest_ind(second, first, equal_var=False).confidence_interval(level)
        np.testing.assert_allclose(welch(first.tolist(), second.tolist(), level), theirs, rtol=1e-9)
        assert difference(first, second) == pytest.approx(second.mean() - first.mean())


def test_an_interval_of_known_samples():
    """Means 2 and 6, variances 1 and 4, three of each: standard error sqrt(5/3), 50/17 degrees of freedom."""
    low, high = welch([1, 2, 3], [4, 6, 8], 0.95)
    half = stats.t.ppf(0.975, 50 / 17) * (5 / 3) ** 0.5
    assert (low, high) == pytest.approx((4 - half, 4 + half))
    assert half == pytest.approx(4.157, abs=0.01)  # 3.22 from a table of t, interpolated, times 1.291


def test_uneven_arms_get_no_more_freedom_than_even_ones_of_the_smaller_size():
    few, many = [9.0, 9.2], [9.0, 10.0, 11.0, 12.0, 13.0, 9.5, 10.5, 11.5, 12.5, 11.0]
    theirs = stats.ttest_ind(many, few, equal_var=False)
    assert theirs.df > 8  # the spread of the two says next to nothing, and is taken at its word
    low, high = welch(few, many, 0.95)
    error = (np.var(few, ddof=1) / 2 + np.var(many, ddof=1) / 10) ** 0.5
    assert (high - low) / 2 == pytest.approx(error * stats.t.ppf(0.975, 2))
    # Where the smaller arm's spread decides anyhow, nothing changes.
    wide = [9.0, 19.0]
    np.testing.assert_allclose(
        welch(wide, many, 0.95), stats.ttest_ind(many, wide, equal_var=False).confidence_interval(0.95)
    )


@pytest.mark.parametrize("n", [2, 3, 12])
@pytest.mark.parametrize("level", [0.9, 0.95, 0.9975])
def test_the_interval_of_one_net_is_scipys(n, level):
    values = np.random.default_rng(n).normal(4.8, 0.3, n)
    theirs = stats.ttest_1samp(values, 0).confidence_interval(level)
    np.testing.assert_allclose(student(values.tolist(), level), theirs, rtol=1e-9)
    assert student([4.8], level) is None and student([4.8] * n, level) is None


@pytest.mark.parametrize(
    ("first", "second"), [([9.0], [8.0]), ([9.0], [8.0, 8.1, 8.2]), ([90.0] * 3, [90.0] * 3), ([90.0] * 5, [10.1] * 2)]
)
def test_no_interval_where_nothing_is_known_of_the_spread(first, second):
    assert welch(first, second, 0.95) is None


def test_one_arm_without_spread_is_welch_with_the_others():
    """Nets that do not train end at exactly 90 %. Then all uncertainty is the other arm's: Student's interval of it."""
    other = [6.4, 6.6, 6.9]
    low, high = stats.t.interval(0.95, 2, loc=90 - np.mean(other), scale=stats.sem(other))
    assert welch(other, [90.0] * 3, 0.95) == pytest.approx((low, high))


def test_the_correction_by_hand():
    assert simultaneous(0.95, 1) == pytest.approx(0.95) and simultaneous(0.95, 5) == pytest.approx(0.99)
    assert simultaneous(0.95, 0) == pytest.approx(0.95)
    # One difference of [1, 2, 3] and [4, 6, 8] at 95 %, then as one of five: supported alone, undecided among five.
    alone, among = (welch([1, 2, 3], [4, 6, 8], simultaneous(0.95, tests)) for tests in (1, 5))
    assert among[0] < 0 and alone[1] < among[1]
    assert among[1] - 4 == pytest.approx(stats.t.ppf(0.995, 50 / 17) * (5 / 3) ** 0.5)
    assert judge(4, among, "higher", 0.5).verdict == UNDECIDED


@pytest.mark.parametrize(
    ("interval", "expected", "verdict"),
    [
        ((0.1, 2.0), "higher", SUPPORTED),
        ((0.1, 2.0), "lower", CONTRADICTED),
        ((-2.0, -0.1), "higher", CONTRADICTED),
        ((-2.0, -0.1), "lower", SUPPORTED),
        ((-0.1, 2.0), "higher", UNDECIDED),
        ((-0.1, 2.0), "lower", UNDECIDED),
        ((0.0, 2.0), "higher", UNDECIDED),
        ((-0.4, 0.4), "same", SUPPORTED),
        ((0.1, 0.4), "same", SUPPORTED),  # another error, and yet the same within the margin
        ((-0.4, 0.6), "same", UNDECIDED),
        ((-0.9, 0.9), "same", UNDECIDED),
        ((0.6, 0.9), "same", CONTRADICTED),
        ((-0.9, -0.6), "same", CONTRADICTED),
        ((-0.4, 9.0), "not lower", SUPPORTED),
        ((0.6, 9.0), "not lower", SUPPORTED),  # higher is not lower
        ((-0.6, 9.0), "not lower", UNDECIDED),
        ((-0.9, -0.4), "not lower", UNDECIDED),
        ((-0.9, -0.6), "not lower", CONTRADICTED),
    ],
)
def test_what_an_interval_says(interval, expected, verdict):
    assert judge(sum(interval) / 2, interval, expected, margin=0.5) == (verdict, None, "")


@pytest.mark.parametrize(
    ("effect", "expected", "outcome"),
    [
        (3.0, "higher", (INDICATIVE, FOR)),
        (-3.0, "higher", (INDICATIVE, AGAINST)),
        (-3.0, "lower", (INDICATIVE, FOR)),
        (0.2, "same", (INDICATIVE, FOR)),
        (-0.7, "same", (INDICATIVE, AGAINST)),
        (-0.2, "not lower", (INDICATIVE, FOR)),
        (-0.7, "not lower", (INDICATIVE, AGAINST)),
        (7.0, "not lower", (INDICATIVE, FOR)),
        (0.0, "higher", (UNDECIDED, None)),
    ],
)
def test_without_an_interval_nothing_is_more_than_indicative(effect, expected, outcome):
    assert judge(effect, None, expected, margin=0.5)[:2] == outcome


def test_seeds_needed_are_the_fewest():
    first, second, level = [9.1, 9.3, 9.5], [9.3, 9.4, 9.8], 0.99
    spread = np.std(first, ddof=1), np.std(second, ddof=1)

    def half(n: int) -> float:
        """Half the width of scipy's interval of two samples of n with these spreads."""
        samples = [s * np.tile([-1.0, 1.0], n // 2) * ((n - 1) / n) ** 0.5 for s in spread]
        assert [np.std(sample, ddof=1) for sample in samples] == pytest.approx(spread)
        low, high = stats.ttest_ind(*samples, equal_var=False).confidence_interval(level)
        return (high - low) / 2

    for n in (4, 10, 40):
        assert seeds_needed([first, second], level, half(n) * 1.0001) == n
        assert seeds_needed([first, second], level, half(n) * 0.9999) == n + 1
    assert seeds_needed([first, second], level, 0.0) is None


def test_seeds_needed_of_one_net():
    values, level = [4.1, 4.5, 5.2], 0.99
    for n in (2, 7, 40):
        half = stats.t.ppf(0.995, n - 1) * np.std(values, ddof=1) / n**0.5
        assert seeds_needed([values], level, half * 1.0001) == n
        assert seeds_needed([values], level, half * 0.9999) == n + 1
