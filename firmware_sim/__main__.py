"""`python -m firmware_sim`: one simulated device that really publishes."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
import time

from firmware_sim.broker import Broker
from firmware_sim.clock import Clock
from firmware_sim.device import BUFFER, Device, World
from firmware_sim.fleet import Fleet
from firmware_sim.geometry import Point
from firmware_sim.reader import Reader, Visit
from firmware_sim.tracker import Tracker, round_trip

ROUTE = "51.92,4.48;51.95,4.40"
EXAMPLES = """examples:
  python -m firmware_sim tracker --device trk-1 --url mqtt://127.0.0.1:1883 \\
      --route "51.92,4.48;51.95,4.40" --rest 300 --rest-interval 60 --moving-interval 10
  python -m firmware_sim reader --device rdr-1 --url mqtts://mqtt.example.org \\
      --user rdr-1 --password ... --tags 3374257BF40C0E400000162E,3474257BF40000000000162E

RETOUR_CLOCK=ANCHOR:RATE (epoch ms, domain seconds per real second) makes its time run faster.
"""
REST_S = 70.0  # a stay takes a minute to be known as one, and who watches wants to see it end
PROGRESS_EVERY_S = 1.0

log = logging.getLogger("firmware_sim")


def main(arguments: list[str] | None = None) -> int:
    """Runs one device until it is interrupted, terminated or its duration is over."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        clock = Clock.from_environment(os.environ)
        broker = Broker.parse(
            options.url, user=options.user, password=options.password, ca=options.ca
        )
        world = options.world(options, clock.now_ms())
        device = Device(options.device, broker, clock, world, capacity=options.buffer)
    except (OSError, ValueError) as error:
        parser.exit(2, f"{parser.prog}: error: {error}\n")
    logging.basicConfig(
        stream=sys.stdout, level=logging.INFO, format="%(asctime)s %(message)s", force=True
    )
    _run(device, options.duration)
    return 0


def _run(device: Device, duration_s: float | None) -> None:
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    end = float("inf") if duration_s is None else time.monotonic() + duration_s
    progress = None
    with Fleet([device]):
        while not stopping.is_set() and (left := end - time.monotonic()) > 0:
            stopping.wait(min(PROGRESS_EVERY_S, left))
            receipted = sum(high - low + 1 for low, high in device.receipted())
            if (receipted, device.pending()) != progress:
                progress = receipted, device.pending()
                log.info("%s: %d messages receipted, %d pending", device.device_id, *progress)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m firmware_sim",
        description="A simulated device that publishes over MQTT and keeps what has no receipt.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    kinds = parser.add_subparsers(required=True, metavar="tracker | reader")
    tracker = _device_parser(kinds, "tracker", "a GPS tracker on a round trip")
    tracker.set_defaults(world=_tracker)
    tracker.add_argument("--route", type=_route, default=ROUTE, help="LAT,LON;LAT,LON;...")
    for option, default, what in (
        ("--rest", REST_S, "seconds at each place, before it drives on"),
        ("--rest-interval", 60.0, "seconds between its reports at rest"),
        ("--moving-interval", 10.0, "seconds between its reports on the way"),
    ):
        help = f"{what} ({default:g})"
        tracker.add_argument(option, type=_seconds, default=default, metavar="S", help=help)
    reader = _device_parser(kinds, "reader", "an RFID reader with tags in its field")
    reader.set_defaults(world=_reader)
    reader.add_argument("--tags", type=_tags, required=True, help="EPC,EPC,... (hexadecimal)")
    reader.add_argument(
        "--cycle", type=_seconds, default=30.0, metavar="S", help="seconds of an inventory (30)"
    )
    return parser


def _device_parser(
    kinds: argparse._SubParsersAction[argparse.ArgumentParser], name: str, help: str
) -> argparse.ArgumentParser:
    parser = kinds.add_parser(
        name, help=help, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", required=True, metavar="ID")
    parser.add_argument("--url", required=True, help="mqtt://HOST[:PORT] or mqtts://HOST[:PORT]")
    parser.add_argument("--user")
    parser.add_argument("--password")
    parser.add_argument("--ca", metavar="FILE", help="PEM file with the broker's authority")
    parser.add_argument("--buffer", type=int, default=BUFFER, metavar="MESSAGES")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--duration", type=_seconds, metavar="S", help="real seconds; then it stops"
    )
    return parser


def _tracker(options: argparse.Namespace, start_ms: int) -> World:
    return Tracker(
        round_trip(options.route, start_ms, rest_s=options.rest),
        rest_interval_s=options.rest_interval,
        moving_interval_s=options.moving_interval,
        seed=options.seed,
    )


def _reader(options: argparse.Namespace, start_ms: int) -> World:
    return Reader(
        [Visit(epc) for epc in options.tags],
        start_ms=start_ms,
        cycle_s=options.cycle,
        seed=options.seed,
    )


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"write a number of seconds above 0, not {text!r}")
    return seconds


def _route(text: str) -> list[Point]:
    try:
        return [Point(*map(float, place.split(","))) for place in text.split(";")]
    except (TypeError, ValueError):
        raise argparse.ArgumentTypeError(f"write LAT,LON;LAT,LON, not {text!r}") from None


def _tags(text: str) -> list[str]:
    return [epc.strip().upper() for epc in text.split(",")]


if __name__ == "__main__":
    sys.exit(main())
