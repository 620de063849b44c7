"""Per-plugin numbers for Prometheus, read from the plugins' own counters at scrape time.

Imports only `plugins`, `registry` and its own room. Labels are bounded: plugin id, kind, metadata version.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import accumulate

from msgspec import Struct

from hotplane.host.exposition import Family, Sample, number, render
from hotplane.host.health_report import HealthState
from hotplane.plugins import kind_name
from hotplane.registry import Entry, PluginStats

__all__ = ["PluginMetrics"]

RETIRED_SECONDS = 3600.0
"""How long the series of a version are shown after it was last live, so that a scraper sees its final numbers."""
MAX_RETIRED = 20
"""Versions of one plugin that are shown beside the live one; the oldest go first."""
_LOOSE = 4
_FIRST_BUCKET, _LAST_BUCKET = 10, 36
"""Bounds that are shown, as powers of two of nanoseconds: 1 µs to 69 s. All series have the same, or they could not be
added up; what is faster is in the first, what is slower in +Inf."""

_SeriesKey = tuple[str, str, str]


class Totals(Struct):
    """Numbers of one version, added up over its instances."""

    buckets: list[int]
    total_ns: int = 0
    errors: int = 0
    timeouts: int = 0

    def add(self, stats: PluginStats) -> None:
        """Add one instance's numbers as they are now."""
        # Errors first: a call counts as failed before it counts, and there must not be more errors than calls.
        self.errors += stats.errors
        self.timeouts += stats.timeouts
        self.total_ns += stats.total_ns
        self.buckets = [a + b for a, b in zip(self.buckets, stats.buckets, strict=True)]


def _zero() -> Totals:
    return Totals(buckets=[0] * len(PluginStats().buckets))


class _Series:
    """One version of one plugin: its instances, each with counters that begin at zero.

    Calls end on the instance where they began, so the counters of the latest few are read again at every scrape;
    those of older ones are settled and folded into one sum. The sum never goes down.
    """

    __slots__ = ("folded", "instances", "last_live")

    def __init__(self) -> None:
        self.folded = _zero()
        self.instances: deque[PluginStats] = deque()
        self.last_live = 0.0

    def live(self, stats: PluginStats, now: float) -> None:
        self.last_live = now
        if not any(known is stats for known in self.instances):
            self.instances.append(stats)
            if len(self.instances) > _LOOSE:
                self.folded.add(self.instances.popleft())

    def totals(self) -> Totals:
        totals = _zero()
        for each in self.instances:
            totals.add(each)
        folded = self.folded
        return Totals(
            buckets=[a + b for a, b in zip(totals.buckets, folded.buckets, strict=True)],
            total_ns=totals.total_ns + folded.total_ns,
            errors=totals.errors + folded.errors,
            timeouts=totals.timeouts + folded.timeouts,
        )


class PluginMetrics:
    """Collects the numbers of every active plugin, and of versions that were active within the last hour.

    Args:
        entries: Returns the plugins that are active now.
        monotonic: Returns seconds.
        restarts: Returns how often the host restarted a plugin by itself.
        health: Returns the states of active plugins by id, as `HealthMonitor.states` does.
    """

    def __init__(
        self,
        entries: Callable[[], Iterable[Entry]],
        monotonic: Callable[[], float],
        *,
        restarts: Callable[[str], int],
        health: Callable[[], Mapping[str, HealthState]],
    ) -> None:
        self._entries = entries
        self._monotonic = monotonic
        self._restarts = restarts
        self._health = health
        self._series: dict[_SeriesKey, _Series] = {}

    def observe(self) -> tuple[Entry, ...]:
        """Note who is active now, and return it.

        Every scrape does so. The host may do it when a plugin is replaced, so that instances which come and go between
        two scrapes are counted too.
        """
        now = self._monotonic()
        entries = tuple(self._entries())
        live = {_key(entry): entry.stats for entry in entries}
        for key, stats in live.items():
            self._series.setdefault(key, _Series()).live(stats, now)
        self._drop_retired(self._series.keys() - live.keys(), now)
        return entries

    def collect(self) -> tuple[Family, ...]:
        """Return all families of metrics."""
        entries = self.observe()
        totals = {key: series.totals() for key, series in sorted(self._series.items())}
        return (
            _counter("calls", "Calls of a plugin that ended, in whatever way.", _values(totals, _calls)),
            _counter("errors", "Calls that raised or ran out of time.", _values(totals, lambda each: each.errors)),
            _counter("timeouts", "Calls that ran out of time.", _values(totals, lambda each: each.timeouts)),
            Family(
                name="hotplane_plugin_call_duration_seconds",
                help="How long calls of a plugin took.",
                type="histogram",
                samples=tuple(sample for key, each in totals.items() for sample in _histogram(_labels(key), each)),
            ),
            *self._standing(sorted(entries, key=lambda entry: entry.id)),
        )

    def render(self) -> str:
        """Return all metrics in Prometheus' text format."""
        return render(self.collect())

    def _standing(self, entries: Iterable[Entry]) -> Iterator[Family]:
        restarts, generations, healthy = list[Sample](), list[Sample](), list[Sample]()
        states = self._health()
        for entry in entries:
            plugin = {"plugin": entry.id, "kind": kind_name(entry.kind)}
            restarts.append(Sample(self._restarts(entry.id), plugin))
            generations.append(Sample(entry.generation, plugin))
            state = states.get(entry.id, HealthState.UNKNOWN)
            if state is not HealthState.UNKNOWN:
                healthy.append(Sample(float(state is not HealthState.UNHEALTHY), plugin))
        yield _counter("restarts", "Restarts of a plugin by the supervisor.", restarts)
        yield _gauge("generation", "Which loaded version of a plugin serves.", generations)
        yield _gauge("healthy", "1 while a plugin is healthy or degraded, 0 while it is unhealthy.", healthy)

    def _drop_retired(self, retired: Iterable[_SeriesKey], now: float) -> None:
        shown = Counter[str]()
        for key in sorted(retired, key=lambda key: self._series[key].last_live, reverse=True):
            shown[key[0]] += 1
            if shown[key[0]] > MAX_RETIRED or now - self._series[key].last_live >= RETIRED_SECONDS:
                del self._series[key]


def _key(entry: Entry) -> _SeriesKey:
    return entry.id, kind_name(entry.kind), entry.plugin.version


def _labels(key: _SeriesKey) -> Mapping[str, str]:
    return dict(zip(("plugin", "kind", "version"), key, strict=True))


def _calls(totals: Totals) -> int:
    return sum(totals.buckets)


def _values(totals: Mapping[_SeriesKey, Totals], value: Callable[[Totals], int]) -> list[Sample]:
    return [Sample(value(each), _labels(key)) for key, each in totals.items()]


def _counter(name: str, help: str, samples: Iterable[Sample]) -> Family:
    return Family(name=f"hotplane_plugin_{name}_total", help=help, type="counter", samples=tuple(samples))


def _gauge(name: str, help: str, samples: Iterable[Sample]) -> Family:
    return Family(name=f"hotplane_plugin_{name}", help=help, type="gauge", samples=tuple(samples))


def _histogram(labels: Mapping[str, str], totals: Totals) -> Iterator[Sample]:
    """Yield a histogram's lines: bucket *b* holds calls of at most 2^b - 1 ns."""
    cumulative = list(accumulate(totals.buckets))
    for bucket in range(_FIRST_BUCKET, _LAST_BUCKET + 1):
        yield Sample(cumulative[bucket], {**labels, "le": number(((1 << bucket) - 1) / 1e9)}, "_bucket")
    yield Sample(cumulative[-1], {**labels, "le": "+Inf"}, "_bucket")
    yield Sample(totals.total_ns / 1e9, labels, "_sum")
    yield Sample(cumulative[-1], labels, "_count")
