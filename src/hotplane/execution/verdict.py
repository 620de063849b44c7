"""How the results of several validators become one verdict. Imports only `records`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from hotplane.records import ValidationPolicy, ValidationResult

__all__ = ["verdict"]

_ROUNDING = 1e-9
"""A share that misses the threshold by this little reaches it: 55 of 100 are 55 %, also where 0.55 · 100 is more."""
_NO_WEIGHTS: Mapping[str, float] = MappingProxyType({})


def verdict(
    results: Sequence[ValidationResult],
    policy: ValidationPolicy = ValidationPolicy.ALL,
    *,
    threshold: float = 0.5,
    weights: Mapping[str, float] = _NO_WEIGHTS,
) -> bool | None:
    """Sum results up: true, false, or null where that is not known.

    What could not be judged never counts as agreement or objection. It makes the verdict null exactly where it could
    still change it, whatever the policy:

    ===================  ==========================  ===========================  =======================
    policy               true                        false                        null
    ===================  ==========================  ===========================  =======================
    ``all``              all are true                one is false                 else
    ``first-failure``    all are true                one is false                 else
    ``any``              one is true                 all are false                else
    ``weighted``         the share of true weight    it is below the threshold    else
                         reaches the threshold with  with every null taken for
                         every null taken for false  true
    ===================  ==========================  ===========================  =======================

    Without a result that applies the verdict is null. A result's weight under ``weighted`` is its validator's weight
    times its confidence; one that is null has the whole weight of its validator. Without any weight the verdict is
    null, too.

    Args:
        results: Of one execution; those that do not apply are left out.
        policy: The rule.
        threshold: For ``weighted``: the share, from 0 to 1.
        weights: For ``weighted``: by validator; 1 for one that is not named.
    """
    binding = [result for result in results if result.applies]
    if not binding:
        return None
    if policy is ValidationPolicy.WEIGHTED:
        return _weighed(binding, threshold, weights)
    deciding = policy is ValidationPolicy.ANY
    if any(result.valid is deciding for result in binding):
        return deciding
    return None if any(result.valid is None for result in binding) else not deciding


def _weighed(binding: Sequence[ValidationResult], threshold: float, weights: Mapping[str, float]) -> bool | None:
    agreeing = objecting = unknown = 0.0
    for result in binding:
        weight = weights.get(result.validator, 1.0)
        if result.valid is None:
            unknown += weight
        elif result.valid:
            agreeing += weight * result.confidence
        else:
            objecting += weight * result.confidence
    whole = agreeing + objecting + unknown
    if not whole:
        return None
    enough = (threshold - _ROUNDING) * whole
    if agreeing >= enough:
        return True
    return None if agreeing + unknown >= enough else False
