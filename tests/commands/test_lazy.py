"""The list of all commands, and what is imported for it."""

import subprocess
import sys

import pytest

import retour

HEAVY = {"api", "gateway", "fastapi", "numpy", "paho", "pydantic", "shapely", "sqlalchemy"}


def imported_by(*words):
    """The packages that a command imports."""
    script = f"""
import sys, retour
sys.argv = {["retour", *words]}
try:
    retour.main()
except SystemExit:
    print(*{{name.partition(".")[0] for name in sys.modules}})
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    return {*done.stdout.splitlines()[-1].split()}


def test_help_imports_nothing_that_takes_long():
    assert imported_by("--help") & HEAVY == set()


def test_a_question_imports_neither_gateway_nor_api():
    assert imported_by("where", "--help") & {"fastapi", "paho", "iotcore", "uvicorn"} == set()


def test_help_tells_every_command_by_its_panel(run):
    _, shown, _ = run("--help")
    for name, entry in retour.INDEX.items():
        assert f"{name} " in shown
        assert entry.words in shown
        assert entry.panel in shown


@pytest.mark.parametrize("name", retour.INDEX)
def test_every_command_in_the_list_is_there(run, name):
    status, shown, _ = run(name, "--help")
    assert status == 0
    assert f"retour {name}" in shown


def test_a_command_that_there_is_not_may_be_meant_otherwise(run):
    status, _, complaints = run("wher")
    assert status == 2
    assert "where" in complaints
