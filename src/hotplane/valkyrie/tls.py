"""TLS contexts from ordinary certificate files. Imports only `settings` and the errors.

TLS 1.2 is the least that is spoken; names and expiry are checked always, and no setting turns that off.
"""

from __future__ import annotations

import ssl
from pathlib import Path

from hotplane.errors import ConfigurationError, Problem
from hotplane.valkyrie.settings import TlsSettings

__all__ = ["client_context", "server_context"]


def client_context(settings: TlsSettings | None) -> ssl.SSLContext:
    """Make the connecting side's context: trusts `ca_file`, or the system's list; shows `cert_file` if there is one.

    Raises:
        ConfigurationError: A file is missing or does not hold what it should.
    """
    settings = settings or TlsSettings()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if settings.ca_file is None:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    else:
        _trust(context, settings.ca_file)
    if settings.cert_file is not None:
        _load_certificate(context, settings.cert_file, settings.key_file)
    return context


def server_context(settings: TlsSettings | None) -> ssl.SSLContext:
    """Make the listening side's context; with `ca_file`, clients must show a certificate that it signed.

    Raises:
        ConfigurationError: There is no certificate, or a file does not hold what it should.
    """
    if settings is None or settings.cert_file is None:
        raise ConfigurationError([Problem("a `tls://` server needs a certificate", "/tls/cert_file")])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    _load_certificate(context, settings.cert_file, settings.key_file)
    if settings.ca_file is not None:
        _trust(context, settings.ca_file)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _load_certificate(context: ssl.SSLContext, cert_file: Path, key_file: Path | None) -> None:
    try:
        context.load_cert_chain(cert_file, key_file, password=_no_password)
    except (OSError, ValueError) as error:
        reason = f"no certificate with its key can be read from {cert_file} and {key_file or cert_file} ({error})"
        raise ConfigurationError([Problem(reason, "/tls/cert_file")]) from None


def _trust(context: ssl.SSLContext, ca_file: Path) -> None:
    try:
        context.load_verify_locations(cafile=ca_file)
    except OSError as error:
        raise ConfigurationError([Problem(f"{ca_file} holds no certificates ({error})", "/tls/ca_file")]) from None


def _no_password() -> str:
    # Without this, OpenSSL would ask at the terminal and block the process.
    raise ValueError("the key is encrypted; keys must not be")
