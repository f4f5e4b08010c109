"""What every test may need: servers, or a clear word that they are missing."""

import os

import pytest

from gateway.mosquitto import mosquitto_binary


def require(present: object, what: str) -> None:
    """Skip where a server is missing; fail where the run must have it."""
    if present:
        return
    if os.environ.get("RETOUR_REQUIRE_SERVERS") == "1":
        pytest.fail(f"{what} is missing, and RETOUR_REQUIRE_SERVERS is set")
    pytest.skip(f"{what} is not installed")


@pytest.fixture
def mosquitto_installed():
    require(mosquitto_binary(), "mosquitto (Debian: apt install mosquitto)")
