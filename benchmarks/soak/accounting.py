"""The accounts of a soak: the host's store against what clients, programs and the receiver noted.

Imports `notes` and `scene` of this room and the store's tables; the host has ended by then.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.soak.notes import Notes
from benchmarks.soak.scene import HANDLER

__all__ = ["Account", "Promise", "account"]

_ENDED = frozenset({"completed", "cancelled", "stopped"})
_FINE = ("success", "cancelled")
"""How an item of an idempotent task may end: a batch that its client cancels or leaves has items that never ran."""


@dataclass(frozen=True)
class Promise:
    """What has to hold, and whether it did."""

    what: str
    found: float
    limit: float = 0.0
    note: str = ""

    @property
    def kept(self) -> bool:
        """Whether it is no more than allowed."""
        return self.found <= self.limit


@dataclass(frozen=True)
class Account:
    """What a soak came to."""

    promises: tuple[Promise, ...]
    figures: Mapping[str, int]
    """What there was of everything, for those who judge how much the promises were tried."""
    events: Mapping[str, int] = field(default_factory=dict[str, int])
    """Events by type."""


def account(store: Path, notes: Notes, *, runs: Mapping[str, int], received: Mapping[str, int]) -> Account:
    """Compare everything.

    Args:
        store: The host's database, of SQLite.
        notes: What clients saw.
        runs: How often the program began for each input's id; the id begins with its task's.
        received: How often the receiver took each event.
    """
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as base:
        base.execute("PRAGMA temp_store = MEMORY")
        answers = notes.lines("answers")
        _load(base, "answered", (words[0] for words in answers))
        _load(base, "taken", received)
        batches = _batches(base, notes)
        kinds = dict(base.execute("SELECT type, count(*) FROM hotplane_events GROUP BY type ORDER BY 2 DESC"))
        events, missing = _events(base)
        failed = Counter(why for _, task, why in notes.lines("failures") if task != "once")
        badly = sum(status not in _FINE for _, task, status in answers if task != "once")
        promises = (
            Promise("executions answered and not stored (lost)", _count(base, _LOST_EXECUTIONS)),
            Promise("idempotent executions that failed", failed.total() + badly, note=_most(failed)),
            Promise("executions of the task that is not idempotent that ran twice", _doubled(runs)),
            Promise("events the receiver never took (lost)", missing),
            Promise("deliveries given up", _count(base, _DEAD)),
            *batches,
        )
        figures = {
            "executions stored": _count(base, "SELECT count(*) FROM hotplane_executions"),
            "executions answered to clients": len(answers),
            "batches and streams": _count(base, "SELECT count(*) FROM hotplane_batches"),
            "items with a result": _count(base, "SELECT count(*) FROM hotplane_batch_results"),
            "events stored": events,
            "events taken more than once": sum(times - 1 for times in received.values()),
            "idempotent executions that ran more than once": sum(
                times > 1 for name, times in runs.items() if not name.startswith("once")
            ),
        }
    return Account(promises, figures, kinds)


_LOST_EXECUTIONS = """SELECT count(*) FROM answered
    WHERE NOT EXISTS (SELECT 1 FROM hotplane_executions WHERE hotplane_executions.id = answered.name)"""
_DEAD = "SELECT count(*) FROM hotplane_deliveries WHERE state = 'dead'"
_EVENT_ID = """CASE WHEN record IS NULL THEN json_extract(CAST(body AS TEXT), '$.id')
    ELSE (SELECT id || '-' || started_at FROM hotplane_executions WHERE sequence = record) END"""
_MISSING = f"SELECT count(*) FROM hotplane_events WHERE NOT EXISTS (SELECT 1 FROM taken WHERE name = {_EVENT_ID})"
_ABOUT_ITSELF = f"""{_MISSING} AND json_extract(CAST(body AS TEXT), '$.payload.plugin') = '{HANDLER}'
    AND NOT EXISTS (SELECT 1 FROM hotplane_deliveries WHERE event = hotplane_events.sequence)"""
"""Events about the handler, which are not addressed to it, so that none can cause the next."""
_RESULTS = """SELECT hotplane_batches.id, count(DISTINCT hotplane_batch_results.position), count(position)
    FROM hotplane_batches LEFT JOIN hotplane_batch_results ON hotplane_batch_results.batch = hotplane_batches.number
    GROUP BY hotplane_batches.id"""


def _events(base: sqlite3.Connection) -> tuple[int, int]:
    """Return how many there are, and how many the receiver has not."""
    missing = _count(base, _MISSING) - _count(base, _ABOUT_ITSELF)
    return _count(base, "SELECT count(*) FROM hotplane_events"), missing


def _batches(base: sqlite3.Connection, notes: Notes) -> Sequence[Promise]:
    results = {name: (positions, rows) for name, positions, rows in base.execute(_RESULTS)}
    sent = {name: int(items) for name, items in notes.lines("batches")}
    ended = {words[0]: words[1:] for words in notes.lines("ended")}
    unfinished = results.keys() - {name for name, (state, *_) in ended.items() if state in _ENDED}
    items = {name: int(shown) for name, (_, shown, _) in ended.items()} | sent
    wrong = [name for name, count in items.items() if results.get(name) != (count, count)]
    return (
        Promise("batches and streams that did not end", len(unfinished), note=" ".join(sorted(unfinished)[:3])),
        Promise("batches and streams without exactly one result an item", len(wrong), note=" ".join(wrong[:3])),
    )


def _doubled(runs: Mapping[str, int]) -> int:
    return sum(times > 1 for name, times in runs.items() if name.startswith("once"))


def _load(base: sqlite3.Connection, table: str, names: Iterable[str]) -> None:
    base.execute(f"CREATE TEMP TABLE {table} (name TEXT PRIMARY KEY) WITHOUT ROWID")
    base.executemany(f"INSERT OR IGNORE INTO {table} VALUES (?)", ((name,) for name in names))


def _count(base: sqlite3.Connection, query: str) -> int:
    (found,) = base.execute(query).fetchone()
    return int(found)


def _most(reasons: Counter[str]) -> str:
    return ", ".join(f"{times} × {why}" for why, times in reasons.most_common(3))
