"""`http`: the runner that has programs run by a worker over HTTP.

Imports only `errors`, `network`, `plugins`, `records`, `values` and what lies beside it.
"""

from __future__ import annotations

import asyncio
import gzip
import random
from collections import Counter
from collections.abc import Mapping
from itertools import count

from hotplane.builtin.runners.http_protocol import MaybeRefused, encode_request, read_answer, takes_gzip
from hotplane.builtin.runners.http_settings import ANSWER_GRACE_SECONDS, HttpRunnerConfig, read_token, tls_context
from hotplane.errors import PluginMisconfigured
from hotplane.network import AllowedOrigins, Answer, NoAnswer, Origin, OutboundClient, OutboundFailed
from hotplane.plugins import CURRENT_CALL, NotExecuted, PluginContext, Runner, TransportFailed
from hotplane.records import Health, HealthStatus, PluginMetadata, Task
from hotplane.values import Json

__all__ = ["HttpRunner", "HttpRunnerConfig"]

_FIRST_WAIT_SECONDS = 0.05
"""Before a refused connection is tried again; doubled each time, spread down to its half."""
_HEALTH_SECONDS = 5.0
_PACK_IN_THREAD_BYTES = 256 * 1024
"""Packing this much takes a few milliseconds, for which the loop must not stand still."""


class HttpRunner(Runner[HttpRunnerConfig]):
    """Sends executions to an HTTP worker and tells apart what certainly did not run.

    A request is repeated only where nothing can have run twice: when no connection came about, when the
    worker says that it did not execute, and, for idempotent tasks, when somebody answered 503 with a time to wait.
    """

    metadata = PluginMetadata(
        name="http",
        version="0.1.0",
        description="Has programs run by a worker over HTTP.",
        author="The Hotplane developers",
    )
    recovers_itself = True

    def __init__(self, config: HttpRunnerConfig | None = None) -> None:
        super().__init__(config)
        self._client: OutboundClient | None = None
        self._headers: dict[str, str] = {}
        self._worker_takes_gzip = False
        self._counts: Counter[str] = Counter()
        self._failures: Counter[str] = Counter()

    async def start(self, context: PluginContext) -> None:
        """Read the credentials and make the pool; connections come with the first requests.

        Raises:
            PluginMisconfigured: The token or the authority's certificates cannot be read.
        """
        token = read_token(self.config, context.log)
        origin = Origin.of(self.config.base_url)
        self._headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token}"
            if origin.scheme == "http" and not origin.is_loopback:
                context.log.warning("http.token-in-clear", origin=str(origin), mend="use https")
        self._client = self._open(context)

    async def stop(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.close()

    async def check_health(self) -> Health:
        """Ask the worker whether it is ready."""
        try:
            answer = await self._send("GET", self.config.health_path, None, {}, _HEALTH_SECONDS)
        except (OutboundFailed, NotExecuted) as error:
            return Health(status=HealthStatus.UNHEALTHY, message=str(error))
        if 200 <= answer.status < 300:
            return Health()
        return Health(status=HealthStatus.UNHEALTHY, message=f"The worker answered {answer.status}.")

    def stats(self) -> Mapping[str, Json]:
        """Return how many requests were sent and repeated, and what went wrong how often."""
        return {
            "requests": self._counts["requests"],
            "retries": self._counts["retries"],
            "packed": self._counts["packed"],
            "failures": dict(self._failures),
        }

    async def run(self, task: Task, input: Json, deadline: float) -> Json:
        """Have the worker run the program.

        Raises:
            ProgramFailed: The program raised.
            ProgramOverran: The worker stopped it at its deadline.
            TimeoutError: The worker was silent for too long.
            NotExecuted: It certainly did not run.
            TransportFailed: It may have run.
        """
        clock = asyncio.get_running_loop().time
        ends_at = clock() + min(deadline, self.config.timeout_ms / 1e3)
        for attempt in count():
            try:
                return await self._once(task, input, ends_at - clock())
            except (NotExecuted, TransportFailed) as error:
                self._failures[error.code] += 1
                wait = self._wait(task, error, attempt)
                if wait is None or wait >= ends_at - clock():
                    raise
            self._counts["retries"] += 1
            await asyncio.sleep(wait)
        raise AssertionError  # `count` does not end

    def _open(self, context: PluginContext) -> OutboundClient:
        """Return a pool with the limits of this runner and the host's exceptions.

        Only in the file may the worker's address be a private one; a base_url that came by the API is guarded.
        """
        limits, tls = self.config.outbound(), tls_context(self.config)
        try:
            way_out = context.http
        except PluginMisconfigured:  # no host around it: whoever runs it by hand wrote its configuration
            return OutboundClient(AllowedOrigins([self.config.base_url]), limits, tls=tls)
        if not isinstance(way_out, OutboundClient):
            raise PluginMisconfigured("The `http` runner needs the way out of a host, not another one.")
        return way_out.derive(limits, tls=tls)

    async def _once(self, task: Task, input: Json, seconds: float) -> Json:
        """Send one request, within `seconds` and the little more that its answer may take."""
        call = CURRENT_CALL.get()
        headers = {} if call is None or call.traceparent is None else {"traceparent": call.traceparent}
        body = encode_request(task, input, seconds, call)
        try:
            answer = await self._post(body, headers, seconds + ANSWER_GRACE_SECONDS)
        except NoAnswer as error:
            if error.sent:
                raise TimeoutError(str(error)) from None
            raise NotExecuted(str(error), code="no-connection-in-time") from None
        except OutboundFailed as error:
            failure = TransportFailed if error.sent else NotExecuted
            raise failure(str(error), code=error.code) from None
        return read_answer(answer)

    async def _post(self, body: bytes, headers: Mapping[str, str], seconds: float) -> Answer:
        clock = asyncio.get_running_loop().time
        ends_at = clock() + seconds
        self._counts["requests"] += 1
        answer = None
        if self._worth_packing(body):
            self._counts["packed"] += 1
            packed_headers = {**headers, "Content-Encoding": "gzip"}
            answer = await self._send("POST", "/run", await _pack(body), packed_headers, ends_at - clock())
        if answer is None or answer.status == 415:
            answer = await self._send("POST", "/run", body, headers, ends_at - clock())
        self._worker_takes_gzip = takes_gzip(answer)
        return answer

    async def _send(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str], seconds: float
    ) -> Answer:
        if self._client is None:
            raise NotExecuted("The runner is not started.", code="not-started")
        url = self.config.base_url + path
        headers = {**self._headers, **headers}
        return await self._client.request(method, url, headers=headers, body=body, timeout=seconds)

    def _worth_packing(self, body: bytes) -> bool:
        above = self.config.compress_above_bytes
        return self._worker_takes_gzip and above is not None and len(body) > above

    def _wait(self, task: Task, error: NotExecuted | TransportFailed, attempt: int) -> float | None:
        """Return the seconds before a repetition; None where there must not be one."""
        if attempt >= self.config.retries:
            return None
        wait: float | None = None
        if error.code == "no-connection":
            wait = _FIRST_WAIT_SECONDS * 2**attempt * random.uniform(0.5, 1.0)  # noqa: S311 - spreading, no secret
        elif isinstance(error, NotExecuted) or (isinstance(error, MaybeRefused) and task.idempotent):
            wait = error.retry_after
        return None if wait is None or wait > self.config.max_retry_wait_ms / 1e3 else wait


async def _pack(body: bytes) -> bytes:
    if len(body) < _PACK_IN_THREAD_BYTES:
        return gzip.compress(body, 1, mtime=0)
    return await asyncio.to_thread(gzip.compress, body, 1, mtime=0)
