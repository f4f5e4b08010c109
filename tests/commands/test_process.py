"""What the process of a command needs, besides its work."""

import json
import os
import sys

import pytest
import structlog

from commands.process import configure_log


@pytest.fixture(autouse=True)
def _log_as_before():
    before = structlog.get_config()
    yield
    structlog.configure(**before)


def test_lines_go_to_whatever_stderr_is_now(capsys):
    configure_log("info")
    structlog.get_logger().info("connected", broker="b")
    line = json.loads(capsys.readouterr().err)
    assert (line["event"], line["broker"], line["level"]) == ("connected", "b", "info")


def test_a_log_that_nobody_can_read_any_more_ends_nothing(monkeypatch):
    configure_log("info")
    with open(os.devnull, "w") as closed:
        pass
    reader, writer = os.pipe()
    os.close(reader)
    for stream in (closed, os.fdopen(writer, "w")):
        monkeypatch.setattr(sys, "stderr", stream)
        structlog.get_logger().warning("messages shed")
    assert stream.closed is False
    with pytest.raises(BrokenPipeError):
        stream.close()
