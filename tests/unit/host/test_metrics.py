"""Per-plugin numbers at scrape time, on a clock that the test turns."""

from __future__ import annotations

import re
from typing import Any

import pytest

from hotplane.host.health_report import HealthState
from hotplane.host.metrics import PluginMetrics
from hotplane.plugins import Validator
from hotplane.records import PluginMetadata, ValidationResult
from hotplane.registry import PluginStats, Registry


def plugin_of(version: str = "1.0") -> Validator[Any]:
    """Return a plugin of some version."""

    class Counted(Validator[Any]):
        metadata = PluginMetadata(name="counted", version=version)

        def validate(self, execution: Any, context: Any) -> ValidationResult:
            return ValidationResult(valid=True)

    return Counted()


class Scraped:
    """A registry and the scraper of its numbers."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.registry = Registry()
        self.restarts: dict[str, int] = {}
        self.states: dict[str, HealthState] = {}
        self.metrics = PluginMetrics(
            self.registry.entries,
            lambda: self.seconds,
            restarts=lambda plugin_id: self.restarts.get(plugin_id, 0),
            health=lambda: self.states,
        )

    def add(self, version: str = "1.0", id: str = "a") -> PluginStats:
        """Plug a plugin in and return its counters."""
        return self.registry.register(plugin_of(version), id=id).stats

    def swap(self, version: str, generation: int = 2) -> PluginStats:
        """Put another version in the plugin's place and return its counters."""
        return self.registry.swap("a", plugin_of(version), generation=generation).stats

    def values(self, name: str) -> dict[str, float]:
        """Scrape, and return the values of a metric by their labels, written as in the text."""
        pattern = re.compile(rf"hotplane_plugin_{name}(\{{.*\}})? (\S+)")
        found = map(pattern.fullmatch, self.metrics.render().splitlines())
        return {match[1]: float(match[2]) for match in found if match}

    def calls(self) -> dict[str, float]:
        """Scrape, and return the calls by version."""
        return {labels.split('"')[5]: value for labels, value in self.values("calls_total").items()}


@pytest.fixture
def scraped() -> Scraped:
    """Return an empty registry that is scraped."""
    return Scraped()


def test_counters_have_bounded_labels(scraped: Scraped) -> None:
    """Calls, errors and timeouts come by plugin, kind and version, and by nothing else."""
    stats = scraped.add()
    stats.errors, stats.timeouts = 2, 1
    for _ in range(3):
        stats.observe(1000)
    labels = '{plugin="a",kind="validator",version="1.0"}'
    assert scraped.values("calls_total") == {labels: 3}
    assert scraped.values("errors_total") == {labels: 2}
    assert scraped.values("timeouts_total") == {labels: 1}


def test_histogram(scraped: Scraped) -> None:
    """Latencies are cumulative in seconds, and everything is in +Inf."""
    stats = scraped.add()
    for elapsed in (1, 1023, 1024, 5_000_000, 2**50):
        stats.observe(elapsed)
    buckets = {
        labels.split('le="')[1][:-2]: value for labels, value in scraped.values("call_duration_seconds_bucket").items()
    }
    assert (buckets["1.023e-06"], buckets["2.047e-06"], buckets["0.008388607"], buckets["+Inf"]) == (2, 3, 4, 5)
    assert list(buckets.values()) == sorted(buckets.values())
    assert list(scraped.values("call_duration_seconds_count").values()) == [5]
    assert list(scraped.values("call_duration_seconds_sum").values()) == [(1 + 1023 + 1024 + 5_000_000 + 2**50) / 1e9]


def test_every_series_has_the_same_bounds(scraped: Scraped) -> None:
    """Histograms of different plugins can be added up: their bounds are the same."""
    scraped.add(id="a").observe(10)
    scraped.add(id="b").observe(10**10)
    bounds: dict[str, list[str]] = {}
    for labels in scraped.values("call_duration_seconds_bucket"):
        bounds.setdefault(labels.split('"')[1], []).append(labels.split('le="')[1])
    assert bounds["a"] == bounds["b"]


def test_standing(scraped: Scraped) -> None:
    """Restarts, generation and health are of the plugin, whatever its version."""
    scraped.add()
    scraped.restarts["a"] = 4
    scraped.swap("2.0", generation=9)
    labels = '{plugin="a",kind="validator"}'
    assert scraped.values("restarts_total") == {labels: 4}
    assert scraped.values("generation") == {labels: 9}
    assert scraped.values("healthy") == {}


@pytest.mark.parametrize(("state", "value"), [("healthy", 1), ("degraded", 1), ("unhealthy", 0)])
def test_health(scraped: Scraped, state: str, value: int) -> None:
    """A degraded plugin serves, so it counts as healthy; of an unknown one nothing is said."""
    scraped.add()
    scraped.states["a"] = HealthState(state)
    assert list(scraped.values("healthy").values()) == [value]


def test_old_versions_disappear_after_an_hour(scraped: Scraped) -> None:
    """A version that is no longer live is shown for an hour, with its final numbers."""
    old = scraped.add("1.0")
    scraped.calls()
    scraped.swap("2.0").observe(1)
    old.observe(1)
    scraped.seconds = 3599
    assert scraped.calls() == {"1.0": 1, "2.0": 1}
    scraped.seconds = 3600
    assert scraped.calls() == {"2.0": 1}


def test_an_unloaded_plugin_disappears_after_an_hour(scraped: Scraped) -> None:
    """Of a plugin that is gone its series stay for an hour, its standing does not."""
    scraped.add().observe(1)
    scraped.calls()
    scraped.registry.clear_all()
    assert (scraped.calls(), scraped.values("generation")) == ({"1.0": 1}, {})
    scraped.seconds = 3600
    assert scraped.metrics.render() == ""


def test_a_live_version_never_disappears(scraped: Scraped) -> None:
    """However long a version lives and nobody scrapes, its series stays."""
    scraped.add().observe(1)
    for hours in (0, 1, 100):
        scraped.seconds = hours * 3600.0
        assert scraped.calls() == {"1.0": 1}


def test_instances_of_one_version_add_up(scraped: Scraped) -> None:
    """An edit without a new version number begins fresh counters; the series goes on and never goes down."""
    scraped.add()
    seen = list[float]()
    for generation in range(2, 22):
        stats = scraped.swap("1.0", generation)
        stats.observe(1)
        stats.errors += 1
        seen.append(scraped.calls()["1.0"])
    assert seen == list(range(1, 21))
    assert list(scraped.values("errors_total").values()) == [20]


def test_calls_that_end_on_the_old_instance_count(scraped: Scraped) -> None:
    """Calls finish on the instance where they began, and are counted there after the swap."""
    old = scraped.add("1.0")
    scraped.calls()
    scraped.swap("1.0")
    old.observe(1)
    scraped.calls()
    old.observe(1)
    assert scraped.calls() == {"1.0": 2}


def test_instances_between_two_scrapes_count_when_observed(scraped: Scraped) -> None:
    """A host that tells of each swap loses no calls of an instance that no scrape ever saw."""
    scraped.add("1.0").observe(1)
    for generation in range(2, 6):
        scraped.metrics.observe()
        scraped.swap("1.0", generation).observe(1)
    assert scraped.calls() == {"1.0": 5}


def test_retired_versions_are_limited(scraped: Scraped) -> None:
    """However often a plugin's version changes within the hour, its newest twenty retired ones are shown."""
    scraped.add("1.0")
    for minor in range(1, 51):
        scraped.seconds += 1
        scraped.metrics.observe()
        scraped.swap(f"1.{minor}", minor)
    assert set(scraped.calls()) == {f"1.{minor}" for minor in range(30, 51)}
