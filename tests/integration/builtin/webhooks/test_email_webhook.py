"""`email-webhook-handler` beside a real mail server, with encryption and a password; and beside some that refuse."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from msgspec.structs import replace

from hotplane.builtin.webhooks.email import EmailConfig, EmailWebhookHandler
from hotplane.errors import PluginMisconfigured
from hotplane.plugins import DeliveryFailed
from hotplane.records import Event, EventType, Severity

PASSWORD = "correct-horse-battery"
EVENT = Event(
    id="e-1",
    type=EventType.PLUGIN_FAILED,
    time=datetime(2026, 3, 1, tzinfo=UTC),
    severity=Severity.ERROR,
    task_id="spam",
    payload={"why": "für immer"},
)
LOCAL = "localhost"


class Mailbox:
    """What the server does: keep mails, refuse recipients, compare passwords."""

    def __init__(self) -> None:
        self.mails: list[tuple[list[str], Any]] = []
        self.encrypted: list[bool] = []
        self.refused: dict[str, str] = {}
        self.greeted: list[str] = []

    async def handle_EHLO(  # noqa: N802 - aiosmtpd looks it up by this name
        self, server: Any, session: Session, envelope: Envelope, name: str, said: list[str]
    ) -> Any:
        session.host_name = name
        self.greeted.append(name)
        return said

    async def handle_RCPT(  # noqa: N802 - aiosmtpd looks it up by this name
        self, server: Any, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.refused:
            return self.refused[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd looks it up by this name
        assert isinstance(envelope.content, bytes)
        self.mails.append((list(envelope.rcpt_tos), message_from_bytes(envelope.content, policy=default)))
        self.encrypted.append(session.ssl is not None)
        return "250 Taken as 1234"

    def authenticate(self, server: Any, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        good = isinstance(data, LoginPassword) and (data.login, data.password) == (b"hotplane", PASSWORD.encode())
        return AuthResult(success=good, handled=False)


class Certificate:
    """A certificate for `localhost` that signed itself."""

    def __init__(self, folder: Path) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, LOCAL)])
        now = datetime.now(UTC)
        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(LOCAL)]), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        self.file = folder / "certificate.pem"
        self.file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
        secret = folder / "key.pem"
        secret.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.context.load_cert_chain(self.file, secret)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """Give one certificate to all tests."""
    return Certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def mailbox() -> Mailbox:
    """Give what the server does."""
    return Mailbox()


@pytest.fixture
async def listening() -> AsyncIterator[Callable[..., Any]]:
    """Give what starts a server of a protocol and returns its port."""
    servers: list[asyncio.Server] = []

    async def listen(make: Callable[[], Any], tls: ssl.SSLContext | None = None) -> int:
        server = await asyncio.get_running_loop().create_server(make, "127.0.0.1", 0, ssl=tls)
        servers.append(server)
        return server.sockets[0].getsockname()[1]

    yield listen
    for server in servers:
        server.close()
        await server.wait_closed()


@pytest.fixture
async def port(listening: Any, mailbox: Mailbox, certificate: Certificate) -> int:
    """Give the port of a server that insists on STARTTLS and a password."""
    return await listening(
        lambda: SMTP(
            mailbox,
            tls_context=certificate.context,
            require_starttls=True,
            auth_required=True,
            authenticator=mailbox.authenticate,
        )
    )


@pytest.fixture
def configured(port: int, certificate: Certificate) -> Callable[..., EmailWebhookHandler]:
    """Give what makes a handler for that server."""

    def make(**changes: Any) -> EmailWebhookHandler:
        settings: dict[str, Any] = {
            "host": LOCAL,
            "port": port,
            "ca_file": certificate.file,
            "username": "hotplane",
            "password": PASSWORD,
            "sender": "hotplane@example.com",
            "recipients": ["a@example.com", "b@example.com"],
            "timeout_seconds": 10,
        }
        return EmailWebhookHandler(EmailConfig.model_validate({**settings, **changes}))

    return make


@pytest.fixture
def started(stage: Any) -> Any:
    """Give what starts a handler, allowed to talk to its own server."""

    async def start(handler: EmailWebhookHandler) -> EmailWebhookHandler:
        return await stage.started(handler, handler.config.server)

    return start


async def problem(started: Any, handler: EmailWebhookHandler) -> tuple[str, str]:
    """Return pointer and message of the only problem."""
    await started(handler)
    (found,) = await handler.validate_configuration(handler.config)
    assert PASSWORD not in str(found)
    return found.pointer, found.message


async def test_a_mail_arrives_encrypted_and_signed_in(started: Any, stage: Any, configured: Any, mailbox: Any) -> None:
    """For everybody in one mail, with the event in its text."""
    handler = await started(configured(helo_name="host.example.com"))
    receipt = await stage.deliver(handler, EVENT)
    ((recipients, mail),) = mailbox.mails
    assert recipients == ["a@example.com", "b@example.com"]
    assert mail["Subject"] == "ERROR plugin.failed: spam"
    assert '"why": "für immer"' in mail.get_content()
    assert mailbox.encrypted == [True]
    assert mailbox.greeted == ["host.example.com"] * 2
    assert receipt.response == "Taken as 1234"


async def test_mails_of_different_events_are_never_taken_for_repetitions(
    started: Any, stage: Any, configured: Any, mailbox: Any
) -> None:
    """Mailboxes drop what has the `Message-ID` of another mail; a repetition has it, and nothing else."""
    handler = await started(configured())
    ids = ["a.b", "a:b", "a-b", "x" * 128, "x" * 127 + "y", "a.b"]
    for each in ids:
        await stage.deliver(handler, replace(EVENT, id=each))
    found = [mail["Message-ID"] for _, mail in mailbox.mails]
    assert len(set(found)) == len(set(ids))
    assert found[0] == found[-1]


class Hasty(SMTP):
    """A server that takes mails and never says goodbye."""

    async def smtp_QUIT(self, arg: str) -> None:  # noqa: N802 - aiosmtpd looks it up by this name
        await asyncio.get_running_loop().create_future()


async def test_a_mail_that_was_taken_is_delivered_without_a_goodbye(
    started: Any, stage: Any, configured: Any, listening: Any, mailbox: Any
) -> None:
    """It would be sent again at every attempt otherwise; nor is such a server refused."""
    port = await listening(lambda: Hasty(mailbox))
    handler = await started(configured(port=port, tls="none", username=None, password=None, timeout_seconds=9))
    assert await handler.validate_configuration(handler.config) == ()
    assert (await stage.deliver(handler, EVENT)).response == "Taken as 1234"


async def test_templates_write_subject_and_text(started: Any, stage: Any, configured: Any, mailbox: Any) -> None:
    """A line break in a value cannot begin another header."""
    handler = await started(
        configured(
            subjects={"plugin.failed": "{{ task_id }}\r\nBcc: {{ payload.why }}"}, templates={"*": "{{ payload.why }}!"}
        )
    )
    await stage.deliver(handler, EVENT)
    mail = mailbox.mails[0][1]
    assert (mail["Subject"], mail["Bcc"]) == ("spam Bcc: für immer", None)
    assert mail.get_content().strip() == "für immer!"


async def test_tls_from_the_first_byte(
    started: Any, stage: Any, *, configured: Any, mailbox: Any, listening: Any, certificate: Any
) -> None:
    """As on port 465."""
    port = await listening(lambda: SMTP(mailbox), certificate.context)
    handler = await started(configured(port=port, tls="tls", username=None, password=None))
    assert await handler.validate_configuration(handler.config) == ()
    await stage.deliver(handler, EVENT)
    assert len(mailbox.mails) == 1


async def test_no_encryption_where_it_is_said(
    started: Any, stage: Any, configured: Any, mailbox: Any, listening: Any
) -> None:
    """For a relay on a trusted network, without a password."""
    port = await listening(lambda: SMTP(mailbox))
    handler = await started(configured(port=port, tls="none", ca_file=None, username=None, password=None))
    await stage.deliver(handler, EVENT)
    assert mailbox.encrypted == [False]


async def test_a_good_configuration_has_no_problems_and_sends_nothing(
    started: Any, configured: Any, mailbox: Any
) -> None:
    """The server is greeted, the connection encrypted, the password tried."""
    handler = await started(configured())
    assert await handler.validate_configuration(handler.config) == ()
    assert len(mailbox.greeted) == 2
    assert mailbox.mails == []


async def test_a_wrong_password_is_a_problem_and_not_shown(started: Any, configured: Any) -> None:
    """Before anything is enabled."""
    pointer, message = await problem(started, configured(password="wrong-horse"))
    assert pointer == "/password"
    assert "it refuses the user name or the password: 535" in message


async def test_a_certificate_that_nobody_trusts_is_a_problem(started: Any, configured: Any) -> None:
    """No mail goes to a server that cannot prove who it is."""
    pointer, message = await problem(started, configured(ca_file=None))
    assert pointer == "/ca_file"
    assert "its certificate is not trusted: self-signed certificate" in message


async def test_the_certificate_has_to_be_for_the_host(
    started: Any, configured: Any, listening: Any, mailbox: Any, certificate: Any
) -> None:
    """With STARTTLS, and from the first byte."""
    direct = await listening(lambda: SMTP(mailbox), certificate.context)
    for changes in ({}, {"tls": "tls", "port": direct}):
        _, message = await problem(started, configured(host="127.0.0.1", **changes))
        assert "IP address mismatch, certificate is not valid for '127.0.0.1'" in message


async def test_a_server_without_starttls_is_a_problem(
    started: Any, stage: Any, configured: Any, mailbox: Any, listening: Any
) -> None:
    """It is not talked to in clear instead."""
    handler = configured(port=await listening(lambda: SMTP(mailbox)))
    assert (await problem(started, handler))[1].endswith("set `tls` to `tls` or, where the network is trusted, `none`.")
    with pytest.raises(DeliveryFailed, match="does not offer STARTTLS"):
        await stage.deliver(handler, EVENT)
    assert mailbox.mails == []


async def test_a_server_that_wants_no_password_is_a_problem(
    started: Any, configured: Any, mailbox: Any, listening: Any, certificate: Any
) -> None:
    """The setting that makes no sense is named."""
    port = await listening(
        lambda: SMTP(mailbox, tls_context=certificate.context, auth_exclude_mechanism=["LOGIN", "PLAIN"])
    )
    assert (await problem(started, configured(port=port)))[0] == "/username"


class Refuses(asyncio.Protocol):
    """A server that says one line, if any, and hangs up or stays."""

    def __init__(self, line: bytes, *, stays: bool = False) -> None:
        self.line = line
        self.stays = stays

    def connection_made(self, transport: Any) -> None:
        transport.write(self.line)
        if not self.stays:
            transport.close()


@pytest.mark.parametrize(
    ("line", "stays", "reason"),
    [
        (f"554 No service for {PASSWORD}\r\n".encode(), False, "it answers 554 No service for ********"),
        (b"", False, "it closed the connection"),
        (b"", True, "it did not answer in time"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", False, "mail server"),
    ],
)
async def test_a_server_that_refuses_is_a_problem(
    started: Any, configured: Any, listening: Any, *, line: bytes, stays: bool, reason: str
) -> None:
    """Whatever way it has of refusing."""
    port = await listening(lambda: Refuses(line, stays=stays))
    pointer, message = await problem(started, configured(port=port, timeout_seconds=0.5 if stays else 10))
    assert pointer == "/host"
    assert reason in message


async def test_a_server_that_is_down_or_not_allowed_is_a_problem(
    started: Any, stage: Any, configured: Any, unused_port: int
) -> None:
    """The network guard holds for mail, too."""
    assert "No connection to" in (await problem(started, configured(port=unused_port)))[1]
    handler = configured()
    await stage.started(handler, "smtp://elsewhere.example.com:25")
    with pytest.raises(DeliveryFailed, match="not allowed"):
        await stage.deliver(handler, EVENT)


async def test_a_refused_recipient_gets_another_chance_alone(
    started: Any, stage: Any, configured: Any, mailbox: Any
) -> None:
    """The next attempt does not bother those who have the mail."""
    mailbox.refused["b@example.com"] = "451 Try again"
    handler = await started(configured())
    with pytest.raises(DeliveryFailed, match="refuses some of the recipients") as caught:
        await stage.deliver(handler, EVENT)
    assert caught.value.response == "b@example.com: 451 Try again"
    mailbox.refused.clear()
    await stage.deliver(handler, EVENT)
    assert [recipients for recipients, _ in mailbox.mails] == [["a@example.com"], ["b@example.com"]]
    assert len({mail["Message-ID"] for _, mail in mailbox.mails}) == 1


async def test_a_mail_that_nobody_may_get_is_a_failure(started: Any, stage: Any, configured: Any, mailbox: Any) -> None:
    """With the words of the server."""
    mailbox.refused = {"a@example.com": "550 Who is that", "b@example.com": "550 Who is that"}
    with pytest.raises(DeliveryFailed, match="it refuses every recipient: 550 Who is that"):
        await stage.deliver(await started(configured()), EVENT)


async def test_deliveries_at_once_do_not_mix(started: Any, stage: Any, configured: Any, mailbox: Any) -> None:
    """Each has a connection of its own."""
    handler = await started(configured())
    await asyncio.gather(*(stage.deliver(handler, EVENT) for _ in range(5)))
    assert len(mailbox.mails) == 5


async def test_a_cancelled_delivery_leaves_no_connection(
    started: Any, stage: Any, configured: Any, listening: Any
) -> None:
    """The server sees the end of it."""
    begun, ended = asyncio.Event(), asyncio.Event()

    class Silent(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            begun.set()

        def connection_lost(self, exc: Exception | None) -> None:
            ended.set()

    handler = await started(configured(port=await listening(Silent)))
    task = asyncio.create_task(stage.deliver(handler, EVENT))
    async with asyncio.timeout(10):
        await begun.wait()
        task.cancel()
        await asyncio.wait([task])
        await ended.wait()
    assert task.cancelled()


async def test_a_dry_run_connects_to_nobody(started: Any, stage: Any, configured: Any, mailbox: Any) -> None:
    """The mail is written all the same."""
    receipt = await stage.deliver(await started(configured()), EVENT, dry_run=True)
    assert receipt.response.startswith("Dry run: ")
    assert mailbox.greeted == []


async def test_a_password_or_certificate_that_is_not_there_is_found_at_the_start(
    started: Any, configured: Any, tmp_path: Path
) -> None:
    """Not at the first mail."""
    for changes in ({"password": {"file": "/nowhere"}}, {"ca_file": tmp_path / "none"}):
        with pytest.raises(PluginMisconfigured, match=next(iter(changes))):
            await started(configured(**changes))


async def test_a_handler_that_is_not_started_says_so(stage: Any, configured: Any) -> None:
    """It neither sends nor pretends that the server was asked."""
    handler = configured()
    with pytest.raises(DeliveryFailed, match="not started"):
        await stage.deliver(handler, EVENT)
    assert "once the plugin is started" in (await handler.validate_configuration(handler.config))[0].message


async def test_the_password_is_shown_nowhere(started: Any, configured: Any) -> None:
    """In no form of the configuration, and not in what the handler keeps."""
    handler = await started(configured())
    config = handler.config
    for text in (repr(config), str(config), config.model_dump_json(), str(config.model_dump()), repr(vars(handler))):
        assert PASSWORD not in text
