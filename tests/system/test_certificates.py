"""The TLS listener that `deploy/mosquitto/retour.conf` holds ready, with certificates for all."""

import re
import shutil
import ssl
import subprocess

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from gateway.mosquitto import Mosquitto, free_port
from tests.system.conftest import FieldDevice, wait_for
from tests.system.test_shipped_broker import SHIPPED

HELD_READY = (
    r"^#(listener 8883|cafile|certfile|keyfile|tls_version|require_cert|use_identity_as_username)"
)


@pytest.fixture(scope="module")
def certificates(require, tmp_path_factory):
    """An authority, and certificates of it by common name; as docs/broker.md makes them."""
    require(shutil.which("openssl"), "openssl (Debian: apt install openssl)")
    folder = tmp_path_factory.mktemp("certs")

    def openssl(*words):
        command = ["openssl", *map(str, words)]
        subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=60)

    def issue(name, san=""):
        key = ["-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key"]
        openssl("req", *key, "-subj", f"/CN={name}", "-out", f"{name}.csr")
        (folder / "ext").write_text(san)
        sign = ["-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2"]
        openssl(
            "x509", "-req", "-in", f"{name}.csr", *sign, "-extfile", "ext", "-out", f"{name}.crt"
        )

    ca = ["-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=our fleet"]
    openssl("req", *ca, "-keyout", "ca.key", "-out", "ca.crt")
    issue("server", "subjectAltName=IP:127.0.0.1")
    issue("elsewhere", "subjectAltName=DNS:elsewhere.example")
    for name in ("retour-gateway", "trk-1", "trk-2"):
        issue(name)
    return folder


@pytest.fixture
def start(mosquitto_installed, tmp_path, certificates, world_at):
    """Start the shipped broker with its TLS listener opened; gives the world around it."""
    brokers = []

    def with_server(name="server"):
        port = free_port()
        text = re.sub(HELD_READY, r"\1", (SHIPPED / "retour.conf").read_text(), flags=re.M)
        text = text.replace("listener 8883", f"listener {port} 127.0.0.1")
        text = text.replace("/etc/mosquitto/certs/server", f"{certificates}/{name}")
        text = text.replace("/etc/mosquitto/certs", str(certificates))
        text = text.replace("/etc/mosquitto", str(tmp_path))
        kept = [
            one for one in text.splitlines() if one and not one.startswith(("#", "listener 1883"))
        ]
        shutil.copy(SHIPPED / "retour.acl", tmp_path)
        (tmp_path / "retour.passwd").touch(0o600)
        brokers.append(Mosquitto(tmp_path, kept, plain=True).start())
        world = world_at(brokers[-1], "5")
        world.port, world.url = port, f"mqtts://127.0.0.1:{port}"
        return world

    yield with_server
    for broker in brokers:
        broker.stop()


@pytest.fixture
def own(certificates):
    """The settings by which a gateway shows its certificate."""
    at = certificates / "retour-gateway"
    return {"mqtt_ca": certificates / "ca.crt", "mqtt_cert": f"{at}.crt", "mqtt_key": f"{at}.key"}


def tls_of(certificates, name=None):
    tls = ssl.create_default_context(cafile=certificates / "ca.crt")
    if name:
        tls.load_cert_chain(certificates / f"{name}.crt", certificates / f"{name}.key")
    return tls


def test_23_a_certificate_names_its_device(start, certificates, own):
    world = start()
    world.ready_gateway(**own)
    for name in ("trk-1", "trk-2"):
        world.register(name)
        world.devices.append(FieldDevice(world, name, tls=tls_of(certificates, name)))
    one, other = world.devices
    for device in (other, one):
        device.publish(9)
        device.wait_for_receipts()
    # The broker may answer this as if it had taken it, or end the connection.
    other.client.publish("retour/v1/trk-1/events", b'{"boot":"b","seq":0,"events":[]}', qos=1)
    one.publish(2)
    one.wait_for_receipts()
    assert world.count("log") == 20
    assert world.count("dead_letters") == 0
    world.assert_promise_kept()


def test_without_a_certificate_nobody_comes_in(start, certificates):
    world = start()
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="trk-1")
    client.tls_set_context(tls_of(certificates))
    answers, ends = [], []
    client.on_connect = lambda *_: answers.append("connected")
    client.on_disconnect = lambda *_: ends.append("disconnected")
    client.on_connect_fail = lambda *_: ends.append("failed")
    client.connect_async("127.0.0.1", world.port)
    client.loop_start()
    try:
        wait_for(lambda: ends, "the broker ends the connection")
    finally:
        client.disconnect()
        client.loop_stop()
    assert answers == []


def test_a_gateway_without_a_certificate_is_told_what_to_set(start, own):
    process = start().gateway(mqtt_ca=own["mqtt_ca"])
    process.wait_until_dead(1)
    assert "asks for a certificate; set RETOUR_MQTT_CERT" in process.last_line()


def test_a_server_of_another_name_is_refused_in_one_line(start, own):
    process = start("elsewhere").gateway(**own)
    process.wait_until_dead(1)
    assert "not trusted" in process.last_line()
    assert "127.0.0.1" in process.last_line()


def test_a_key_of_another_certificate_is_told_in_one_line(start, certificates, own):
    process = start().gateway(**own | {"mqtt_key": certificates / "trk-1.key"})
    process.wait_until_dead(1)
    assert process.last_line().startswith("retour: cannot use the certificate")
