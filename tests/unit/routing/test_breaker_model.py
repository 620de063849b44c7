"""A breaker against a model of it that keeps every result in a plain list."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from hotplane.routing import Breaker, BreakerSettings, Permit

WIDTH = 1.0
"""Seconds per bucket of the time windows drawn here."""

LEASE = 7.0


@dataclass
class Call:
    permit: Permit
    epoch: int
    started: float
    overdue: bool = False


class Model:
    """What the documentation promises, without thought of speed: lists, recomputed at every step."""

    def __init__(self, settings: BreakerSettings, now: float) -> None:
        self.s = settings
        self.epoch = 0
        self.base = 0.0
        self.tally = dict.fromkeys(("admitted", "rejected", "succeeded", "failed", "cancelled", "stale", "expired"), 0)
        self.go("closed", now)
        self.epoch = 0

    def go(self, state: str, now: float) -> None:
        if state == "open":
            healthy = self.state == "closed" and now - self.since >= self.s.healthy_seconds
            fresh = healthy or self.base == 0.0
            self.base = self.s.open_seconds if fresh else min(self.base * self.s.open_growth, self.s.open_max_seconds)
        self.state = state
        self.since = now
        self.epoch += 1
        self.results: list[tuple[float, bool, bool]] = []
        self.probes: list[Call] = []

    def kept(self, now: float) -> list[tuple[float, bool, bool]]:
        if self.state == "half-open":
            return self.results
        if self.s.window == "count":
            return self.results[-self.s.window_calls :]
        oldest = now // WIDTH - self.s.window_seconds / WIDTH
        return [result for result in self.results if result[0] // WIDTH > oldest]

    def add(self, now: float, failed: bool, slow: bool) -> None:
        self.results.append((now, failed, slow))
        kept = self.kept(now)
        if len(kept) < (self.s.half_open_permits if self.state == "half-open" else self.s.minimum_calls):
            return
        failures = sum(result[1] for result in kept) / len(kept)
        slows = sum(result[2] for result in kept) / len(kept)
        bad = failures >= self.s.failure_rate or slows >= self.s.slow_rate
        if self.state == "half-open":
            self.go("open" if bad else "closed", now)
        elif self.state == "closed" and bad:
            self.go("open", now)

    def let_leases_end(self, now: float) -> None:
        for call in list(self.probes):
            if call in self.probes and now >= call.started + LEASE:
                self.probes.remove(call)
                call.overdue = True
                self.tally["expired"] += 1
                self.add(now, True, now - call.started > self.s.slow_call_seconds)

    def admits(self, now: float) -> bool:
        self.let_leases_end(now)
        if self.state == "open" and now >= self.since + self.base:
            self.go("half-open", now)
        if self.state == "half-open":
            allowed = len(self.probes) + len(self.results) < self.s.half_open_permits
        else:
            allowed = self.state not in {"open", "forced-open"}
        self.tally["admitted" if allowed else "rejected"] += 1
        return allowed

    def report(self, call: Call, now: float, failed: bool, seconds: float) -> None:
        self.let_leases_end(now)
        if call.overdue or call.epoch != self.epoch:
            self.tally["stale"] += 1
            return
        self.tally["failed" if failed else "succeeded"] += 1
        if call in self.probes:
            self.probes.remove(call)
        if self.state != "disabled":
            self.add(now, failed, seconds > self.s.slow_call_seconds)

    def withdraw(self, call: Call, now: float) -> None:
        self.tally["cancelled"] += 1
        self.let_leases_end(now)
        if call in self.probes:
            self.probes.remove(call)


class BreakerAgainstModel(RuleBasedStateMachine):
    @initialize(
        window=st.sampled_from(["count", "time"]),
        minimum=st.integers(1, 6),
        permits=st.integers(1, 4),
        failure_rate=st.sampled_from([0.3, 0.5, 1.0]),
        slow_rate=st.sampled_from([0.5, 1.0]),
    )
    def make(self, window: str, minimum: int, permits: int, failure_rate: float, slow_rate: float) -> None:
        settings = BreakerSettings.model_validate(
            {
                "window": window,
                "window_calls": 8,
                "window_seconds": 10.0,
                "minimum_calls": minimum,
                "half_open_permits": permits,
                "failure_rate": failure_rate,
                "slow_rate": slow_rate,
                "slow_call_seconds": 2.0,
                "open_seconds": 4.0,
                "open_max_seconds": 12.0,
                "open_jitter": 0.0,
                "permit_seconds": LEASE,
                "healthy_seconds": 20.0,
            }
        )
        # Quarters of a second are exact in binary, so that model and breaker agree to the last bit.
        self.clock = 1000.0
        self.offset = 0.0
        self.breaker = Breaker("engine", settings, clock=lambda: self.clock + self.offset, random=lambda: 0.5)
        self.model = Model(settings, self.clock)
        self.calls: list[Call] = []

    @rule(quarters=st.sampled_from([0, 1, 2, 4, 9, 16, 28, 80]))
    def time_passes(self, quarters: int) -> None:
        self.clock += quarters / 4

    @rule(seconds=st.sampled_from([0.25, 5.0, 3600.0]))
    def clock_jumps_back(self, seconds: float) -> None:
        self.breaker.snapshot()
        self.offset -= seconds
        self.breaker.snapshot()

    @rule(times=st.integers(1, 4))
    def ask(self, times: int) -> None:
        for _ in range(times):
            answer = self.breaker.admit()
            allowed = self.model.admits(self.clock)
            assert bool(answer) is allowed
            if isinstance(answer, Permit):
                call = Call(answer, self.model.epoch, self.clock)
                self.calls.append(call)
                if self.model.state == "half-open":
                    self.model.probes.append(call)

    @precondition(lambda self: self.calls)
    @rule(pick=st.integers(0, 1000), failed=st.booleans(), seconds=st.sampled_from([None, 0.5, 2.0, 2.25]))
    def end(self, pick: int, failed: bool, seconds: float | None) -> None:
        call = self.calls.pop(pick % len(self.calls))
        self.breaker.report(call.permit, failed=failed, seconds=seconds)
        elapsed = self.clock - call.started if seconds is None else seconds
        self.model.report(call, self.clock, failed, elapsed)

    @precondition(lambda self: self.calls)
    @rule(pick=st.integers(0, 1000))
    def cancel(self, pick: int) -> None:
        call = self.calls.pop(pick % len(self.calls))
        call.permit.cancelled()
        self.model.withdraw(call, self.clock)

    @rule(state=st.sampled_from(["forced-open", "disabled", "metrics-only", "closed"]))
    def operator(self, state: str) -> None:
        actions = {
            "forced-open": "force_open",
            "disabled": "disable",
            "metrics-only": "metrics_only",
            "closed": "reset",
        }
        getattr(self.breaker, actions[state])()
        if state == "closed":
            since = self.model.since
            was_closed = self.model.state == "closed"
            self.model.base = 0.0
            self.model.go("closed", self.clock)
            self.model.since = since if was_closed else self.clock
        elif self.model.state != state:
            self.model.go(state, self.clock)

    @invariant()
    def they_agree(self) -> None:
        snapshot = self.breaker.snapshot()
        kept = self.model.kept(self.clock)
        assert (snapshot.state, snapshot.generation) == (self.model.state, self.model.epoch + 1)
        assert snapshot.age == self.clock - self.model.since
        assert (snapshot.volume, snapshot.failures, snapshot.slow) == (
            len(kept),
            sum(result[1] for result in kept),
            sum(result[2] for result in kept),
        )
        assert snapshot.probes == len(self.model.probes)

    @invariant()
    def counters_add_up(self) -> None:
        counters = self.breaker.snapshot().counters
        assert {name: getattr(counters, name) for name in self.model.tally} == self.model.tally
        settled = counters.succeeded + counters.failed + counters.cancelled + counters.stale
        assert counters.admitted == settled + len(self.calls)


TestBreakerAgainstModel = BreakerAgainstModel.TestCase
TestBreakerAgainstModel.__doc__ = "Whatever happens in whatever order, breaker and model say the same."
TestBreakerAgainstModel.settings = hypothesis_settings(max_examples=200, stateful_step_count=60, deadline=None)
