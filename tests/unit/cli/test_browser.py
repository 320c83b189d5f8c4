"""The console's URL, and when a browser is opened for it."""

import sys
import webbrowser
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.targets import a_target
from weir_cli import browser, target
from weir_cli.browser import console_url, may_open, show_console
from weir_cli.console import own_command
from weir_cli.main import app


def test_the_local_console_has_its_token_in_the_fragment() -> None:
    assert console_url("http://127.0.0.1:1/api", "a.b.c") == "http://127.0.0.1:1/api/#token=a.b.c"
    assert console_url("https://x.example/", None) == "https://x.example/"


@pytest.mark.parametrize(
    ("environment", "platform", "is_terminal", "expected"),
    [
        ({"DISPLAY": ":0"}, "linux", True, True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, "linux", True, True),
        ({}, "darwin", True, True),
        ({}, "linux", True, False),
        ({"DISPLAY": ""}, "linux", True, False),
        ({"DISPLAY": ":0"}, "linux", False, False),
        ({"DISPLAY": ":0", "CI": "true"}, "linux", True, False),
    ],
)
def test_a_browser_is_opened_only_where_somebody_looks_at_a_screen(
    environment: dict[str, str], platform: str, is_terminal: bool, expected: bool
) -> None:
    assert may_open(environment, platform, is_terminal=is_terminal) == expected


def test_whoever_wants_no_browser_gets_none(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    monkeypatch.setattr(browser, "may_open", lambda *, is_terminal: True)
    show_console("http://a", wanted=False)
    show_console("http://b", wanted=True)
    assert opened == ["http://b"]


@pytest.mark.parametrize(
    ("token", "expected"), [("t.o.k", "http://a/#token=t.o.k\n"), (None, "http://a/\n")]
)
def test_the_command_prints_the_url(
    monkeypatch: pytest.MonkeyPatch, token: str | None, expected: str
) -> None:
    here = a_target(api_url="http://a", operator_token=token)
    monkeypatch.setattr(target, "resolve", lambda stack_name: here)
    assert not sys.stdout.isatty()
    result = CliRunner().invoke(app, ["console"])
    assert (result.exit_code, result.stdout) == (0, expected)


def test_a_command_is_named_as_it_can_be_typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / ".venv" / "bin" / "weir"
    program.parent.mkdir(parents=True)
    program.write_text("")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program.with_name("python")))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert own_command() == str(program)
    monkeypatch.chdir(tmp_path)
    assert own_command() == ".venv/bin/weir"
    monkeypatch.setenv("PATH", str(program.parent))
    assert own_command() == "weir"
