"""What the HTTP edge itself refuses, before a host sees it. Imports only `errors`.

Each class's docstring is its message, as in `hotplane.errors`; `status` is the HTTP status::

    HotplaneError
    └── Refused
        ├── HeaderRefused, MalformedJson, HostNotAllowed, CrossSite, Unauthorized
        ├── NoSuchPath, MethodNotAllowed, RequestTooSlow, UploadStalled, BodyTooLarge, UnsupportedMediaType,
        │   UnsupportedContentCoding
        ├── IdempotencyKeyInFlight, IdempotencyKeyReused
        └── BodyDoesNotFit, QueryDoesNotFit, HeadersTooLarge
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from hotplane.errors import HotplaneError, Problem

__all__ = [
    "BodyDoesNotFit",
    "BodyTooLarge",
    "CrossSite",
    "HeaderRefused",
    "HeadersTooLarge",
    "HostNotAllowed",
    "IdempotencyKeyInFlight",
    "IdempotencyKeyReused",
    "MalformedJson",
    "MethodNotAllowed",
    "NoSuchPath",
    "QueryDoesNotFit",
    "Refused",
    "RequestTooSlow",
    "Unauthorized",
    "UnsupportedContentCoding",
    "UnsupportedMediaType",
    "UploadStalled",
]


class Refused(HotplaneError):
    """The request is refused."""

    code = "refused"
    status: ClassVar[int] = 400
    headers: Sequence[tuple[bytes, bytes]] = ()
    """Headers that the answer must have."""
    problems: Sequence[Problem] = ()


class HeaderRefused(Refused):
    """The request's head is not acceptable: {reason}."""

    code = "bad-request"

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__()


class MalformedJson(Refused):
    """The body is not JSON: {reason}. NaN, Infinity, comments and trailing commas are not JSON either."""

    code = "malformed-json"

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__()


class Unauthorized(Refused):
    """This needs a bearer token that is listed in `server.tokens`. Send `Authorization: Bearer` and the token."""

    code = "unauthorized"
    status = 401
    headers = ((b"www-authenticate", b'Bearer realm="hotplane"'),)


class CrossSite(Refused):
    """A page of {origin!r} may not change anything here: only pages of this server itself may."""

    code = "cross-site"
    status = 403

    def __init__(self, origin: str) -> None:
        self.origin = origin[:200]
        super().__init__()


class NoSuchPath(Refused):
    """There is nothing at {path!r}. `/docs` shows every path."""

    code = "no-such-path"
    status = 404

    def __init__(self, path: str) -> None:
        self.path = path[:200]
        super().__init__()


class MethodNotAllowed(Refused):
    """{method} cannot be used here; {allowed} can."""

    code = "method-not-allowed"
    status = 405

    def __init__(self, method: str, allowed: str) -> None:
        self.method = method[:40]
        self.allowed = allowed
        self.headers = ((b"allow", allowed.encode("ascii")),)
        super().__init__()


class RequestTooSlow(Refused):
    """The request was not complete after {limit:g} s, so that its connection is closed."""

    code = "request-too-slow"
    status = 408

    def __init__(self, limit: float) -> None:
        self.limit = limit
        super().__init__()


class UploadStalled(Refused):
    """Nothing of the body came for {limit:g} s, so that its connection is closed. Blank lines keep lines alive."""

    code = "upload-stalled"
    status = 408

    def __init__(self, limit: float) -> None:
        self.limit = limit
        super().__init__()


class IdempotencyKeyInFlight(Refused):
    """The first request with this Idempotency-Key has not ended. Send it again in a moment: it gets the same answer."""

    code = "idempotency-key-in-flight"
    status = 409
    headers = ((b"retry-after", b"1"),)


class IdempotencyKeyReused(Refused):
    """This Idempotency-Key belongs to another request, of another body or query. Use a new key for a new request."""

    code = "idempotency-key-reused"
    status = 422


class BodyTooLarge(Refused):
    """The body is larger than {limit} bytes. Send less, or raise `{setting}`."""

    code = "body-too-large"
    status = 413

    def __init__(self, limit: int, setting: str = "server.max_body_bytes") -> None:
        self.limit = limit
        self.setting = setting
        super().__init__()


class UnsupportedMediaType(Refused):
    """A body is accepted here as {accepted} in UTF-8, not as {media_type!r}. Set the header Content-Type."""

    code = "unsupported-media-type"
    status = 415

    def __init__(self, media_type: str, accepted: Iterable[str] = ("application/json",)) -> None:
        self.media_type = media_type[:100]
        self.accepted = " or ".join(accepted)
        self.headers = ((b"accept", self.accepted.replace(" or ", ", ").encode("ascii")),)
        super().__init__()


class UnsupportedContentCoding(Refused):
    """A body is accepted here as it is, not as {coding!r}. Leave the header Content-Encoding away."""

    code = "unsupported-content-coding"
    status = 415
    headers = ((b"accept-encoding", b"identity"),)

    def __init__(self, coding: str) -> None:
        self.coding = coding[:100]
        super().__init__()


class HostNotAllowed(Refused):
    """This server is not {host!r}. If it should be, add the name to `server.allowed_hosts`."""

    code = "host-not-allowed"
    status = 421

    def __init__(self, host: str) -> None:
        self.host = host[:200]
        super().__init__()


class BodyDoesNotFit(Refused):
    """The body does not fit ({reason})."""

    code = "body-does-not-fit"
    status = 422

    def __init__(self, reason: str, pointer: str = "") -> None:
        self.reason = reason
        self.problems = (Problem(reason, pointer),)
        super().__init__()


class QueryDoesNotFit(Refused):
    """The query does not fit ({reasons})."""

    code = "query-does-not-fit"
    status = 422

    def __init__(self, problems: Sequence[tuple[str, str]]) -> None:
        self.parameters = tuple(problems)
        """Name of a parameter and what is wrong with it."""
        self.reasons = "; ".join(reason for _, reason in problems)
        super().__init__()


class HeadersTooLarge(Refused):
    """The request's head is larger than {limit} bytes."""

    code = "headers-too-large"
    status = 431

    def __init__(self, limit: int) -> None:
        self.limit = limit
        super().__init__()
