"""What the wrappers have in common: another sampler inside, and a say in whether its picks are taken.

Imports only `plugins`, `errors` and this package.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import msgspec
from msgspec import Struct
from msgspec.structs import replace
from pydantic import BaseModel, PrivateAttr, ValidationError, model_validator
from typing_extensions import TypeVar

from hotplane.builtin import BUILTIN_TYPES, load_builtin
from hotplane.builtin.samplers.stateful import StatefulSampler
from hotplane.errors import did_you_mean
from hotplane.plugins import Clock, Config, Sample, Sampler, SamplingContext
from hotplane.records import Execution, SamplerOutcome
from hotplane.values import Json, pointer

__all__ = ["GatedConfig", "GatedSampler", "InnerSampler"]


class InnerSampler(Config):
    """The sampler inside a wrapper."""

    type: str
    """A sampler type that ships with Hotplane; a wrapper, too."""
    configuration: Mapping[str, Json] = {}
    """Its own settings."""

    _config: BaseModel = PrivateAttr()

    @model_validator(mode="after")
    def _fits(self) -> Self:
        # Kept, because reading nested wrappers again at each level would double the work with every level.
        self._config = _read(_sampler_class(self.type), self.configuration)
        return self

    def make(self) -> Sampler[Any]:
        """Return the sampler."""
        return _sampler_class(self.type)(self._config)


class GatedConfig(Config):
    """What every wrapper is told."""

    sampler: InnerSampler
    """The sampler whose picks are limited."""


GatedT = TypeVar("GatedT", bound=GatedConfig)


class _Kept(Struct):
    own: Any = None
    inner: Any = None


class GatedSampler(StatefulSampler[GatedT]):
    """Asks the sampler inside first, and takes its pick only where every limit allows it.

    Nothing is spent unless the execution is really picked: of nested wrappers all are asked before any of them
    spends. A wrapper never stands for the population, whatever is inside, because what it leaves out depends on
    what came before.
    """

    refusal: ClassVar[SamplerOutcome]
    """What the decision says where this wrapper refuses."""

    def __init__(self, config: GatedT | None = None) -> None:
        super().__init__(config)
        self._inner = self.config.sampler.make()
        nested = self._inner if isinstance(self._inner, GatedSampler) else None
        self.source: Sampler[Any] = nested.source if nested else self._inner
        """The innermost sampler, the one that is no wrapper."""
        self.gates: tuple[GatedSampler[Any], ...] = (*(nested.gates if nested else ()), self)
        """This wrapper and those inside, from the inside out."""
        self.observes = self.source.observes

    def refused(self) -> str:
        """Return why nothing can be picked now; empty when something can."""
        raise NotImplementedError

    def spend(self) -> None:
        """Count one pick."""
        raise NotImplementedError

    def own_snapshot(self) -> Json:
        """Return what the wrapper itself remembers."""
        raise NotImplementedError

    def own_restore(self, kept: Json) -> None:
        """Go on from what `own_snapshot` returned."""
        raise NotImplementedError

    def should_sample(self, execution: Execution, context: SamplingContext) -> Sample:
        """Ask the sampler inside, then the limits from the inside out."""
        answer = self.source.should_sample(execution, replace(context, configuration=self.source.config))
        assert isinstance(answer, Sample)  # noqa: S101 - the samplers that ship are sync
        if not answer.sampled:
            return replace(answer, probability=None)
        for gate in self.gates:
            if why := gate.refused():
                reason = f"{why}; otherwise: {answer.reason}"
                return replace(answer, sampled=False, reason=reason, probability=None, outcome=gate.refusal)
        for gate in self.gates:
            gate.spend()
        return replace(answer, probability=None)

    def observe(self, execution: Execution) -> None:
        """Let the sampler inside take note."""
        self.source.observe(execution)

    def begin(self, clock: Clock) -> None:
        """Take the clock in, inside too."""
        super().begin(clock)
        if isinstance(self._inner, StatefulSampler):
            self._inner.begin(clock)

    def snapshot(self) -> Json:
        """Return what this wrapper and the sampler inside remember."""
        inner = self._inner.snapshot() if isinstance(self._inner, StatefulSampler) else None
        return {"own": self.own_snapshot(), "inner": inner}

    def restore(self, kept: Json) -> None:
        """Go on from both."""
        parts = msgspec.convert(kept, _Kept)
        self.own_restore(parts.own)
        if parts.inner is not None and isinstance(self._inner, StatefulSampler):
            self._inner.restore(parts.inner)


def _sampler_class(name: str) -> type[Sampler[Any]]:
    cls = load_builtin(name) if name in BUILTIN_TYPES else None
    if cls is None or not issubclass(cls, Sampler):
        known = sorted(name for name, place in BUILTIN_TYPES.items() if ".samplers." in place)
        hint = did_you_mean(name, known) or "."
        raise ValueError(f"there is no sampler type {name[:100]!r} in Hotplane{hint} Known: {', '.join(known)}")
    return cls


def _read(cls: type[Sampler[Any]], configuration: Mapping[str, Json]) -> BaseModel:
    try:
        return cls.Config.model_validate(configuration)
    except ValidationError as error:
        problems = [
            f"{pointer('configuration', *each['loc'])}: {each['msg']}" for each in error.errors(include_url=False)
        ]
    raise ValueError("; ".join(problems))
