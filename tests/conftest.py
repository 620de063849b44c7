"""Every property test is judged by what holds, never by how long one example takes."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# Hypothesis fails an example that takes 200 ms, and it does when the machine stands still for a moment. `make fuzz`
# names a profile of its own, which is loaded after this file.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")
