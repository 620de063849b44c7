"""Running a program in this process for a caller in another one: JSON bytes in, JSON bytes or a typed failure out.

Imports only `valkyrie`, `programs`, `plugins`, `values` and `errors`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine

import msgspec

from hotplane.errors import (
    HotplaneError,
    Overloaded,
    ProgramNotAllowed,
    ProgramNotImportable,
    ShuttingDown,
    TooManyStuckThreads,
)
from hotplane.plugins import CURRENT_CALL
from hotplane.plugins import Call as CurrentCall
from hotplane.plugins import ProgramFailed as FailedHere
from hotplane.programs import Programs
from hotplane.valkyrie import (
    Call,
    DeadlineExceeded,
    PeerFailed,
    PeerOverloaded,
    PeerShuttingDown,
    ProgramFailed,
    UnknownTarget,
)
from hotplane.values import Json

__all__ = ["RUN", "InProcess", "check_method"]

RUN = "run"
"""The only method of a program."""

_encode = msgspec.json.Encoder().encode


def check_method(call: Call) -> None:
    """Refuse every method but `RUN`.

    Raises:
        UnknownTarget: It is another one.
    """
    if call.method != RUN:
        raise UnknownTarget(f"a program has no method {call.method!r}; it has {RUN!r}")


class InProcess:
    """Runs programs on the loop and in the threads of this process.

    A program is loaded once, by the first call that needs it; calls that come meanwhile wait for the same import, each
    no longer than its deadline.

    Args:
        programs: Loads and runs them.
    """

    def __init__(self, programs: Programs) -> None:
        self._programs = programs
        self._loaded = programs.loaded

    def handle(self, call: Call) -> Coroutine[None, None, bytes]:
        """Serve a call of Valkyrie; see `run`."""
        check_method(call)
        origin = CurrentCall(traceparent=call.trace)
        return self.run(call.target, call.payload, call.remaining_ms / 1e3, origin)

    async def load(self, spec: str, seconds: float) -> bool:
        """Load a program before it is run; tell whether that succeeded, for the run that follows says what did not.

        Raises:
            TimeoutError: It is still being imported; the import goes on.
        """
        try:
            await self._loaded.load(spec, seconds)
        except HotplaneError:
            return False
        return True

    async def run(self, spec: str, payload: bytes, seconds: float, origin: CurrentCall) -> bytes:
        """Run a program.

        Args:
            spec: ``package.module:function``.
            payload: The input, as JSON.
            seconds: What is left of its deadline.
            origin: Which execution it is, for the program to pass on.

        Returns:
            The output, as JSON.

        Raises:
            ProgramFailed: It raised, or returned something that is not JSON.
            UnknownTarget: It is not allowed, or cannot be imported.
            DeadlineExceeded: The deadline passed.
            PeerOverloaded, PeerShuttingDown: There is no room for it; it did not run.
            PeerFailed: The payload is not JSON; it did not run.
        """
        CURRENT_CALL.set(origin)
        clock = asyncio.get_running_loop().time
        ends_at = clock() + seconds
        try:
            program = self._loaded.get(spec) or await self._loaded.load(spec, seconds)
            return _encode(await self._programs.run(program, _decoded(payload), ends_at - clock()))
        except FailedHere as error:
            failure = error.failure
        except TimeoutError:
            # The deadline is shared with the import, which may be what took the time.
            raise DeadlineExceeded(executed="maybe" if spec in self._loaded else "no") from None
        except ProgramNotAllowed:
            raise UnknownTarget(
                f"{spec!r} is not allowed: `--programs` of the worker does not name its module"
            ) from None
        except ProgramNotImportable as error:
            raise UnknownTarget(f"{spec!r} cannot be used: {error.reason}") from None
        except Overloaded as error:
            raise PeerOverloaded(f"{error.what} is full ({error.limit})") from None
        except TooManyStuckThreads as error:
            raise PeerOverloaded(f"{error.stuck} threads hang in programs that overran their deadline") from None
        except ShuttingDown:
            raise PeerShuttingDown from None
        raise ProgramFailed(failure.message, type=failure.type, traceback=failure.traceback)


def _decoded(payload: bytes) -> Json:
    try:
        return msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise PeerFailed(f"the payload is not JSON: {error}", executed="no") from None
