"""Numbers by version, over generations."""

from __future__ import annotations

from hotplane.host.versions import MAX_VERSIONS, Versions


def test_generations_of_a_version_are_added_up() -> None:
    """Each has counters of its own; late calls of the one before count, too; older ones are not lost."""
    versions = Versions()
    counters = [versions.serve("1", generation) for generation in range(1, 8)]
    assert len({id(each) for each in counters}) == 7
    for each in counters[-3:]:
        each.observe(1000)
    assert (versions.current().calls, versions.list()[0].generation) == (3, 7)
    early = Versions()
    for generation in range(1, 8):
        early.serve("1", generation).observe(1000)
    assert early.current().calls == 7


def test_versions_end_and_come_back() -> None:
    """What serves is live and has no end; an older version goes on where it was."""
    versions = Versions()
    versions.serve("1", 1).observe(1000)
    versions.serve("2", 2)
    versions.serve("1", 3).observe(1000)
    seen = [(each.version, each.live, each.ended_at is None, each.stats.calls) for each in versions.list()]
    assert seen == [("2", False, False, 0), ("1", True, True, 2)]
    versions.end()
    assert versions.current().calls == 0


def test_only_so_many_are_remembered() -> None:
    """The oldest goes."""
    versions = Versions()
    for number in range(MAX_VERSIONS + 3):
        versions.serve(str(number), number)
    assert [each.version for each in versions.list()] == [str(number) for number in range(3, MAX_VERSIONS + 3)]
