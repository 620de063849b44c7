"""Webhook handlers as resources, over real sockets, with a real receiver."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from standardwebhooks import Webhook

SECRET = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
OTHER = "whsec_ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA="
TOKEN = "T0123456789abcdefghij"
LOCAL = {"allow": ["127.0.0.0/8"]}
GONE = "the receiver is gone (410) and wants no events any more"
QUICK = {"schedule_seconds": [0.05], "throttle_seconds": 0.05, "jitter": 0.0}


@dataclass
class Receiver:
    """What it is asked, and how it answers."""

    url: str
    status: int = 200
    got: asyncio.Queue[tuple[dict[str, str], bytes]] = field(default_factory=asyncio.Queue)

    async def next(self) -> tuple[dict[str, str], bytes]:
        async with asyncio.timeout(60):
            return await self.got.get()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A receiver on a free port."""
    server = Receiver("")

    async def take(request: web.Request) -> web.Response:
        headers = {name.lower(): text for name, text in request.headers.items()}
        server.got.put_nowait((headers, await request.read()))
        return web.Response(status=server.status, text=f"you sent {request.headers.get('x-token', 'nothing')}")

    application = web.Application()
    application.router.add_post("/{path:.*}", take)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/{TOKEN}"
    yield server
    await runner.cleanup()


def described(url: str, **fields: Any) -> dict[str, Any]:
    """Return what makes a handler of task events."""
    configuration = {"url": url, "secrets": [SECRET], **fields.pop("configuration", {})}
    body = {"name": "hook", "type": "http-webhook-handler", "configuration": configuration, "events": ["task.*"]}
    return {**body, "delivery": QUICK, **fields}


async def make(edge: Any, url: str, **fields: Any) -> dict[str, Any]:
    """Make a handler."""
    answer = await edge.client.post("/api/webhooks", json=described(url, **fields), timeout=60)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def publish(edge: Any, kind: str = "task.created", **fields: Any) -> dict[str, Any]:
    """Publish an event."""
    return (await edge.client.post("/api/events", json={"type": kind, **fields})).json()["items"][0]


async def until(look: Callable[[], Awaitable[Any]]) -> Any:
    """Return what `look` finds, once it finds something."""
    async with asyncio.timeout(60):
        while not (found := await look()):  # noqa: ASYNC110 - only asking tells
            await asyncio.sleep(0.02)
    return found


# --- making ----------------------------------------------------------------------------------------------


async def test_a_name_that_another_host_has_given_is_taken(edge: Any) -> None:
    """On the same store: what is kept there is not replaced by a host that does not know it."""
    kept = b'{"type":"console-webhook-handler","enabled":true,"priority":null,"configuration":{}}'
    await edge.host.store.webhooks.put("theirs", kept)
    answer = await edge.client.post(
        "/api/webhooks", json={"name": "theirs", "type": "console-webhook-handler"}, timeout=60
    )
    assert (answer.status_code, answer.json()["code"]) == (409, "duplicate-plugin")
    assert "another host" in answer.json()["detail"]
    assert await edge.host.store.webhooks.list() == {"theirs": kept}


async def test_a_handler_takes_events_as_soon_as_it_is_made(managing: Any, receiver: Receiver) -> None:
    """Of its types, signed; the answer says where it is and shows no secret."""
    async with managing(network=LOCAL) as edge:
        answer = await edge.client.post("/api/webhooks", json=described(receiver.url))
        made = answer.json()
        assert (answer.status_code, answer.headers["location"]) == (201, "/api/webhooks/hook")
        assert (made["state"], made["source"], made["own_delivery"]) == ("active", "api", QUICK)
        assert made["configuration"]["secrets"] == ["********"]
        assert made["events"] == ["task.created", "task.deleted", "task.updated"]
        await publish(edge, "canary.deployment.started")
        event = await publish(edge)
        headers, body = await receiver.next()
        assert Webhook(SECRET).verify(body, headers)["data"]["id"] == event["id"]
        assert receiver.got.empty()


async def disabled(edge: Any) -> dict[str, Any] | None:
    """Return the handler once it is disabled."""
    shown = (await edge.client.get("/api/webhooks/hook")).json()
    return None if shown["enabled"] else shown


@pytest.mark.parametrize("by", ["api", "file"])
async def test_a_receiver_that_is_gone_is_named_as_the_reason(managing: Any, receiver: Receiver, by: str) -> None:
    """With the time, also after a restart, until the handler is enabled again."""
    handler = described(receiver.url)
    configuration = {**handler["configuration"], "events": handler.pop("events")}
    declared = {**handler, "configuration": configuration}
    sections = {"network": LOCAL, "plugins": {"webhook_handlers": [declared]} if by == "file" else {}}
    receiver.status = 410
    async with managing(**sections) as edge:
        if by == "api":
            await make(edge, receiver.url)
        event = await publish(edge)
        shown = await until(lambda: disabled(edge))
        assert shown["reason"] == shown["disabled"]["reason"] == GONE
        assert shown["disabled"]["at"] >= event["time"]
    async with managing(**sections) as edge:
        assert (await disabled(edge) or {})["disabled"] == shown["disabled"]
        plugin = (await edge.client.get("/api/plugins/hook")).json()
        assert (plugin["disabled"], plugin["overrides"]) == (shown["disabled"], {"enabled": False})
        receiver.status = 200
        await edge.client.post("/api/plugins/hook/enable")
        shown = (await edge.client.get("/api/webhooks/hook")).json()
        assert (shown["enabled"], shown["disabled"], shown["reason"]) == (True, None, None)


async def test_it_is_there_after_a_restart(managing: Any, receiver: Receiver) -> None:
    """With its secrets and its delivery settings."""
    async with managing(network=LOCAL) as edge:
        await make(edge, receiver.url)
    async with managing(network=LOCAL) as edge:
        [shown] = (await edge.client.get("/api/webhooks")).json()["items"]
        assert (shown["name"], shown["state"], shown["own_delivery"]) == ("hook", "active", QUICK)
        await publish(edge)
        headers, body = await receiver.next()
        Webhook(SECRET).verify(body, headers)


async def test_one_that_cannot_be_restored_is_listed_with_the_reason(managing: Any, receiver: Receiver) -> None:
    """Its variable is not listed any more; the host and the others start all the same."""
    async with managing(network=LOCAL, webhooks={"variables": ["PA*"]}) as edge:
        await make(edge, receiver.url, name="broken", configuration={"headers": {"x-path": {"env": "PATH"}}})
        await make(edge, receiver.url, name="sound")
    async with managing(network=LOCAL) as edge:
        shown = {each["name"]: each for each in (await edge.client.get("/api/webhooks")).json()["items"]}
        assert (shown["sound"]["state"], shown["broken"]["state"]) == ("active", "failed")
        assert "`webhooks.variables` does not list the variable 'PATH'" in shown["broken"]["reason"]


async def test_one_that_is_disabled_is_checked_and_stored_and_gets_nothing(managing: Any, receiver: Receiver) -> None:
    """Until it is enabled."""
    async with managing(network=LOCAL) as edge:
        made = await make(edge, receiver.url, enabled=False)
        assert (made["state"], made["reason"]) == ("unloaded", "disabled")
        await publish(edge)
        changed = {key: made[key] for key in ("configuration",)} | {"enabled": True, "delivery": QUICK}
        assert (await edge.client.put("/api/webhooks/hook", json=changed)).json()["state"] == "active"
        event = await publish(edge)
        assert (await receiver.next())[0]["webhook-id"] == event["id"]


BAD: list[tuple[dict[str, Any], str, str]] = [
    ({"configuration": {"secrets": ["whsec_c2hvcnQ="]}}, "/configuration/secrets/0", "bytes once decoded"),
    ({"configuration": {"secrets": ["whsec_not base64!"]}}, "/configuration/secrets/0", "not base64"),
    ({"configuration": {"url": "https://me:pw@example.com/"}}, "/configuration/url", "credentials"),
    ({"configuration": {"url": "ftp://example.com/"}}, "/configuration/url", "http"),
    ({"configuration": {"url": "http://127.0.0.1:9/"}}, "/configuration/url", "not on the public internet"),
    ({"configuration": {"url": "http://0x7f.1/"}}, "/configuration/url", "not on the public internet"),
    ({"configuration": {"url": "http://2130706433/"}}, "/configuration/url", "not on the public internet"),
    ({"configuration": {"url": "http://[::ffff:10.0.0.1]/"}}, "/configuration/url", "not on the public internet"),
    ({"configuration": {"url": "http://localhost:9/"}}, "/configuration/url", "not on the public internet"),
    ({"configuration": {"secrets": [{"file": "/etc/passwd"}]}}, "/configuration/secrets/0", "secret_directories"),
    ({"configuration": {"headers": {"x": {"env": "HOME"}}}}, "/configuration/headers/x", "webhooks.variables"),
    ({"configuration": {"urls": "x"}}, "/configuration/urls", "there is no key"),
    ({"events": ["plugin.faild"]}, "/configuration/events", "did you mean 'plugin.failed'?"),
    ({"delivery": {"concurrency": 0}}, "/delivery/concurrency", "greater than or equal to 1"),
    ({"type": "http-webhook-handlr"}, "/type", "did you mean 'http-webhook-handler'?"),
    ({"type": "percentage-sampler"}, "/type", "it is a sampler"),
    ({"type": "os:system"}, "/type", "plugins.paths"),
    ({"name": "a b"}, "", "cannot be a plugin's id"),
    ({"priority": "high"}, "/priority", "int"),
    ({"colour": "red"}, "/colour", "not known"),
    (
        {
            "type": "slack-webhook-handler",
            "configuration": {"slack_webhook_url": "https://example.com/x", "templates": {"*": "{{ a"}},
        },
        "/configuration/templates",
        "template",
    ),
]


@pytest.mark.parametrize(("fields", "pointer", "words"), BAD)
async def test_what_cannot_work_is_refused_before_it_is_stored(
    edge: Any, fields: dict[str, Any], pointer: str, words: str
) -> None:
    """422, with every problem's place; nothing is listed, nothing is kept."""
    body = described("https://example.com/x", **fields)
    if body["type"].startswith("slack"):
        body["configuration"] = fields["configuration"]
    answer = await edge.client.post("/api/webhooks", json=body)
    assert answer.status_code == 422, answer.text
    problems = answer.json().get("errors", [{"detail": answer.json()["detail"]}])
    assert any(each.get("pointer", "").startswith(pointer) and words in each["detail"] for each in problems), problems
    assert (await edge.client.get("/api/webhooks")).json()["items"] == []
    assert await edge.host.store.webhooks.list() == {}


async def test_a_mail_server_that_refuses_is_told_before_anything_is_stored(managing: Any) -> None:
    """It is connected to; nothing listens there."""
    async with managing(network=LOCAL) as edge:
        configuration = {
            "host": "127.0.0.1", "port": 9, "tls": "none", "sender": "a@example.com", "recipients": ["b@example.com"]
        }  # fmt: skip
        body = {"name": "mail", "type": "email-webhook-handler", "configuration": configuration}
        answer = await edge.client.post("/api/webhooks", json=body, timeout=60)
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/configuration/host")
        assert (await edge.client.get("/api/webhooks")).json()["items"] == []


async def test_files_are_written_into_listed_folders_alone(managing: Any, tmp_path: Path) -> None:
    """Also where a link leads out of one."""
    inside = tmp_path / "allowed"
    inside.mkdir()
    (inside / "out").symlink_to(tmp_path)
    async with managing(webhooks={"directories": [str(inside)]}) as edge:
        for name, folder, status in (("a", inside, 201), ("b", tmp_path, 422), ("c", inside / "out", 422)):
            body = {"name": name, "type": "file-webhook-handler", "configuration": {"directory": str(folder)}}
            assert (await edge.client.post("/api/webhooks", json=body)).status_code == status, name


async def test_a_name_is_given_once(edge: Any) -> None:
    """Over all kinds of plugins."""
    body = {"name": "local", "type": "console-webhook-handler"}
    assert (await edge.client.post("/api/webhooks", json=body)).status_code == 409


# --- changing --------------------------------------------------------------------------------------------


async def test_what_is_shown_can_be_sent_back(managing: Any, receiver: Receiver) -> None:
    """Asterisks keep the secrets; a key that is put before them rotates."""
    async with managing(network=LOCAL) as edge:
        shown = (await make(edge, receiver.url))["configuration"]
        wanted = {"configuration": {**shown, "secrets": [OTHER, *shown["secrets"]]}, "delivery": QUICK}
        answer = await edge.client.put("/api/webhooks/hook", json=wanted)
        assert (answer.status_code, len(answer.json()["configuration"]["secrets"])) == (200, 2)
        await publish(edge)
        headers, body = await receiver.next()
        for secret in (SECRET, OTHER):
            Webhook(secret).verify(body, headers)


async def test_secrets_do_not_follow_events_elsewhere(managing: Any, receiver: Receiver) -> None:
    """Nobody has a secret that is not shown sent to themselves."""
    async with managing(network=LOCAL) as edge:
        shown = (await make(edge, receiver.url))["configuration"]
        elsewhere = {"configuration": {**shown, "url": "http://127.0.0.1:9/x"}}
        answer = await edge.client.put("/api/webhooks/hook", json=elsewhere)
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/configuration/secrets/0")
        assert "write this secret anew" in answer.json()["errors"][0]["detail"]


async def test_one_of_the_file_can_be_changed_and_not_removed(managing: Any, receiver: Receiver) -> None:
    """The change is kept over restarts, and can be undone; what the file wrote is free where it sends."""
    entry = {
        "name": "filed",
        "type": "http-webhook-handler",
        "configuration": {"url": receiver.url, "secrets": [SECRET], "headers": {"x-home": {"env": "HOME"}}},
        "delivery": QUICK,
    }
    declared = {"webhook_handlers": [entry]}
    async with managing(plugins=declared) as edge:
        shown = (await edge.client.get("/api/webhooks/filed")).json()
        assert (shown["source"], shown["state"], shown["overridden"]) == ("file", "active", False)
        wanted = {"configuration": {**shown["configuration"], "timeout_seconds": 3}, "delivery": {"concurrency": 2}}
        changed = (await edge.client.put("/api/webhooks/filed", json=wanted)).json()
        assert (changed["overridden"], changed["delivery"]["concurrency"]) == (True, 2)
        assert (await edge.client.delete("/api/webhooks/filed")).json()["code"] == "declared-in-file"
    async with managing(plugins=declared) as edge:
        kept = (await edge.client.get("/api/webhooks/filed")).json()
        assert (kept["configuration"]["timeout_seconds"], kept["own_delivery"]) == (3.0, {"concurrency": 2})
        await edge.client.delete("/api/plugins/filed/override")
        undone = (await edge.client.get("/api/webhooks/filed")).json()
        assert (undone["overridden"], undone["configuration"]["timeout_seconds"]) == (False, 15.0)
        assert undone["own_delivery"]["schedule_seconds"] == [0.05]


async def test_a_change_that_does_not_work_changes_nothing(managing: Any, receiver: Receiver) -> None:
    """The handler serves on as it is."""
    async with managing(network=LOCAL) as edge:
        shown = await make(edge, receiver.url)
        for wanted in (
            {"configuration": {**shown["configuration"], "format": "xml"}},
            {"configuration": shown["configuration"], "type": "console-webhook-handler"},
            {"configuration": {**shown["configuration"], "url": "http://10.0.0.1/"}},
        ):
            assert (await edge.client.put("/api/webhooks/hook", json=wanted)).status_code == 422
        after = (await edge.client.get("/api/webhooks/hook")).json()
        assert {key: after[key] for key in shown if key != "deliveries"} == {
            key: shown[key] for key in shown if key != "deliveries"
        }


async def test_no_secret_comes_out_anywhere(managing: Any, receiver: Receiver, capfd: Any) -> None:
    """Neither in plugins, overrides, operations, deliveries and events, nor in the log."""
    entry = {
        "name": "filed",
        "type": "http-webhook-handler",
        "configuration": {"url": receiver.url, "secrets": [SECRET], "headers": {"x-token": "top-secret-header"}},
    }
    async with managing(network=LOCAL, plugins={"webhook_handlers": [entry]}) as edge:
        await make(edge, receiver.url, configuration={"headers": {"x-token": "top-secret-header"}})
        whole = {"url": receiver.url, "secrets": [OTHER], "headers": {"x-token": "top-secret-header"}}
        seen = [await edge.client.put(f"/api/plugins/{name}/config?wait=60", json=whole) for name in ("hook", "filed")]
        seen.append(await edge.client.put("/api/plugins/filed/config?wait=60", json={**whole, "x": OTHER}))
        seen.append(await edge.client.post("/api/webhooks/hook/test"))
        await publish(edge)
        await receiver.next()
        paths = ("plugins", "plugins/hook", "plugins/filed", "webhooks", "webhooks/hook", "deliveries", "events")
        seen += [await edge.client.get(f"/api/{path}") for path in paths]
        text = "".join(answer.text for answer in seen) + "".join(capfd.readouterr())
        assert (seen[0].status_code, seen[1].status_code) == (200, 200)
        for secret in (SECRET, OTHER, TOKEN, "top-secret-header"):
            assert secret not in text


# --- removing --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/api/webhooks/hook", "/api/plugins/hook?wait=60"])
async def test_what_is_removed_is_gone_with_its_deliveries(managing: Any, receiver: Receiver, path: str) -> None:
    """Also after a restart, and whichever way it was removed."""
    receiver.status = 500
    async with managing(network=LOCAL) as edge:
        await make(edge, receiver.url, delivery={"schedule_seconds": [600]})
        await publish(edge)
        await receiver.next()
        assert (await edge.client.delete(path)).status_code == 204
        assert (await edge.client.get("/api/webhooks/hook")).json()["code"] == "unknown-webhook"
        assert (await edge.client.get("/api/deliveries")).json()["items"] == []
    async with managing(network=LOCAL) as edge:
        assert (await edge.client.get("/api/webhooks")).json()["items"] == []


# --- trying ----------------------------------------------------------------------------------------------


async def test_a_test_event_is_a_real_one_that_says_so(managing: Any, receiver: Receiver) -> None:
    """The answer is what the receiver said; nothing is stored."""
    async with managing(network=LOCAL) as edge:
        await make(edge, receiver.url)
        tried = (await edge.client.post("/api/webhooks/hook/test")).json()
        assert (tried["attempt"]["ok"], tried["attempt"]["status"]) == (True, 200)
        headers, body = await receiver.next()
        assert Webhook(SECRET).verify(body, headers)["data"]["metadata"] == {"test": True}
        receiver.status = 503
        assert (await edge.client.post("/api/webhooks/hook/test")).json()["attempt"]["status"] == 503
        assert (await edge.client.get("/api/deliveries")).json()["items"] == []


async def test_a_dry_run_that_stands_in_the_wrong_place_asks_nobody(managing: Any, receiver: Receiver) -> None:
    """It would be a real run otherwise; the answer says where it belongs."""
    async with managing(network=LOCAL) as edge:
        await make(edge, receiver.url)
        answer = await edge.client.post("/api/webhooks/hook/test", json={"dry_run": True})
        assert (answer.status_code, answer.json()["code"]) == (422, "body-does-not-fit")
        assert "?dry_run=true" in answer.json()["detail"]
        assert receiver.got.empty()


async def test_a_dry_run_asks_nobody(managing: Any, receiver: Receiver) -> None:
    """The handler says what it would have done."""
    async with managing(network=LOCAL) as edge:
        await make(edge, receiver.url)
        tried = (await edge.client.post("/api/webhooks/hook/test?dry_run=true&type=task.deleted")).json()
        assert (tried["dry_run"], tried["event"]["type"]) == (True, "task.deleted")
        assert "were signed and not sent" in tried["attempt"]["response"]
        assert receiver.got.empty()
        refused = await edge.client.post("/api/webhooks/hook/test?type=plugin.failed")
        assert (refused.status_code, refused.json()["code"]) == (503, "handler-not-serving")


async def test_no_handler_is_sent_elsewhere_by_the_way_of_plugins(managing: Any, receiver: Receiver) -> None:
    """`PUT /api/plugins/{id}/config` refuses a private address as well; nothing changes."""
    async with managing(network=LOCAL) as edge:
        await make(edge, receiver.url)
        before = (await edge.client.get("/api/webhooks/hook")).json()
        configuration = described("http://10.0.0.1/x")["configuration"]
        answer = await edge.client.put("/api/plugins/hook/config", json=configuration)
        assert answer.status_code == 422
        assert [each["pointer"] for each in answer.json()["errors"]] == ["/url"]
        assert (await edge.client.get("/api/webhooks/hook")).json() == before


# --- deliveries ------------------------------------------------------------------------------------------


async def test_deliveries_are_listed_retried_and_replayed(managing: Any, receiver: Receiver) -> None:
    """A dead one is tried by hand in vain, then replayed, and comes."""
    receiver.status = 500
    async with managing(network=LOCAL) as edge:
        await make(edge, receiver.url)
        event = await publish(edge)

        async def dead() -> list[dict[str, Any]]:
            return (await edge.client.get("/api/webhooks/hook/deliveries?state=dead")).json()["items"]

        [delivery] = await until(dead)
        assert (delivery["event_id"], delivery["attempts"]) == (event["id"], 2)
        assert delivery["history"][-1]["status"] == 500
        place = f"/api/deliveries/hook/{delivery['sequence']}"
        again = (await edge.client.post(f"{place}/retry")).json()
        assert (again["state"], again["history"][-1]["by_hand"]) == ("dead", True)
        receiver.status = 200
        done = (await edge.client.post("/api/events/replay", json={"types": ["task.*"]})).json()
        assert done == {"deliveries": 1, "handlers": {"hook": 1}, "next_cursor": None}

        async def delivered() -> bool:
            return (await edge.client.get(place)).json()["state"] == "delivered"

        await until(delivered)


async def test_a_range_is_replayed_to_one_handler_page_by_page(managing: Any, receiver: Receiver) -> None:
    """Also what came before the handler did; only what it takes."""
    async with managing(network=LOCAL) as edge:
        made = [await publish(edge) for _ in range(5)]
        await publish(edge, "canary.deployment.started")
        await make(edge, receiver.url)
        body: dict[str, Any] = {"handler": "hook", "state": "any", "limit": 2}
        counts = list[int]()
        while True:
            page = (await edge.client.post("/api/events/replay", json=body)).json()
            counts.append(page["deliveries"])
            if page["next_cursor"] is None:
                break
            body["cursor"] = page["next_cursor"]
        assert counts == [2, 2, 1]
        got = {(await receiver.next())[0]["webhook-id"] for _ in made}
        assert got == {event["id"] for event in made}


async def test_a_single_dead_letter_is_replayed(managing: Any, receiver: Receiver) -> None:
    """By its place in the log; the others stay dead."""
    receiver.status = 500
    async with managing(network=LOCAL) as edge:
        await make(edge, receiver.url)
        for _ in range(2):
            await publish(edge)

        async def dead() -> list[dict[str, Any]] | None:
            items = (await edge.client.get("/api/webhooks/hook/deliveries?state=dead")).json()["items"]
            return items if len(items) == 2 else None

        newer, older = await until(dead)
        receiver.status = 200
        done = (await edge.client.post("/api/events/replay", json={"event": older["sequence"]})).json()
        assert done["deliveries"] == 1

        async def states() -> bool:
            items = (await edge.client.get("/api/webhooks/hook/deliveries")).json()["items"]
            return {each["sequence"]: each["state"] for each in items} == {
                newer["sequence"]: "dead",
                older["sequence"]: "delivered",
            }

        await until(states)


async def test_a_replay_promises_no_events_that_the_handler_does_not_take(managing: Any, receiver: Receiver) -> None:
    """What it does not support is neither counted nor given a row, also when it is asked for by its type."""
    async with managing(network=LOCAL) as edge:
        await publish(edge, "canary.deployment.started")
        event = await publish(edge)
        await make(edge, receiver.url)
        body: dict[str, Any] = {"handler": "hook", "state": "any", "types": ["canary.*"]}
        done = (await edge.client.post("/api/events/replay", json=body)).json()
        assert done == {"deliveries": 0, "handlers": {"hook": 0}, "next_cursor": None}
        body["types"].append("task.*")
        assert (await edge.client.post("/api/events/replay", json=body)).json()["deliveries"] == 1
        assert (await receiver.next())[0]["webhook-id"] == event["id"]


async def test_all_deliveries_are_listed_over_pages(managing: Any, receiver: Receiver) -> None:
    """Of all handlers, each once; filters hold."""
    async with managing(network=LOCAL) as edge:
        for name in ("one", "two"):
            await make(edge, receiver.url, name=name)
        made = [await publish(edge) for _ in range(3)]
        seen: list[tuple[int, str]] = []
        cursor = ""
        while True:
            page = (await edge.client.get(f"/api/deliveries?limit=2{cursor}")).json()
            seen += [(each["sequence"], each["handler"]) for each in page["items"]]
            if page["next_cursor"] is None:
                break
            cursor = f"&cursor={page['next_cursor']}"
        assert seen == [(event["sequence"], name) for event in reversed(made) for name in ("one", "two")]
        only = await edge.client.get(f"/api/deliveries?handler=two&event={made[0]['sequence']}")
        assert [each["handler"] for each in only.json()["items"]] == ["two"]
        assert (await edge.client.get("/api/deliveries?type=plugin.*")).json()["items"] == []


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", "/api/webhooks/nobody", None, 404, "unknown-webhook"),
        ("GET", "/api/webhooks/local", None, 404, "unknown-webhook"),
        ("PUT", "/api/webhooks/nobody", {}, 404, "unknown-webhook"),
        ("DELETE", "/api/webhooks/nobody", None, 404, "unknown-webhook"),
        ("POST", "/api/webhooks/nobody/test", None, 404, "unknown-webhook"),
        ("GET", "/api/webhooks/nobody/deliveries", None, 404, "unknown-webhook"),
        ("GET", "/api/deliveries/nobody/1", None, 404, "unknown-delivery"),
        ("POST", "/api/deliveries/nobody/1/retry", None, 404, "unknown-delivery"),
        ("POST", "/api/deliveries/nobody/first/retry", None, 422, "query-does-not-fit"),
        ("GET", "/api/deliveries?state=lost", None, 422, "query-does-not-fit"),
        ("GET", "/api/deliveries?cursor=x", None, 400, "invalid-cursor"),
        ("POST", "/api/events/replay", {"handler": "nobody"}, 404, "unknown-webhook"),
        ("POST", "/api/events/replay", {"state": "any"}, 422, "body-does-not-fit"),
        ("POST", "/api/events/replay", {"types": ["x"]}, 422, "body-does-not-fit"),
        ("POST", "/api/events/replay", {"cursor": "x"}, 400, "invalid-cursor"),
        ("POST", "/api/events/replay", {"since": "2026-01-01"}, 422, "body-does-not-fit"),
        ("POST", "/api/webhooks", [], 422, "body-does-not-fit"),
    ],
)
async def test_what_is_not_there_or_makes_no_sense(
    edge: Any, method: str, path: str, *, body: Any, status: int, code: str
) -> None:
    """A problem document each."""
    answer = await edge.client.request(method, path, **({} if body is None else {"json": body}))
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
