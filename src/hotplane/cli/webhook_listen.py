"""`hotplane webhooks listen`: a receiver for people who develop handlers. Imports the receiver when it runs."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Annotated

import typer

from hotplane.cli.failure import BadInput, say
from hotplane.cli.output import Form, write
from hotplane.cli.process import runner

if TYPE_CHECKING:
    from hotplane.builtin.webhooks.keys import VerifyingKey

__all__ = ["SECRET_VARIABLE", "listen"]

SECRET_VARIABLE = "HOTPLANE_WEBHOOK_SECRET"  # noqa: S105 - where the secret is, not what it is
"""The environment variable with the secret, or several of them with blanks in between."""


def listen(
    *,
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port to listen on; 0 takes any free one.")] = 8765,
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Address to listen on; others than this machine reach 0.0.0.0.")
    ] = "127.0.0.1",
    secret: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SECRET",
            help=f"whsec_… or whpk_… that signatures have to fit; several times. Better in {SECRET_VARIABLE}.",
        ),
    ] = None,
    fail: Annotated[int, typer.Option(metavar="N", min=0, help="Fail the first N requests.")] = 0,
    status: Annotated[
        int | None, typer.Option(min=200, max=599, help="Answer with this; with --fail while it fails.")
    ] = None,
    retry_after: Annotated[
        int | None, typer.Option(metavar="SECONDS", min=0, help="Send Retry-After with failures.")
    ] = None,
    delay: Annotated[float, typer.Option(metavar="SECONDS", min=0, help="Wait before each answer.")] = 0.0,
    gone: Annotated[bool, typer.Option("--gone", help="Answer 410, which disables the handler.")] = False,
    rate: Annotated[
        float | None, typer.Option(metavar="N", min=0.001, help="Take N requests a second, and answer 429 to others.")
    ] = None,
    count: Annotated[
        int | None, typer.Option("--count", "-n", metavar="N", min=1, help="End after so many requests.")
    ] = None,
    output: Annotated[
        Form, typer.Option("--output", "-o", help="Text for people, or JSON for programs: one object a line.")
    ] = Form.TABLE,
) -> None:
    """Receive events here: verify their signatures, print them, and count repetitions, until Ctrl-C.

    Without a secret signatures are not verified. At the end a summary is printed on stderr.
    """
    from hotplane.cli.webhook_receiver import Behaviour, Receiver

    behaviour = Behaviour(
        fail=fail,
        status=410 if gone else status,
        retry_after=retry_after,
        delay=delay,
        rate=rate,
    )
    receiver = Receiver(_keys(secret), behaviour, as_json=output is Form.JSON, limit=count)
    with contextlib.suppress(KeyboardInterrupt), runner() as running:  # that is how it ends
        running.run(receiver.serve(host, port, on_ready=_announce))
    say(receiver.summary())


def _announce(url: str) -> None:
    write(f"Listening at {url}\n")


def _keys(given: list[str] | None) -> tuple[VerifyingKey, ...]:
    from hotplane.builtin.webhooks.keys import InvalidKey, verifying_key

    found: list[VerifyingKey] = []
    for text in given or os.environ.get(SECRET_VARIABLE, "").split():
        try:
            found.append(verifying_key(text))
        except InvalidKey as error:
            raise BadInput(str(error)) from None
    return tuple(found)
