"""Mail and other services, by Apprise, on real sockets."""

import socket
from contextlib import closing

import pytest

from gateway.addresses import Guard, networks
from gateway.channels import Ways
from gateway.services import ID_HEADER, Services
from tests.gateway.test_webhooks import talking
from tests.receivers import BODY, mail_sink
from tracker.clocks import SystemClock
from tracker.delivery_ports import ChannelRefused
from tracker.notices import trial
from tracker.recipients import Recipient

LOCAL = networks("127.0.0.0/8, ::1")
MESSAGE = trial("ops", 7)


def mailto(port, host="127.0.0.1"):
    return f"mailto://{host}:{port}?from=retour@x.example&to=ops@x.example&mode=insecure"


def send(url, guard):
    with closing(Ways(guard, SystemClock())) as ways:
        return ways.send(Recipient(id="ops", url=url), MESSAGE)


def test_a_mail_carries_the_id_of_its_delivery():
    with mail_sink() as (port, mails):
        assert send(mailto(port), Guard(LOCAL)) == (True, "sent")
    (mail,) = mails
    assert f"{ID_HEADER}: ops-test-7".encode() in mail
    assert b"Subject: A test" in mail


def test_a_mail_server_on_this_machine_is_refused():
    with mail_sink() as (port, mails):
        outcome = send(mailto(port), Guard())
    assert outcome == (False, "127.0.0.1 is not a public address; see RETOUR_WEBHOOKS_ALLOW")
    assert mails == []


@pytest.mark.parametrize("scheme", ["json", "xml", "form", "ntfy", "gotify"])
def test_27_a_service_on_this_machine_is_refused_by_whatever_name(scheme):
    """The guard stands where the connection is made: a name and a redirect change nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        outcome = send(f"{scheme}://localhost:{port}/token-12345678901234567890", Guard())
        listener.settimeout(0.1)
        with pytest.raises(TimeoutError):
            listener.accept()
    assert not outcome.ok
    assert "is not a public address" in outcome.told


def test_27_a_redirect_of_a_service_is_refused():
    allowed = Guard(networks("127.0.0.2/32"))
    with socket.create_server(("127.0.0.1", 0)) as hidden:
        to = f"http://127.0.0.1:{hidden.getsockname()[1]}/latest/meta-data"
        answer = f"HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n".encode()
        with talking(lambda conn: conn.sendall(answer), "127.0.0.2") as port:
            outcome = send(f"json://127.0.0.2:{port}/", allowed)
        hidden.settimeout(0.1)
        with pytest.raises(TimeoutError):
            hidden.accept()
    assert outcome == (False, "127.0.0.1 is not a public address; see RETOUR_WEBHOOKS_ALLOW")


def test_what_a_service_answers_is_not_shown():
    answer = b"HTTP/1.1 500 No\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY)
    with talking(lambda conn: conn.sendall(answer)) as port:
        outcome = send(f"json://127.0.0.1:{port}/", Guard(LOCAL))
    assert outcome == (False, "the service did not take it")


@pytest.mark.parametrize("url", ["", "nothing", "nosuch://x", "mailto://", "slack://", "://"])
def test_a_url_that_apprise_cannot_read_is_refused(url):
    with pytest.raises(ChannelRefused, match="Apprise cannot read this URL"):
        Services(Guard()).check(url)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "10.0.0.1", "169.254.169.254"])
def test_a_url_that_names_an_address_within_is_refused(host):
    for url in (f"json://{host}/", f"mailto://me:pw@x.example?smtp={host}&to=a@x.example"):
        with pytest.raises(ChannelRefused, match="is not a public address"):
            Services(Guard()).check(url)


def test_secrets_in_the_place_of_a_host_are_not_looked_up():
    def resolve(host, port):
        raise AssertionError(host)

    Services(Guard(resolve=resolve)).check("tgram://123456789:abcdefg_hijklmnop/12315544/")
