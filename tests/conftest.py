"""What every test may need: servers, or a clear word that they are missing."""

import os

import pytest

from gateway.mosquitto import mosquitto_binary


@pytest.fixture
def require():
    """Call it with what is found and what it is: where it is missing the test is skipped, but
    fails in a run that must have everything."""

    def check(found, what):
        if found:
            return
        if os.environ.get("RETOUR_REQUIRE_SERVERS") == "1":
            pytest.fail(f"{what} is missing, and RETOUR_REQUIRE_SERVERS is set")
        pytest.skip(f"{what} is not installed")

    return check


@pytest.fixture
def mosquitto_installed(require):
    require(mosquitto_binary(), "mosquitto (Debian: apt install mosquitto)")
