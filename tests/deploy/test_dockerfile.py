"""The Dockerfile. No test builds the image: that needs Docker's daemon and its base image."""

import json
import re
import tomllib

from api.app import create_app
from tests.deploy.conftest import ROOT, assert_is_a_command
from tracker.clocks import SystemClock
from tracker.stores.sqlite import SqliteStore

TEXT = (ROOT / "Dockerfile").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def words_of(instruction):
    """Of the last of that instruction."""
    return json.loads(re.findall(rf"^\s*{instruction} (\[.*\])$", TEXT, re.M)[-1])


def copied():
    lines = re.findall(r"^COPY (?!--from)(.*) \S+$", TEXT, re.M)
    return {word for line in lines for word in line.split()}


def test_everything_that_is_installed_is_copied_and_let_through():
    packages = {p.rstrip("*") for p in PROJECT["tool"]["setuptools"]["packages"]["find"]["include"]}
    modules = {f"{name}.py" for name in PROJECT["tool"]["setuptools"]["py-modules"]}
    assert packages | modules | {"requirements.txt", "pyproject.toml"} <= copied()
    assert all((ROOT / name).exists() for name in copied())
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert {f"!{name}" for name in copied()} <= set(ignored)
    assert ignored[0] == "*"


def test_it_starts_a_command_as_nobody_special():
    assert words_of("ENTRYPOINT") == ["retour"]
    assert_is_a_command(words_of("CMD"))
    assert re.findall(r"^USER (.*)$", TEXT, re.M) == ["retour"]


def test_only_what_is_locked_is_installed():
    installs = re.findall(r"pip (?:install|wheel) [^&\n]*(?:\\\n[^&\n]*)*", TEXT)
    assert len(installs) == 2
    assert "--require-hashes" in installs[0]
    assert "--no-index" in installs[1]


def test_its_health_is_asked_where_there_is_an_answer(tmp_path):
    path = re.search(r"127\.0\.0\.1:8000(/[\w/]+)", TEXT).group(1)
    routes = create_app(SqliteStore(tmp_path / "retour.db"), SystemClock()).openapi()["paths"]
    assert path in routes
