"""compose.yaml: what it names exists, and what it starts runs here as far as it can."""

import os
import pwd
import re
import shutil
import subprocess

import psycopg
import pytest
import yaml

from gateway.mosquitto import Mosquitto, free_port, mosquitto_binary
from tests.deploy.conftest import ROOT, assert_are_settings, assert_is_a_command
from tests.system.conftest import FieldDevice, running_world

TEXT = (ROOT / "compose.yaml").read_text()
COMPOSE = yaml.safe_load(TEXT)
SERVICES = COMPOSE["services"]
OURS = [name for name, service in SERVICES.items() if service.get("image") == "retour"]


@pytest.fixture
def made(tmp_path):
    """A folder where `deploy/make-env` has been run."""
    subprocess.run([ROOT / "deploy/make-env"], cwd=tmp_path, check=True, timeout=60)
    return tmp_path


def secrets_of(folder):
    lines = (folder / ".env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines)


def test_every_role_is_there():
    assert set(OURS) == {"migrate", "gateway", "worker", "api", "admin"}


@pytest.mark.parametrize("name", OURS)
def test_what_it_runs_and_sets_exists(name):
    assert_is_a_command(SERVICES[name]["command"])
    assert_are_settings(SERVICES[name]["environment"])


@pytest.mark.parametrize("name", SERVICES)
def test_what_it_mounts_exists(name):
    for volume in SERVICES[name].get("volumes", ()):
        source = volume.partition(":")[0]
        if source.startswith("."):
            assert (ROOT / source).exists(), source
        else:
            assert source in COMPOSE["volumes"], source


@pytest.mark.parametrize("name", SERVICES)
def test_what_runs_on_is_watched_and_started_again(name):
    service = SERVICES[name]
    if name in ("migrate", "passwords", "admin"):
        assert service.get("restart", "no") == "no"
        return
    assert service["restart"] == "unless-stopped"
    assert "healthcheck" in service or name in ("api", "prometheus", "grafana")


@pytest.mark.parametrize("name", SERVICES)
def test_ports_are_opened_on_this_machine_only(name):
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name].get("ports", ()))


def test_there_are_no_default_passwords(made):
    """Each comes from .env, which the script makes; nothing starts without."""
    used = set(re.findall(r"(?<!\$)\$\{(\w+)", TEXT))
    required = set(re.findall(r"(?<!\$)\$\{(\w+):?\?", TEXT))
    secrets = secrets_of(made)
    assert used == required == set(secrets)
    assert ":-" not in TEXT
    random = [value for name, value in secrets.items() if name != "INFLUX_TOKEN"]
    assert min(map(len, random)) == 48
    assert len(set(random)) == len(random)
    assert (made / ".env").stat().st_mode & 0o777 == 0o600


def test_an_env_that_is_there_stays(made):
    before = (made / ".env").read_text()
    again = subprocess.run([ROOT / "deploy/make-env"], cwd=made, capture_output=True, timeout=60)
    assert again.returncode == 1
    assert (made / ".env").read_text() == before


def test_compose_itself_understands_it(require, made):
    require(shutil.which("docker-compose"), "docker-compose (Debian: apt install docker-compose)")
    config = ["docker-compose", "-f", ROOT / "compose.yaml", "--env-file", made / ".env", "config"]
    good = subprocess.run(config, capture_output=True, text=True, timeout=60)
    assert good.returncode == 0, good.stderr
    assert set(yaml.safe_load(good.stdout)["services"]) == set(SERVICES)
    bare = subprocess.run([*config[:3], "config"], capture_output=True, text=True, timeout=60)
    assert bare.returncode != 0
    assert "run deploy/make-env first" in bare.stderr


def script_of(service, folder, port):
    """The script that a service runs, with its paths and port as they are in this test."""
    (script,) = SERVICES[service]["command"]
    for there, here in (
        ("$$", "$"),
        ("/etc/mosquitto", f"{folder}"),
        ("/mosquitto/data/", f"{folder}/data/"),
        ("/tmp/mosquitto.conf", f"{folder}/mosquitto.conf"),
        ("/listener 1883/", f"/listener {port} 127.0.0.1/"),
        ("exec mosquitto -c", f"sed -i 's,/etc/mosquitto,{folder},' {folder}/mosquitto.conf; true"),
    ):
        script = script.replace(there, here)
    return script


def test_the_broker_of_compose_lets_the_gateway_in(require, tmp_path, made):
    """Its two scripts, run by hand, with the shipped configuration."""
    require(mosquitto_binary(), "mosquitto (Debian: apt install mosquitto)")
    if os.geteuid():
        pytest.skip("only root may hand the password file to Mosquitto's user")
    assert pwd.getpwnam("mosquitto")
    for name in ("retour.conf", "retour.acl"):
        shutil.copy(ROOT / "deploy/mosquitto" / name, tmp_path)
    (tmp_path / "passwords").mkdir()
    password, port = secrets_of(made)["MQTT_PASSWORD"], free_port()
    for service in ("passwords", "mosquitto"):
        script, env = script_of(service, tmp_path, port), os.environ | {"MQTT_PASSWORD": password}
        subprocess.run(["sh", "-ceu", script], check=True, env=env, cwd=tmp_path, timeout=60)
    passwords = tmp_path / "passwords" / "retour.passwd"
    assert passwords.stat().st_mode & 0o777 == 0o600
    assert passwords.owner() == "mosquitto"
    lines = (tmp_path / "mosquitto.conf").read_text().splitlines()
    assert lines[-1] == f"persistence_location {tmp_path}/data/"
    kept = [one for one in lines[:-1] if one and not one.startswith(("#", "listener"))]
    with (
        Mosquitto(tmp_path, kept, port, plain=True) as broker,
        running_world(tmp_path, broker, "5") as world,
    ):
        world.url = f"mqtt://retour-gateway:{password}@127.0.0.1:{port}"
        at = free_port()
        world.ready_gateway(metrics_port=at)
        made = world.command("device", "create", "trk-1", mqtt_passwords=passwords)
        broker.reload()
        device = FieldDevice(world, "trk-1", password=made["password"])
        world.devices.append(device)
        device.publish(3)
        device.wait_for_receipts()
        assert passwords.owner() == "mosquitto"
        _, python, *words = SERVICES["gateway"]["healthcheck"]["test"]
        words = [word.replace("9100", str(at)) for word in words]
        subprocess.run([shutil.which(python), *words], check=True, timeout=60)


def test_grafana_may_look_and_nothing_else(new_postgresql):
    url = new_postgresql()
    parts = psycopg.conninfo.conninfo_to_dict(url)
    env = os.environ | {
        "PGHOST": parts["host"],
        "PGPORT": str(parts["port"]),
        "POSTGRES_USER": parts["user"],
        "POSTGRES_DB": parts["dbname"],
        "GRAFANA_DB_PASSWORD": "it's",
    }
    subprocess.run([ROOT / "deploy/postgresql/grafana.sh"], check=True, env=env, timeout=60)
    as_grafana = psycopg.conninfo.make_conninfo(url, user="grafana", password="it's")
    with psycopg.connect(as_grafana, autocommit=True) as db:
        assert db.execute("SELECT count(*) FROM log").fetchone() == (0,)
        for statement in (
            "SET default_transaction_read_only = off; DELETE FROM log",
            "DELETE FROM log",
        ):
            with pytest.raises(psycopg.Error, match=r"denied|read-only"):
                db.execute(statement)


def test_prometheus_asks_where_somebody_answers():
    config = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())
    for job in config["scrape_configs"]:
        host, port = job["static_configs"][0]["targets"][0].split(":")
        environment = SERVICES[host]["environment"]
        assert environment.get("RETOUR_METRICS_PORT", "8000") == port
        assert "0.0.0.0" in (
            environment.get("RETOUR_METRICS_HOST"),
            environment.get("RETOUR_API_HOST"),
        )
