"""Serving calls to many clients. Imports only this room."""

from __future__ import annotations

import asyncio
import resource
import socket
from dataclasses import replace

from hotplane.log import get_logger
from hotplane.valkyrie.acceptor import TlsAcceptor
from hotplane.valkyrie.endpoint import Endpoint
from hotplane.valkyrie.failures import AnonymousRefused, PlaintextRefused
from hotplane.valkyrie.greeter import Greeter
from hotplane.valkyrie.handshake import Introduction, Peer, Refusal
from hotplane.valkyrie.link import Link
from hotplane.valkyrie.listener import UnixSocket, open_tcp
from hotplane.valkyrie.session import Handler, Session
from hotplane.valkyrie.settings import ServerSettings
from hotplane.valkyrie.tls import server_context

__all__ = ["Server", "serve"]

_log = get_logger(room="valkyrie")
_KEEPALIVE = ((socket.TCP_KEEPIDLE, 60), (socket.TCP_KEEPINTVL, 15), (socket.TCP_KEEPCNT, 4))
"""Seconds and tries after which an idle client's silent disappearance is noticed."""
_OTHER_DESCRIPTORS = 64
"""What the rest of a process is reckoned to have open."""
_TURNS_TO_ANSWER = 3
"""A cancelled handler ends in the next turn of the loop; awaiting others, it takes a turn more."""


async def serve(endpoint: str | Endpoint, handler: Handler, settings: ServerSettings | None = None) -> Server:
    """Listen at an endpoint and serve its calls.

    Args:
        endpoint: ``tcp://host:port`` (port 0: any free one), ``tls://host:port`` or ``unix:///path``.
        handler: Serves a call, as an async function or by returning bytes at once. Raise `ProgramFailed` for a
            program's own exception, `UnknownTarget` for what is not served, `PeerOverloaded` to refuse.
        settings: Limits, times, secret and certificates.

    Raises:
        InvalidEndpoint: The endpoint cannot be used.
        PlaintextRefused: It is beyond this machine and not encrypted.
        AnonymousRefused: It is beyond this machine, and clients would need neither secret nor certificate.
        AddressInUse: Something else is there.
        InvalidSecret: The secret file cannot be used.
        ConfigurationError: A certificate file cannot be used.
    """
    settings = settings or ServerSettings()
    where = endpoint if isinstance(endpoint, Endpoint) else Endpoint.parse(endpoint)
    server = Server(where, handler, settings)
    await server.listen()
    return server


class Server:
    """A listening server; `serve` makes it.

    Attributes:
        endpoint: Where it listens, with the real port.
        running: Calls that run now, over all connections.
        draining: Whether it takes no new calls any more.
        late_answers: Answers whose client was gone.
        refused_connections: Connections that were cut or refused because there were too many.
    """

    def __init__(self, endpoint: Endpoint, handler: Handler, settings: ServerSettings) -> None:
        self.endpoint = endpoint
        self.running = 0
        self.draining = False
        self.late_answers = 0
        self.refused_connections = 0
        self._handler = handler
        self._settings = settings
        self._servers: list[asyncio.Server | TlsAcceptor] = []
        self._unix: UnixSocket | None = None
        self._greeters: dict[Greeter, None] = {}
        self._sessions: set[Session] = set()
        self._idle = asyncio.Event()
        self._idle.set()
        secret = settings.read_secret()
        self._introduction = Introduction(settings.name, settings.max_frame_bytes, settings.window, secret)
        self._refuse_open_doors()

    @property
    def connections(self) -> int:
        """How many clients have finished their handshake."""
        return len(self._sessions)

    @property
    def unauthenticated(self) -> int:
        """How many connections are in their handshake."""
        return len(self._greeters)

    async def listen(self) -> None:
        """Begin to accept connections."""
        self._warn_of_few_descriptors()
        loop = asyncio.get_running_loop()
        backlog = self._settings.backlog
        if self.endpoint.scheme == "unix":
            self._unix = UnixSocket(self.endpoint, backlog)
            server = await loop.create_unix_server(self._make_link, sock=self._unix.socket, backlog=backlog)
            self._servers.append(server)
            return
        context = server_context(self._settings.tls) if self.endpoint.scheme == "tls" else None
        for listening in await loop.run_in_executor(None, open_tcp, self.endpoint, backlog):
            self.endpoint = replace(self.endpoint, port=int(listening.getsockname()[1]))
            if context is None:
                server = await loop.create_server(self._make_link, sock=listening, backlog=backlog)
            else:
                timeout = self._settings.handshake_timeout_seconds
                server = TlsAcceptor(listening, self._make_link, context, timeout)
            self._servers.append(server)

    async def drain(self, grace_seconds: float) -> int:
        """Take no new connections and calls, let those that run finish, and close.

        Args:
            grace_seconds: How long to wait; then what still runs is cancelled.

        Returns:
            How many calls were cancelled.
        """
        self.draining = True
        self._stop_listening()
        for greeter in list(self._greeters):
            greeter.refuse(Refusal("shutting-down", "the server is shutting down"))
        for session in list(self._sessions):
            session.drain()
        try:
            async with asyncio.timeout(grace_seconds):
                await self._idle.wait()
        except TimeoutError:
            if self.running:  # else it is a client that keeps its connection
                _log.warning("valkyrie_drain_overran", grace_seconds=grace_seconds, running=self.running)
        cancelled = self.running
        await self.close()
        return cancelled

    async def close(self) -> None:
        """Stop at once: cancel what runs and close every connection, which gets a moment to say why."""
        self.draining = True
        self._stop_listening()
        for session in [*self._sessions]:
            session.stop()
        # Cancelled handlers answer in the next turn of the loop, and the answers leave in the one after.
        for _ in range(2):
            await asyncio.sleep(0)
        for link in self._links():
            link.close("the server is shutting down")
        try:
            async with asyncio.timeout(self._settings.closing_seconds):
                await self._idle.wait()
        except TimeoutError:
            for link in self._links():
                link.abort("the server is shutting down")

    # --- for greeters and sessions ---

    def arrived(self, greeter: Greeter) -> None:
        """Count a new connection; one too many in their handshake cuts the oldest of those.

        The oldest, because an honest handshake takes milliseconds: a flood of idle connections then evicts
        itself, where refusing the newest would let it lock everybody else out.
        """
        self._idle.clear()
        self._greeters[greeter] = None
        if len(self._greeters) > self._settings.max_unauthenticated:
            oldest = next(iter(self._greeters))
            del self._greeters[oldest]
            self.refused_connections += 1
            oldest.link.abort("too many connections are in their handshake")

    def admit(self, greeter: Greeter, peer: Peer) -> Session:
        """Make the session of a client whose handshake has succeeded; raises Refusal if there are too many."""
        if self.draining:
            raise Refusal("shutting-down", "the server is shutting down")
        if len(self._sessions) >= self._settings.max_connections:
            self.refused_connections += 1
            raise Refusal("overloaded", f"the server has {self._settings.max_connections} connections already")
        del self._greeters[greeter]
        self._keep_alive(greeter.link)
        loop = asyncio.get_running_loop()
        session = Session(loop, self, self._handler, self._settings, link=greeter.link, peer=peer)
        self._sessions.add(session)
        return session

    def left(self, greeter: Greeter) -> None:
        """Forget a connection whose handshake did not succeed."""
        self._greeters.pop(greeter, None)
        self._note_idle()

    def ended(self, session: Session) -> None:
        """Forget a session."""
        self._sessions.discard(session)
        self._note_idle()

    # --- parts ---

    def _note_idle(self) -> None:
        if not (self._greeters or self._sessions):
            self._idle.set()

    def _make_link(self) -> Link:
        timeout = self._settings.handshake_timeout_seconds
        return Greeter(asyncio.get_running_loop(), self, self._introduction, self._settings, timeout).link

    def _links(self) -> list[Link]:
        return [talker.link for talker in (*self._greeters, *self._sessions)]

    def _keep_alive(self, link: Link) -> None:
        transport = link.transport
        connected: socket.socket | None = transport.get_extra_info("socket") if transport else None
        if connected is None or self.endpoint.scheme == "unix":
            return
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in _KEEPALIVE:
            connected.setsockopt(socket.IPPROTO_TCP, option, value)

    def _refuse_open_doors(self) -> None:
        settings, where = self._settings, self.endpoint
        if where.is_local:
            return
        if where.scheme == "tcp" and not settings.allow_plaintext:
            raise PlaintextRefused(str(where))
        identified = self._introduction.secret is not None or (
            where.scheme == "tls" and settings.tls and settings.tls.ca_file
        )
        if not identified and not settings.allow_anonymous:
            raise AnonymousRefused(str(where))

    def _warn_of_few_descriptors(self) -> None:
        settings = self._settings
        needed = settings.max_connections + settings.max_unauthenticated + _OTHER_DESCRIPTORS
        available, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        if available != resource.RLIM_INFINITY and available < needed:
            advice = "raise the limit on open files, or lower `max_connections`"
            _log.warning("valkyrie_few_file_descriptors", available=available, needed=needed, advice=advice)

    def _stop_listening(self) -> None:
        for server in self._servers:
            server.close()
        self._servers.clear()
        if self._unix is not None:
            self._unix.remove()
            self._unix = None
