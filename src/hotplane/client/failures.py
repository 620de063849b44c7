"""What can go wrong between a program and a server. Imports only `errors`.

None of these messages holds a token, a header or a body::

    HotplaneError
    └── ClientError
        ├── BadAddress, BadToken       the client cannot be built
        ├── BadKey                     the request cannot be named so
        ├── ConnectionFailed           nothing was sent
        ├── ConnectionLost             something was sent, and no answer came
        ├── NotHotplane                somebody else answered
        ├── UploadIncomplete           only the first items arrived
        └── ApiError                   the server said why
            ├── ApiUnauthorized        401, 403
            ├── ApiNotFound            404, also an `errors.NotFound`
            ├── ApiConflict            409, also an `errors.Conflict`
            ├── ApiInvalid             400, 413, 415, 422, also an `errors.Invalid`
            └── ApiUnavailable         429, 502, 503, 504, also an `errors.Unavailable`
"""

from __future__ import annotations

from collections.abc import Sequence

from hotplane.errors import Conflict, HotplaneError, Invalid, NotFound, Problem, Unavailable

__all__ = [
    "ApiConflict",
    "ApiError",
    "ApiInvalid",
    "ApiNotFound",
    "ApiUnauthorized",
    "ApiUnavailable",
    "BadAddress",
    "BadKey",
    "BadToken",
    "ClientError",
    "ConnectionFailed",
    "ConnectionLost",
    "NotHotplane",
    "UploadIncomplete",
    "api_error_class",
]

_IN_FLIGHT = "idempotency-key-in-flight"


class ClientError(HotplaneError):
    """A request to a server did not succeed."""

    code = "client-error"

    @property
    def transient(self) -> bool:
        """Whether the same request may succeed a moment later, so that it is worth another try."""
        return False


class BadAddress(ClientError, Invalid):
    """{address!r} is not the address of a server. Write it as http://host:port."""

    code = "bad-address"

    def __init__(self, address: str, message: str | None = None) -> None:
        self.address = address
        super().__init__(message)


class BadToken(ClientError, Invalid):
    """The token has characters that no token has."""

    code = "bad-token"


class BadKey(ClientError, Invalid):
    """An idempotency key has 1 to 255 printable ASCII characters, and no space at either end. Nothing was sent."""

    code = "bad-key"


class ConnectionFailed(ClientError):
    """No connection to {address}: {reason}. Start the server with `hotplane serve`, or give another address."""

    code = "connection-failed"

    def __init__(self, address: str, reason: str) -> None:
        self.address = address
        self.reason = reason
        super().__init__()

    @property
    def transient(self) -> bool:
        """True: servers come back."""
        return True


class ConnectionLost(ClientError):
    """{address} gave no answer: {reason}. What was asked for may have been done: repeat it with the same idempotency key."""  # noqa: E501 - a message

    code = "connection-lost"

    def __init__(self, address: str, reason: str) -> None:
        self.address = address
        self.reason = reason
        super().__init__()

    @property
    def transient(self) -> bool:
        """True: a repeated request has the same idempotency key, so that nothing is done twice."""
        return True


class NotHotplane(ClientError):
    """What answers at {address} is not a Hotplane server: {reason}. Give another address."""

    code = "not-hotplane"

    def __init__(self, address: str, reason: str) -> None:
        self.address = address
        self.reason = reason
        super().__init__()


class UploadIncomplete(ClientError):
    """The connection broke while items were sent: only the first {accepted} items of {batch_id} arrived. Send the rest again."""  # noqa: E501 - a message

    code = "upload-incomplete"

    def __init__(self, batch_id: str, accepted: int) -> None:
        self.batch_id = batch_id
        self.accepted = accepted
        """How many items arrived whole; every one of them was run."""
        super().__init__()


class ApiError(ClientError):
    """The server refused a request, or failed, and said why.

    Args:
        title: The problem's kind in words.
        detail: The server's sentence.
        status: The HTTP status.
        code: The stable code of the problem, such as ``unknown-task``; empty where the server gave none.
        problems: What is wrong, one by one, with JSON Pointers into what was sent.
        execution_id: The execution that this is about.
        error_id: The entry of the server's log that has more to say.
        retry_after: Seconds after which the server advises another try.
    """

    code = "api-error"

    def __init__(
        self,
        title: str,
        detail: str,
        *,
        status: int,
        code: str = "",
        problems: Sequence[Problem] = (),
        execution_id: str | None = None,
        error_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        self.title = title
        self.detail = detail
        self.status = status
        self.problems = tuple(problems)
        self.execution_id = execution_id
        self.error_id = error_id
        self.retry_after = retry_after
        if code:
            vars(self)["code"] = code  # a class variable of the other errors; here the server says it
        super().__init__(f"{title}: {detail}" if detail else f"{title}.")

    @property
    def transient(self) -> bool:
        """Whether the server could not do it now, or is still at it."""
        return self.status in {429, 502, 503, 504} or (self.status == 409 and self.code == _IN_FLIGHT)


class ApiUnauthorized(ApiError):
    """The token is missing, is not known, or does not allow this."""


class ApiNotFound(ApiError, NotFound):
    """The server does not have what was asked for."""


class ApiConflict(ApiError, Conflict):
    """The request does not fit the server's present state."""


class ApiInvalid(ApiError, Invalid):
    """The server cannot accept what was sent."""


class ApiUnavailable(ApiError, Unavailable):
    """The server cannot do it now."""


_CLASSES: dict[int, type[ApiError]] = {
    401: ApiUnauthorized,
    403: ApiUnauthorized,
    404: ApiNotFound,
    409: ApiConflict,
    **dict.fromkeys((400, 413, 415, 422), ApiInvalid),
    **dict.fromkeys((429, 502, 503, 504), ApiUnavailable),
}


def api_error_class(status: int) -> type[ApiError]:
    """Return the class of the errors with an HTTP status."""
    return _CLASSES.get(status, ApiError)
