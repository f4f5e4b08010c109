"""What the files of a deployment are read with."""

import re
from pathlib import Path

import pytest
import typer

import retour
from commands.settings import Settings

ROOT = Path(retour.__file__).parent
SETTINGS = {f"RETOUR_{name.upper()}" for name in Settings.model_fields} | {"RETOUR_CONFIG"}


def assert_is_a_command(words):
    """Those words, without options, name a command of `retour`."""
    command = typer.main.get_command(retour.app)
    for word in words:
        if word.startswith("-"):
            break
        assert word in command.commands, words
        command = command.commands[word]
    assert not hasattr(command, "commands") or words == ["--help"], words


def assert_are_settings(names):
    assert {name for name in names if name.startswith("RETOUR_")} <= SETTINGS


def env_file(path):
    """The settings of a file, also those that are commented out."""
    return dict(re.findall(r"^#?([A-Z_]+)=(.*)$", path.read_text(), re.M))


@pytest.fixture
def root():
    return ROOT
