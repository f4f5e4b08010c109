"""The documentation names everything that users can say, and what it names exists."""

import ast
import re
from pathlib import Path

import pytest
import typer
from prometheus_client import REGISTRY

import retour
from api.app import create_app
from commands.settings import Settings
from tracker.clocks import SystemClock
from tracker.fleet_records import Period, Records
from tracker.kpi import figures
from tracker.stores.sqlite import SqliteStore

ROOT = Path(retour.__file__).parent
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
COMMANDS = (ROOT / "docs/commands.md").read_text()


def commands(group=None, path="retour"):
    group = group or typer.main.get_command(retour.app)
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


@pytest.mark.parametrize(("name", "command"), [*commands()], ids=str)
def test_every_command_and_option_is_documented(name, command):
    assert f"`{name}" in COMMANDS
    options = {option for p in command.params for option in p.opts if option.startswith("--")}
    assert {option for option in options if option not in COMMANDS} == set()


@pytest.mark.parametrize(("name", "command"), [*commands()], ids=str)
def test_every_command_has_an_example(name, command):
    assert f"Example: {name}" in command.help or f" {name}" in command.help.partition("Example:")[2]


@pytest.mark.parametrize("setting", Settings.model_fields)
def test_every_setting_is_documented(setting):
    assert f"| `RETOUR_{setting.upper()}` |" in (ROOT / "docs/configuration.md").read_text()


def test_every_documented_setting_exists():
    documented = {
        name for page in PAGES for name in re.findall(r"RETOUR_[A-Z_]+", page.read_text())
    }
    settings = {f"RETOUR_{name.upper()}" for name in Settings.model_fields}
    assert documented <= settings | {"RETOUR_CONFIG", "RETOUR_REQUIRE_SERVERS"}


def test_every_route_is_documented_and_every_documented_route_exists(tmp_path):
    app = create_app(SqliteStore(tmp_path / "retour.db"), SystemClock())
    schema = app.openapi()["paths"]
    routes = {f"{method.upper()} {path}" for path, item in schema.items() for method in item}
    documented = set(
        re.findall(r"^\| `([A-Z]+ /[^`]*)` \|", (ROOT / "docs/api.md").read_text(), re.M)
    )
    assert documented == routes | {"GET /v1/openapi.json"}


def test_every_metric_is_documented_and_every_documented_metric_exists():
    page = (ROOT / "docs/metrics.md").read_text()
    metrics = {metric.name for metric in REGISTRY.collect() if metric.name.startswith("retour_")}
    documented = set(re.findall(r"^\| `(retour_\w+)` \|", page, re.M))
    assert len(metrics) >= 20
    assert documented == metrics


def logged(path):
    """The first argument of every log line of a file."""
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Call(func=ast.Attribute(value=value, attr=level)) if level in (
                "debug",
                "info",
                "warning",
                "error",
                "exception",
            ) and ast.unparse(value) in ("log", "structlog.get_logger()"):
                yield node.args[0]


def test_every_figure_is_documented_and_every_documented_one_exists():
    page = (ROOT / "docs/figures.md").read_text().replace("`, `_", "` | `pool_return_rate_")
    told = {one.measure.name for one in figures(Records(), Period(0, 1))}
    assert set(re.findall(r"`([a-z]+_[a-z0-9_]+|dwell|utilisation|turns)` \|", page)) == told


def test_every_event_of_the_log_is_documented_and_every_documented_one_exists():
    page = (ROOT / "docs/metrics.md").read_text().partition("## Logs")[2]
    rooms = ("gateway", "api", "commands", "tracker")
    firsts = [one for room in rooms for path in (ROOT / room).rglob("*.py") for one in logged(path)]
    assert [ast.unparse(one) for one in firsts if not isinstance(one, ast.Constant)] == []
    assert set(re.findall(r"^\| `([^`]+)` \| \w+ \|", page, re.M)) == {one.value for one in firsts}


def test_every_reason_is_documented():
    page = (ROOT / "docs/wire.md").read_text()
    source = "".join(
        path.read_text() for room in ("gateway", "tracker") for path in (ROOT / room).rglob("*.py")
    )
    reasons = set(re.findall(r'(?:Undecodable|Doubt)\("([a-z_]+)"', source))
    reasons |= set(re.findall(r'Reject\(\w+, "([a-z_]+)"', source))
    reasons |= set(re.findall(r'^(?:UNKNOWN_DEVICE|KEY_CONFLICT) = "(\w+)"', source, re.M))
    assert len(reasons) >= 14
    assert {reason for reason in reasons if f"`{reason}`" not in page} == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text()):
        path, _, anchor = target.partition("#")
        if path.startswith("http"):
            continue
        there = page.parent / path if path else page
        assert there.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", there.read_text(), re.M)
            assert anchor in {heading.lower().replace(" ", "-") for heading in headings}, target


def test_every_fault_in_the_table_has_its_test():
    others = (
        "tests/tracker/test_influx.py",
        "tests/gateway/test_webhooks.py",
        "tests/api/test_partner_keys.py",
    )
    files = [*(ROOT / "tests/system").glob("test_*.py"), *(ROOT / name for name in others)]
    tests = "".join(path.read_text() for path in files)
    page = (ROOT / "docs/reliability.md").read_text()
    named = re.findall(r"`(test_[a-z0-9_]+?)_?\.\.\.|`(test_[a-z0-9_]+)`", page)
    assert len(named) >= 15
    for start, whole in named:
        assert f"def {start or whole}" in tests, start or whole
