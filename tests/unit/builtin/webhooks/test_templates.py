"""Templates: checked when they are written, harmless when they run, never a reason to lose an event."""

from __future__ import annotations

from datetime import UTC, datetime
from time import thread_time
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from hotplane.builtin.webhooks.slack import SlackWebhookHandler
from hotplane.builtin.webhooks.teams import TeamsWebhookHandler
from hotplane.builtin.webhooks.templates import Templates, TemplateTexts
from hotplane.records import Event, EventType

FAILED = "program.execution.failed"
EVENT = Event(
    id="e-1",
    type=EventType.PROGRAM_EXECUTION_FAILED,
    time=datetime(2026, 3, 1, tzinfo=UTC),
    task_id="spam",
    payload={
        "items": [1, "two", None],
        "error": {"type": "ValueError", "keys": "shadowed"},
        "text": "<!channel> & `x`",
    },
)


class Log:
    """Remembers warnings."""

    def __init__(self) -> None:
        self.said: list[dict[str, object]] = []

    def warning(self, event: str, **values: object) -> None:
        self.said.append(values)


def rendered(source: str, **options: Any) -> str | None:
    """Return what a template makes of the event."""
    return Templates({FAILED: source}, **options).render(EVENT)


def said_by(source: str) -> str | None:
    """Return what a template says; None where it is refused, or fails."""
    try:
        return rendered(source)
    except ValueError as error:
        return None if "does not compile: line 1: " in str(error) else str(error)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("{{ task_id }} failed: {{ payload.error.type }}", "spam failed: ValueError"),
        ("{{ type }} {{ severity }} {{ time }}", "program.execution.failed info 2026-03-01T00:00:00.000000Z"),
        ("{% for item in payload['items'] %}{{ loop.index }}={{ item }};{% endfor %}", "1=1;2=two;3=;"),
        ("{{ payload.error | tojson }}", '{"type":"ValueError","keys":"shadowed"}'),
        ("{{ payload.error.keys }}", "shadowed"),
        ("{{ payload.missing | default('none') }}", "none"),
        ("{% if payload.missing is defined %}a{% else %}b{% endif %}", "b"),
        ("{{ payload['items'] | join(', ') | upper }}", "1, TWO, "),
        ("{{ execution_id }}|{{ payload['items'] }}|{{ payload['items'][1:] | length }}", '|[1,"two",null]|2'),
        ("{{ 'x' if task_id == 'spam' else 'y' }}{# a comment #}", "x"),
    ],
)
def test_a_template_says_what_the_event_says(source: str, text: str) -> None:
    """Fields by name, JSON objects by member, lists by loop; null is nothing."""
    assert rendered(source) == text


def test_a_type_without_a_template_has_the_one_for_the_rest_or_none() -> None:
    """Its own wins over `*`."""
    assert Templates({"*": "any", FAILED: "own"}).render(EVENT) == "own"
    assert Templates({"*": "any", "plugin.failed": "other"}).render(EVENT) == "any"
    assert Templates({"plugin.failed": "other"}).render(EVENT) is None


@pytest.mark.parametrize(
    ("templates", "message"),
    [
        ({FAILED: "one\n{{ two }\n"}, f"the template for `{FAILED}` does not compile: line 2: "),
        ({FAILED: "{% if x %}"}, f"`{FAILED}` does not compile: line 1: "),
        ({FAILED: "{{ x | nosuch }}"}, "line 1: No filter named 'nosuch'"),
        ({"program.execution.faild": "x"}, "no event type 'program.execution.faild'; did you mean"),
        ({"*": "x" * 10_001}, "longer than 10000 characters"),
        ({"*": "{{ " + "(" * 4_000 + "1" + ")" * 4_000 + " }}"}, "nested too deep|does not compile"),
        ({"*": "{% if 1 %}" * 150 + "{% endif %}" * 150}, "nested too deep"),
        ({"*": "{% for a in [1] %}" * 25 + "{% endfor %}" * 25}, "nested too deep"),
    ],
)
def test_a_template_that_cannot_work_is_refused_by_type_and_line(templates: dict[str, str], message: str) -> None:
    """Before anything is stored or enabled."""
    with pytest.raises(ValidationError, match=message):
        TypeAdapter(TemplateTexts).validate_python(templates)


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ payload.__class__ }}",
        "{{ payload.error.keys() }}",
        "{{ payload | attr('__class__') }}",
        "{{ range(10) }}",
        "{{ lipsum() }}",
        "{{ 'x'.ljust(1000000000) }}",
        "{{ 'x' * 1000000000 }}",
        "{{ 9 ** 99999999 }}",
        "{{ '%1000000000d' % 1 }}",
        "{% set a = 'x' ~ 'x' %}",
        "{% set a %}x{% endset %}",
        "{% with a = 'x' %}{% endwith %}",
        "{% macro a() %}{% endmacro %}",
        "{% include 'secret' %}",
        "{% extends 'secret' %}",
        "{% import 'os' as os %}",
        "{% block a %}{% endblock %}",
        "{% filter upper %}{% endfilter %}",
        "{{ 'x' | center(1000000000) }}",
        "{{ payload.text | replace('x', payload.text) }}",
    ],
)
def test_a_template_cannot_reach_the_host_nor_eat_it(source: str) -> None:
    """It is refused when it is written, or says nothing of what it reached for."""
    assert said_by(source) is None


def test_repetitions_are_limited_whatever_they_print() -> None:
    """A loop in a loop in a loop ends soon."""
    source = "{% for a in l %}{% for b in l %}{% for c in l %}{% endfor %}{% endfor %}{% endfor %}"
    event = Event(id="1", type=EventType.PLUGIN_FAILED, time=EVENT.time, payload={"l": [0] * 500})
    log: Any = Log()
    began = thread_time()
    assert Templates({"*": source.replace("in l", "in payload.l")}).render(event, log) is None
    assert thread_time() - began < 5
    assert log.said[0]["why"] == "it repeats something more than 1000 times"


def _nested(levels: int, of: str) -> str:
    """Return loops within loops, each over one thing that is made of twenty of the one before."""
    loops = ((number, of.join([f"a{number - 1}" if number else "'x'"] * 20)) for number in range(levels))
    begin = "".join(f"{{% for a{number} in [[{made}]] %}}" for number, made in loops)
    return begin + f"{{{{ a{levels - 1} }}}}" + "{% endfor %}" * levels


@pytest.mark.parametrize(
    "source",
    [
        "{{ payload.text" + " | tojson" * 40 + " }}",
        "{{ payload.text" + " | join('12345678901234567890')" * 10 + " }}",
        _nested(8, " ~ ").replace("[[", "[").replace("]]", "]"),
        _nested(8, " + ").replace("[[", "[").replace("]]", "]"),
        _nested(8, ", "),
        "{{ 3 | round(300000000, 'ceil') }}",
        "{{ 3 | round(-300000000) }}",
    ],
)
def test_a_template_cannot_make_more_and_more_on_its_way(source: str) -> None:
    """What multiplies a text, a list or a number step by step ends soon, whatever would come out of it."""
    began = thread_time()
    assert rendered(source) is None
    assert thread_time() - began < 20


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("{{ task_id ~ ': ' ~ 1 }} {{ 'a' + 'b' }} {{ 1 + 2 - 4 }}", "spam: 1 ab -1"),
        ("{{ 2.345 | round(1) }} {{ -7 | abs }} {{ 7.5 | round(0, 'floor') | int }}", "2.3 7 7"),
        ("{{ payload.text | truncate(6) }}|{{ '\\ud800' }}", "<!c...|?"),
    ],
)
def test_what_is_counted_means_what_it_always_means(source: str, text: str) -> None:
    """Joining, adding and rounding; half a character, which nothing could carry, becomes a question mark."""
    assert rendered(source) == text


def test_output_is_cut_at_its_limit() -> None:
    """A long payload makes a long text, up to here."""
    assert rendered("{% for x in payload['items'] %}0123456789{% endfor %}", limit=25) == "0123456789012345678901234"


@pytest.mark.parametrize(
    "source",
    [
        "{{ payload.missing }}",
        "{{ payload.missing.further }}",
        "{{ 1 / 0 }}",
        "{{ 'a' + 1 }}",
        "{{ payload.text | truncate(1) }}",
        "{{ 1e309 | int }}",
    ],
)
def test_a_template_that_fails_leaves_the_handlers_own_words(source: str) -> None:
    """The event goes out, and the log says which template failed."""
    log: Any = Log()
    assert Templates({FAILED: source}).render(EVENT, log) is None
    assert log.said[0]["event_type"] == FAILED
    assert log.said[0]["why"]


@pytest.mark.parametrize(
    ("escape", "text"),
    [
        (SlackWebhookHandler.escape, "<@U1> &lt;!channel&gt; &amp; `x`"),
        (TeamsWebhookHandler.escape, r"<@U1> \<!channel\> & \`x\`"),
    ],
)
def test_values_are_escaped_and_the_operators_own_text_is_not(escape: Any, text: str) -> None:
    """Who may write templates may mention people; who may cause events may not."""
    assert rendered("<@U1> {{ payload.text }}", escape=escape) == text
