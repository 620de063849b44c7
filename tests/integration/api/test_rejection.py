"""Outputs that a validator rejects, and forced samples, over real sockets."""

from __future__ import annotations

from typing import Any

SMALL = {
    "name": "small",
    "type": "expression-validator",
    "on_fail": "reject",
    "configuration": {"rules": [{"expression": "output.n < 10", "message": "too large", "pointer": "/n"}]},
}
JUDGES = {"validators": [SMALL], "samplers": []}


async def test_a_rejected_output_is_answered_with_422_and_the_reasons(managing: Any) -> None:
    """The pointers lead into the record, whose id is there; other tasks' outputs get through."""
    async with managing(plugins=JUDGES) as edge:
        assert (await edge.execute("echo", {"n": 1})).status_code == 200
        answer = await edge.execute("echo", {"n": 11})
        problem = answer.json()
        assert (answer.status_code, problem["code"]) == (422, "output-rejected")
        assert problem["errors"] == [{"detail": "small: too large", "pointer": "/output/n"}]
        record = (await edge.client.get(f"/api/executions/{problem['execution_id']}")).json()
        assert (record["status"], record["output"], record["valid"]) == ("rejected", {"n": 11}, False)
        assert record["validations"][0]["consequence"] == "rejected"


async def test_a_rejected_output_is_explained(edge: Any) -> None:
    """The type of the problem is a page of this server."""
    answer = await edge.client.get("/errors/output-rejected")
    assert answer.status_code == 200


async def test_the_caller_may_have_an_execution_sampled(managing: Any) -> None:
    """`sample: true` in the body; the decision says that it was forced."""
    async with managing(plugins={"samplers": []}) as edge:
        forced = (await edge.execute("echo", 1, sample=True)).json()
        plain = (await edge.execute("echo", 1)).json()
    assert (forced["sampling"]["outcome"], forced["valid"]) == ("forced", True)
    assert (plain["sampling"]["outcome"], plain["valid"]) == ("not-sampled", None)


async def test_what_follows_an_objection_is_shown_with_the_plugin(managing: Any) -> None:
    """As `on_fail`."""
    async with managing(plugins=JUDGES) as edge:
        assert (await edge.client.get("/api/plugins/small")).json()["on_fail"] == "reject"


async def test_a_rule_that_cannot_be_is_refused_with_its_place(managing: Any) -> None:
    """A changed configuration is read before anything is replaced."""
    async with managing(plugins=JUDGES) as edge:
        broken = {"rules": [{"expression": "true"}, {"expression": "output.n <"}]}
        answer = await edge.client.put("/api/plugins/small/config", json=broken)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == "/rules/1/expression"
        assert (await edge.execute("echo", {"n": 11})).status_code == 422
