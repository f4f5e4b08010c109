"""Webhooks on real sockets: signed, bounded, and only to where they may go."""

import shutil
import socket
import ssl
import subprocess
import threading
import time
from contextlib import closing, contextmanager

import pytest

from gateway.addresses import Guard, networks
from gateway.webhooks import READ_AT_MOST, Webhooks, parsed
from tests.receivers import BODY, SECRET, Receiver
from tracker.delivery_ports import ChannelRefused
from tracker.notices import trial

LOCAL = networks("127.0.0.0/8, ::1")
METADATA = "169.254.169.254"
HIDDEN = [  # each leads to this machine, to its network, or to nobody
    "127.0.0.1",
    "127.9.9.9",
    "0.0.0.0",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    METADATA,
    "224.0.1.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
    "fe80::1",
    "fe80::1%eth0",
    "fc00::1",
    "ff02::1",
]


def now():
    return time.time_ns() // 1_000_000


def send(url, guard=None, secret=SECRET, **more):
    with closing(Webhooks(guard or Guard(LOCAL), **more)) as webhooks:
        return webhooks.send(url, secret, trial("ops", now()), now())


def named(*addresses):
    """A resolver by which every name has these addresses."""
    return lambda host, port: list(addresses)


class TestGuard:
    @pytest.mark.parametrize("address", HIDDEN)
    def test_what_is_not_public_is_refused(self, address):
        with pytest.raises(ChannelRefused, match="is not a public address"):
            Guard().judge(address)

    @pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1::1", "::ffff:8.8.8.8"])
    def test_what_is_public_is_not(self, address):
        Guard().judge(address)

    def test_what_is_allowed_is_not_either_however_it_is_written(self):
        guard = Guard(networks("10.1.0.0/16"))
        for address in ("10.1.2.3", "::ffff:10.1.2.3", "64:ff9b::a01:203"):
            guard.judge(address)
        with pytest.raises(ChannelRefused):
            guard.judge("10.2.0.1")

    def test_one_address_among_many_that_is_not_public_is_enough(self):
        guard = Guard(resolve=named("93.184.216.34", "127.0.0.1"))
        with pytest.raises(ChannelRefused, match=r"127\.0\.0\.1 is not a public address"):
            guard.addresses("example.com", 443)

    @pytest.mark.parametrize("host", ["127.1", "0x7f000001", "2130706433", "localhost", "0"])
    def test_other_ways_to_write_this_machine(self, host):
        with pytest.raises(ChannelRefused, match=r"is not a public address|has no address"):
            Guard().addresses(host, 80)

    def test_a_name_without_an_address(self):
        with pytest.raises(ChannelRefused, match="the host 'x' has no address"):
            Guard(resolve=named()).addresses("x", 80)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("https://", "no URL"),
        ("http:///x", "no URL"),
        ("ftp://example.com", "no URL"),
        ("https://[::1", "no URL"),
        ("https://x:99999/", "no URL"),
        ("https://example.com/" + "x" * 2_048, "no URL"),
        ("https://me:pw@example.com/", "no user and no password"),
    ],
)
def test_a_url_that_makes_no_sense_is_refused(url, why):
    with pytest.raises(ChannelRefused, match=why) as refused:
        parsed(url)
    assert "pw" not in str(refused.value)


class TestSending:
    def test_a_message_is_signed_and_has_its_id(self):
        with Receiver() as receiver:
            outcome = send(receiver.url)
        (got,) = receiver.got
        assert outcome == (True, "HTTP 204")
        assert (got.id.startswith("ops-test-"), got.path) == (True, "/hook")
        assert got.body["data"]["title"] == "A test"

    def test_another_secret_is_another_signature(self):
        with Receiver() as receiver:
            outcome = send(receiver.url, secret="whsec_" + "A" * 32)
        assert not outcome.ok
        assert (receiver.got, receiver.broken) == ([], 1)

    def test_connections_are_used_again(self):
        ports = set()

        def answer(handler):
            ports.add(handler.client_address[1])
            Receiver.answer(receiver, handler)

        with (
            Receiver(answer=answer, status=200) as receiver,
            closing(Webhooks(Guard(LOCAL))) as ways,
        ):
            sent = [ways.send(receiver.url, SECRET, trial("ops", n), now()) for n in range(5)]
            assert [one.ok for one in sent] == [True] * 5
        assert len(ports) == 1

    @pytest.mark.parametrize("status", [400, 401, 404, 410, 429, 500, 503])
    def test_a_refusal_is_told_by_its_number_alone(self, status):
        with Receiver(status=status) as receiver:
            outcome = send(receiver.url)
        assert outcome == (False, f"HTTP {status}")

    def test_nobody_listens(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            outcome = send(f"http://127.0.0.1:{taken.getsockname()[1]}/")
        assert (outcome.ok, "refused" in outcome.told) == (False, True)

    @pytest.mark.parametrize("answer", [b"", b"\x00\xffs3cret\r\n\r\n", b"SSH-2.0-s3cret\r\n"])
    def test_what_is_no_http_is_not_shown(self, answer):
        with talking(lambda conn: conn.sendall(answer)) as port:
            outcome = send(f"http://127.0.0.1:{port}/")
        assert (outcome.ok, "s3cret" in outcome.told) == (False, False)


class TestFault27:
    """A webhook to where it must not go is refused, and nothing of the answer is shown."""

    @pytest.mark.parametrize("host", ["127.0.0.1", "[::ffff:127.0.0.1]", "localhost"])
    def test_27_this_machine(self, host):
        with Receiver() as receiver:
            outcome = send(f"http://{host}:{receiver.port}/hook", Guard())
            with pytest.raises(ChannelRefused, match="is not a public address"):
                Webhooks(Guard()).check(f"http://{host}:{receiver.port}/hook")
        assert (outcome.ok, "is not a public address" in outcome.told) == (False, True)
        assert receiver.got == []

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_27_a_redirect_is_not_followed(self, status):
        with Receiver(status=204) as hidden:
            headers = [("Location", f"http://127.0.0.1:{hidden.port}/latest/meta-data")]
            with Receiver(status=status, headers=headers) as receiver:
                outcome = send(receiver.url)
        assert outcome == (False, f"HTTP {status}: redirects are not followed")
        assert (len(receiver.got), hidden.got) == (1, [])

    def test_27_a_name_that_leads_elsewhere_when_it_is_looked_up_again(self):
        """It is public when it is registered, and this machine when something is sent."""
        answers = iter([["93.184.216.34"], ["127.0.0.1"], ["93.184.216.34"]])
        guard = Guard(resolve=lambda host, port: next(answers))
        webhooks = Webhooks(guard)
        with Receiver() as receiver:
            url = f"http://rebinding.example:{receiver.port}/hook"
            webhooks.check(url)
            outcome = webhooks.send(url, SECRET, trial("ops", 0), now())
        assert outcome == (False, "127.0.0.1 is not a public address; see RETOUR_WEBHOOKS_ALLOW")
        assert receiver.got == []
        assert list(answers) == [["93.184.216.34"]]  # it was looked up once for the connection

    def test_27_the_address_that_was_judged_is_the_one_that_is_used(self):
        """And the receiver is told the name that was meant."""
        asked = []

        def resolve(host, port):
            asked.append(host)
            return ["127.0.0.1"]

        with Receiver() as receiver:
            url = f"http://name.example:{receiver.port}/hook"
            outcome = send(url, Guard(LOCAL, resolve))
        assert (outcome.ok, asked) == (True, ["name.example"])
        assert receiver.got[0].host == f"name.example:{receiver.port}"

    def test_27_the_body_is_never_shown(self):
        with Receiver(status=500) as receiver:
            outcome = send(receiver.url)
        assert BODY.decode() not in str(outcome)


class TestBounds:
    def test_an_answer_without_an_end_is_given_up(self):
        taken = []

        def drip(conn):
            conn.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            try:
                while len(taken) < 10_000:
                    conn.sendall(b"1000\r\n" + b"x" * 4096 + b"\r\n")
                    taken.append(4096)
            except OSError:
                pass

        with talking(drip) as port:
            outcome = send(f"http://127.0.0.1:{port}/")
        assert outcome == (True, "HTTP 200")
        assert READ_AT_MOST <= sum(taken) < 10_000 * 4096

    @pytest.mark.parametrize("first", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\n\r\n"])
    def test_who_sends_a_byte_now_and_then_has_no_more_time_than_others(self, first):
        ended = threading.Event()

        def drip(conn):
            try:
                conn.sendall(first)
                while not ended.wait(0.1):
                    conn.sendall(b"x")
            except OSError:
                pass

        with talking(drip) as port:
            outcome = send(f"http://127.0.0.1:{port}/", within_s=1.0)
            ended.set()
        assert outcome == (False, "no answer within 1 s")


@contextmanager
def talking(answer, host="127.0.0.1"):
    """A server that reads a request and answers as it likes; its port."""

    def serve():
        conn, _ = listener.accept()
        with conn:
            conn.settimeout(10)
            conn.recv(65_536)
            answer(conn)

    with socket.create_server((host, 0)) as listener:
        listener.settimeout(10)
        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(10)
        assert not thread.is_alive()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory, require):
    """That of name.example, and its key."""
    require(shutil.which("openssl"), "openssl (Debian: apt install openssl)")
    folder = tmp_path_factory.mktemp("tls")
    key, chain = folder / "key.pem", folder / "cert.pem"
    command = (
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=name.example "
        f"-addext subjectAltName=DNS:name.example -keyout {key} -out {chain}"
    )
    subprocess.run(command.split(), check=True, capture_output=True, timeout=60)
    return chain, key


@pytest.mark.parametrize(
    ("host", "told"), [("name.example", "HTTP 204"), ("other.example", "not valid for")]
)
def test_the_certificate_must_be_that_of_the_name(certificate, host, told):
    chain, key = certificate
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    trust = ssl.create_default_context(cafile=str(chain))
    with Receiver().secure(context) as receiver:
        url = f"https://{host}:{receiver.port}/hook"
        outcome = send(url, Guard(LOCAL, named("127.0.0.1")), trust=trust)
    assert told in outcome.told
    assert len(receiver.got) == outcome.ok
