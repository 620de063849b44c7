"""From a file to a checked configuration, or to every problem at once."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from hotplane.config import HotplaneConfig, LoadedConfig, config_from_mapping, find_config, load_config
from hotplane.config.loading import MAX_PROBLEMS
from hotplane.errors import ConfigurationError, Problem

FILES = Path(__file__).parent / "files"
SHARED = Path(__file__).parents[4] / "shared" / "examples"
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Return a function that writes a file and returns its path."""

    def _write(text: str | bytes, name: str = "hotplane.yaml") -> Path:
        path = tmp_path / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return _write


def problems_of(path: Path, **arguments: object) -> list[Problem]:
    """Return the problems with what is given; fail when there are none."""
    with pytest.raises(ConfigurationError) as caught:
        load_config(path, **arguments)  # type: ignore[arg-type]
    return list(caught.value.problems)


def check_plugins_yaml(loaded: LoadedConfig) -> None:
    """Check what plugins.yaml means."""
    ((pointer, entry),) = loaded.config.plugins.entries()
    assert (entry.name, entry.plugin_type, entry.enabled) == ("valkyrie", "valkyrie", True)
    assert entry.configuration["endpoint"] == "tcp://localhost:8080"
    assert loaded.line_of(pointer + "/configuration/endpoint") == 5
    assert loaded.config.fallback.http_config is not None
    assert loaded.config.fallback.http_config.timeout_ms == 30_000


def check_appsettings_json(loaded: LoadedConfig) -> None:
    """Check what appsettings.json means."""
    entries = dict(loaded.config.plugins.entries())
    assert [entry.plugin_type for entry in entries.values()] == [
        "json-schema-validator",
        "percentage-sampler",
        "slack-webhook-handler",
    ]
    assert entries["/plugins/samplers/0"].configuration == {"SamplingRate": 0.1}
    assert loaded.line_of("/plugins/samplers/0/priority") == 17


def test_the_yaml_example_loads():
    """The short form of a plugin entry becomes a full one, and keeps its line."""
    check_plugins_yaml(load_config(FILES / "plugins.yaml"))


def test_the_dotnet_example_loads():
    """PascalCase keys are ours; those of a plugin's configuration stay as they are."""
    check_appsettings_json(load_config(FILES / "appsettings.json"))


@pytest.mark.skipif(not SHARED.is_dir(), reason="the folder shared/examples is not beside the repository")
def test_the_shared_examples_load_unchanged():
    """The copies that are tested here are not the only ones that load."""
    check_plugins_yaml(load_config(SHARED / "plugins.yaml"))
    check_appsettings_json(load_config(SHARED / "appsettings.json"))


def test_what_stands_beside_the_dotnet_section_is_ignored(write: Write):
    """A settings file is shared with other programs."""
    text = (
        '\ufeff{\n// for all\n"Logging": {"LogLevel": 1}, "AllowedHosts": "*",\n\t"Loopai": {"Server": {"Port": 1}},}'
    )
    assert load_config(write(text, "appsettings.json")).config.server.port == 1


def test_without_a_file_there_are_the_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A host runs without any configuration."""
    monkeypatch.chdir(tmp_path)
    loaded = load_config()
    assert (loaded.config, loaded.file) == (HotplaneConfig(), None)


def test_the_first_default_file_is_found(write: Write, tmp_path: Path):
    """YAML is looked for before JSON."""
    write("{}", "hotplane.json")
    assert find_config(tmp_path) == tmp_path / "hotplane.json"
    path = write("log: {level: debug}")
    assert find_config(tmp_path) == path


def test_every_problem_is_reported_at_once_in_the_order_of_lines(write: Write):
    """One look at the list is enough to mend the file."""
    path = write(
        "server:\n  prot: 3000\n  port: '1'\nplugins:\n  valkirye: {}\n  samplers:\n    - {name: sampler-x}\n"
        "tasks:\n  spam: {program: nothing}\nfallback: 3\nlgo: {}\n"
    )
    found = problems_of(path)
    assert [problem.line for problem in found] == [2, 3, 5, 7, 9, 10, 11]
    assert {problem.file for problem in found} == {str(path)}
    assert [problem.pointer for problem in found][:4] == [
        "/server/prot",
        "/server/port",
        "/plugins/valkirye",
        "/plugins/samplers/0/type",
    ]


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("servr: {}", "did you mean 'server'?"),
        ("Server: {Prot: 1}", "did you mean 'port'?"),
        ("plugins: {valkirye: {}}", "did you mean 'valkyrie'?"),
        ("plugins: {sampelrs: []}", "did you mean 'samplers'?"),
        ("plugins: {samplers: [{name: percentage-sampler, prioriti: 1}]}", "did you mean 'priority'?"),
        ("plugins: {samplers: [{name: x, type: percentage-samplr}]}", "did you mean 'percentage-sampler'?"),
        ("fallback: {http_config: {baseurl: x}}", "did you mean 'base_url'?"),
        ("tasks: {a: {programm: x:y}}", "did you mean 'program'?"),
        ("log: {zzzzz: 1}", "known keys: format, level"),
    ],
)
def test_a_misspelt_key_gets_a_suggestion(write: Write, text: str, hint: str):
    """The closest known word is named, or all of them."""
    assert any(hint in problem.message for problem in problems_of(write(text)))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("server: {port: '3000'}", "`port` must be a whole number, not the text '3000'"),
        ("server: {port: true}", "`port` must be a whole number, not true"),
        ("server: {port: 70000}", "`port` must be at most 65535, and is the number 70000"),
        ("server: []", "`server` must be a mapping, not a list"),
        ("plugins: {enabled: yes}", "`enabled` must be true or false, not the text 'yes'"),
        ("plugins: {paths: x}", "`paths` must be a list, not the text 'x'"),
        ("plugins: {paths: [1]}", "each of `paths` must be text, not the number 1"),
        ("plugins: {valkyrie: 3}", "`valkyrie` must be a mapping, the plugin's configuration, not the number 3"),
        ("plugins: {samplers: [x]}", "each of `samplers` must be a mapping, not the text 'x'"),
        ("log: {format: xml}", "`format` must be 'console' or 'json', and is the text 'xml'"),
        ("tasks: {a: {}}", "`program` is missing"),
        ("tasks: 3", "`tasks` must be a list, not the number 3"),
    ],
)
def test_a_wrong_type_is_said_in_plain_words(write: Write, text: str, message: str):
    """What is wanted and what was found, without a word of the library that checks."""
    (problem,) = problems_of(write(text))
    assert problem.message == message


@pytest.mark.parametrize(
    "text",
    [
        "server: {tokens: [hunter2]}",
        "server: {tokens: hunter2}",
        "server: {tokens: {a: hunter2}}",
        "storage: {url: 'mysql://user:hunter2@db/x'}",
        "storage: {password: hunter2}",
        "fallback: {http_config: {base_url: 'ftp://user:hunter2@x'}}",
        "log: {level: 'postgresql://user:hunter2@db'}",
        "plugins: {valkyrie: {token: hunter2}, samplers: [{name: x, configuration: {api_key: hunter2}}]}",
    ],
)
def test_secrets_are_never_shown(write: Write, text: str):
    """Neither the error nor its causes repeat what may be a secret."""
    with pytest.raises(ConfigurationError) as caught:
        load_config(write(text))
    assert "hunter2" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[1, 2]", "a configuration is a mapping of sections, not a list"),
        (b"a: \xff", "the file is not UTF-8 text"),
        (b"#" * 1_048_577, "the file is larger than 1048576 bytes"),
    ],
)
def test_a_file_that_is_no_configuration_is_refused(write: Write, content: bytes, message: str):
    """The first thing that is wrong with the file as a whole is said."""
    (problem,) = problems_of(write(content))
    assert problem.message == message


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path):
    """A path that was given has to be a readable file."""
    assert problems_of(tmp_path / "none.yaml") == [
        Problem("there is no such file", file=str(tmp_path / "none.yaml")),
    ]
    assert "cannot be read" in problems_of(tmp_path)[0].message


def test_the_number_of_reported_problems_is_bounded(write: Write):
    """A thousand mistakes make a list that says that there are more."""
    found = problems_of(write("plugins: {samplers: [" + "3, " * 1000 + "]}"))
    assert len(found) == MAX_PROBLEMS + 1
    assert found[-1].message == "and 900 more"


def test_a_mapping_is_checked_as_a_file_is():
    """The same words, without file and line."""
    with pytest.raises(ConfigurationError) as caught:
        config_from_mapping({"server": {"port": "1", "host": object}})
    assert caught.value.problems[0].pointer == "/server/host"
    assert config_from_mapping({"tasks": {"a": {"program": "m:f"}}}).config.tasks[0].id == "a"


def test_json_and_yaml_of_the_same_content_are_the_same_configuration(write: Write):
    """The format of the file makes no difference."""
    content = {"server": {"port": 1}, "tasks": [{"id": "a", "program": "m:f", "sampling_rate": 1}]}
    text = json.dumps(content, indent="\t")
    flow = json.dumps(content)
    assert load_config(write(text, "c.json")).config == load_config(write(flow, "c.yaml")).config


def test_layers_win_over_each_other_in_order(write: Write):
    """Overrides beat the environment, which beats the file."""
    path = write("server: {port: 1, max_depth: 1, host: localhost}")
    environ = {"HOTPLANE_SERVER__PORT": "2", "HOTPLANE_SERVER__MAX_DEPTH": "2"}
    server = load_config(path, environ=environ, overrides={"server.port": 3}).config.server
    assert (server.host, server.max_depth, server.port) == ("localhost", 2, 3)


def test_problems_name_the_layer_that_caused_them(write: Write):
    """A wrong variable is not blamed on the file."""
    path = write("log: {level: loud}")
    found = problems_of(path, environ={"HOTPLANE_SERVER__PORT": "x"}, overrides={"server.host": ""})
    assert {(problem.file, problem.pointer) for problem in found} >= {
        ("environment", "/server/port"),
        ("command line", "/server/host"),
        (str(path), "/log/level"),
    }


@pytest.mark.parametrize("variable", ["HOTPLANE_SERVR__PORT", "HOTPLANE_SERVER__HTTP__PORT"])
def test_a_misspelt_section_of_the_environment_is_not_the_files(write: Write, variable: str):
    """What no line of the file says is not said to stand in its first one."""
    (problem,) = problems_of(write("server: {port: 1}"), environ={variable: "4000"})
    assert (problem.file, problem.line) == ("environment", None)


def test_a_key_without_a_value_counts_as_absent(write: Write):
    """A section whose lines are all commented out is no mistake."""
    config = load_config(write("tasks:\nserver:\n  # port: 1\nplugins:\n  valkyrie:\n  samplers:\n")).config
    assert config.server.port == 3000
    assert [entry.name for _, entry in config.plugins.entries()] == ["valkyrie"]


def test_later_problems_can_be_placed_in_the_file(write: Write):
    """Whoever finds a problem after loading can say where it was written."""
    path = write("plugins:\n  percentage_sampler:\n    enabled: false\n    sampling_rate: 7\n")
    problem = load_config(path).problem("too much", "/plugins/others/0/configuration/sampling_rate")
    assert problem == Problem("too much", "/plugins/percentage_sampler/sampling_rate", str(path), 4)
