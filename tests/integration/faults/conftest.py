"""Two workers for all cases, and a place for each."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from tests.integration.faults.processes import MODULE
from tests.integration.faults.site import Site, open_site


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Start the workers that cases do no harm."""
    with open_site(tmp_path_factory.mktemp("faults")) as site:
        yield site


@pytest.fixture
def site(shared: Site) -> Iterator[Site]:
    """Return the place of one case, whose module the next one does not find loaded."""
    own = shared.of_its_own()
    yield own
    sys.modules.pop(MODULE, None)
    sys.path[:] = [entry for entry in sys.path if entry != str(own.folder)]
