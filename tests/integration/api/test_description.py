"""The probes, the host's numbers, and how the API describes itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest

from hotplane.api.routes.system import problem_types

OWN_SERVER = re.compile(r"""(?:src|href|url)\s*[=:]\s*["'](?!/|data:,)""")


async def test_the_probes_tell_life_from_readiness(edge: Any) -> None:
    """A host that does not take work is alive and not ready, and says why."""
    assert (await edge.client.get("/livez")).json() == {"status": "alive"}
    assert (await edge.client.get("/readyz")).json() == {"ready": True, "reasons": []}
    await edge.host.stop(0)
    answer = await edge.client.get("/readyz")
    assert (answer.status_code, answer.json()["ready"]) == (503, False)
    assert "not running" in answer.json()["reasons"][0]
    assert (await edge.client.get("/livez")).status_code == 200


async def test_the_numbers_count_what_was_done(edge: Any) -> None:
    """Executions by status, plugins by state."""
    await edge.execute("echo", 1)
    await edge.execute("boom", 1)
    stats = (await edge.client.get("/api/plugins/system/stats")).json()
    assert stats["executions"] == {"success": 1, "error": 1}
    assert (stats["in_flight"], stats["plugins"], stats["tasks"]) == (0, {"active": 3}, 7)


async def test_every_kind_of_problem_is_explained(edge: Any) -> None:
    """The `type` of a problem leads to an explanation."""
    refused = (await edge.execute("nobody", 1)).json()
    explained = await edge.client.get(refused["type"])
    assert (explained.status_code, explained.json()["title"]) == (200, refused["title"])
    assert "{" not in "".join(kind.description for kind in problem_types().values())
    assert (await edge.client.get("/errors/made-up")).status_code == 404


async def test_the_page_takes_nothing_from_elsewhere(edge: Any) -> None:
    """Page, script and style sheet come from this server; the policy would refuse anything else."""
    page = await edge.client.get("/docs")
    assert page.headers["content-security-policy"].startswith("default-src 'self'")
    assert "//" not in page.text
    assert re.findall(r"<script(?![^>]*\ssrc=)", page.text) == []
    for path in re.findall(r'(?:src|href)="(/[^"]+)"', page.text):
        asset = await edge.client.get(path)
        assert asset.status_code == 200
        assert asset.headers["content-type"].startswith(("text/javascript", "text/css"))
    assert OWN_SERVER.search((await edge.client.get("/docs/initialize.js")).text) is None
    styles = (await edge.client.get("/docs/swagger-ui.css")).text
    assert re.findall(r"url\((?!\"?data:)", styles) == []


async def test_the_document_describes_every_operation(edge: Any) -> None:
    """Each has an id of its own, a summary, a tag, and the problems that it may answer with."""
    document = (await edge.client.get("/openapi.json")).json()
    operations = list(each_operation(document))
    assert ("post", "/api/tasks/{task_id}/execute") in {(method, path) for method, path, _ in operations}
    identities = [operation["operationId"] for _, _, operation in operations]
    assert len(identities) == len(set(identities)) == 66
    for _, _, operation in operations:
        assert operation["summary"]
        assert operation["tags"]
        assert {"400", "401", "421", "500", "503"} <= operation["responses"].keys()


async def test_every_reference_of_the_document_leads_somewhere(edge: Any) -> None:
    """Schemas and answers that are referred to are there."""
    document = (await edge.client.get("/openapi.json")).json()
    for reference in references(document):
        place: Any = document
        for part in reference.removeprefix("#/").split("/"):
            place = place[part]
    assert "HTTPValidationError" not in document["components"]["schemas"]


async def test_every_example_fits_its_schema(edge: Any) -> None:
    """Requests and answers alike."""
    document = (await edge.client.get("/openapi.json")).json()
    checked = 0
    for content in contents(document):
        if "example" in content:
            schema = {**content["schema"], "components": document["components"]}
            jsonschema_rs.validate(schema, content["example"])
            checked += 1
    assert checked > 20


async def test_answers_fit_the_document(edge: Any) -> None:
    """What is really answered is what was described."""
    document = (await edge.client.get("/openapi.json")).json()
    identity = (await edge.execute("echo", 1)).json()["id"]
    for path, template in (
        ("/api/tasks", "/api/tasks"),
        ("/api/tasks/echo", "/api/tasks/{task_id}"),
        ("/api/tasks/echo/quality?bucket=day", "/api/tasks/{task_id}/quality"),
        ("/api/executions", "/api/executions"),
        (f"/api/executions/{identity}", "/api/executions/{execution_id}"),
        ("/api/plugins", "/api/plugins"),
        ("/api/plugins/local", "/api/plugins/{plugin_id}"),
        ("/api/plugins?include_health=true", "/api/plugins"),
        ("/api/plugins/health", "/api/plugins/health"),
        ("/api/plugins/health/summary", "/api/plugins/health/summary"),
        ("/api/plugins/local/health", "/api/plugins/{plugin_id}/health"),
        ("/api/plugins/system/stats", "/api/plugins/system/stats"),
        ("/readyz", "/readyz"),
    ):
        answer = await edge.client.get(path)
        described = document["paths"][template]["get"]["responses"]["200"]["content"]["application/json"]
        jsonschema_rs.validate({**described["schema"], "components": document["components"]}, answer.json())


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/livez"), ("POST", "/docs"), ("DELETE", "/openapi.json"), ("GET", "/api/plugins/a/stop")],
)
async def test_another_method_is_a_problem(edge: Any, method: str, path: str) -> None:
    """405 with the methods that work."""
    answer = await edge.client.request(method, path)
    assert (answer.status_code, answer.json()["code"]) == (405, "method-not-allowed")
    assert answer.headers["allow"]


async def test_a_path_with_a_line_break_is_a_problem_too(edge: Any) -> None:
    """Whatever stands in a path, what is not there is told in a problem document."""
    for path in ("/api/executions/a%0Ab", "/a%0Db", "/%0A"):
        answer = await edge.client.get(path)
        assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


async def test_a_fixed_path_allows_what_is_described_for_it(edge: Any) -> None:
    """Not also what a path with a place in it would, which it would fit too."""
    assert (await edge.client.request("OPTIONS", "/api/batch/execute")).headers["allow"] == "POST"
    assert (await edge.client.request("OPTIONS", "/api/batch/some")).headers["allow"] == "DELETE, GET"


@pytest.mark.parametrize("instant", ["0.5", "1700000000", "2026-01-15", "2026-01-15T09:30:00", "yesterday"])
async def test_an_instant_is_written_in_full(edge: Any, instant: str) -> None:
    """A number is no instant, and neither is a day or a time without its offset."""
    answer = await edge.client.get("/api/executions", params={"from": instant})
    assert (answer.status_code, answer.json()["errors"][0]["parameter"]) == (422, "from")
    assert (await edge.client.get("/api/events", params={"since": "2026-01-15T09:30+01:00"})).status_code == 200


async def test_every_link_leads_from_an_answer_to_a_parameter(edge: Any) -> None:
    """What an answer says of the next call fits the description of both."""
    document = (await edge.client.get("/openapi.json")).json()
    operations = {operation["operationId"]: operation for _, _, operation in each_operation(document)}
    linked = [
        (response, link)
        for operation in operations.values()
        for response in operation["responses"].values()
        for link in response.get("links", {}).values()
    ]
    assert len(linked) > 50
    for response, link in linked:
        known = {parameter["name"] for parameter in operations[link["operationId"]]["parameters"]}
        schema = response["content"]["application/json"]["schema"]
        for name, expression in link["parameters"].items():
            assert name in known
            assert leads(document, schema, expression.removeprefix("$response.body#/").split("/")), expression


def leads(document: dict[str, Any], schema: dict[str, Any], parts: list[str]) -> bool:
    """Tell whether values of a schema have something at a place."""
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if not parts:
        return True
    if "items" in schema:
        return parts[0] == "0" and leads(document, schema["items"], parts[1:])
    return parts[0] in schema.get("properties", {}) and leads(document, schema["properties"][parts[0]], parts[1:])


def each_operation(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield method, path and operation."""
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            yield method, path, operation


def contents(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the description of every body."""
    for _, _, operation in each_operation(document):
        for holder in [operation.get("requestBody", {}), *operation["responses"].values()]:
            yield from holder.get("content", {}).values()
    for holder in document["components"]["responses"].values():
        yield from holder["content"].values()


def references(value: object) -> Iterator[str]:
    """Yield every reference."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key == "$ref":
                yield item
            else:
                yield from references(item)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)
