"""`retour gateway` with a fault built in, named by FAULT.

`before_commit`, `before_ack`, `before_receipt`: it kills itself with -9 at that point of its
first batch. `bad_handler`: decoding fails for every message with the word "poison".
`frozen_before_commit`: it stops itself there once, with all that it has locked.
`short_keepalive`: the broker gives it up after six seconds of silence.
"""

import os
import signal
import sys

import retour
from gateway import ingest, session
from gateway.decoders import DECODERS
from gateway.session import Session
from tracker.record import record
from tracker.stores import postgresql


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def dies_before_commit(tx, *batch):
    """Everything is written, nothing committed."""
    record(tx, *batch)
    die()


def freezes_before_commit(tx, *batch):
    """As `dies_before_commit`, but it may be woken."""
    done = record(tx, *batch)
    os.kill(os.getpid(), signal.SIGSTOP)
    ingest.record = record
    return done


def dies_instead_of_acknowledging(_session, _deliveries):
    die()


def dies_instead_of_receipting(session, _topic, _payload):
    session.flush()  # the acknowledgements leave
    die()


def poisoned(decode):
    def decoder(topic, payload, received):
        if b"poison" in payload:
            raise RuntimeError("the handler fails")
        return decode(topic, payload, received)

    return decoder


def main(fault):
    match fault:
        case "before_commit":
            ingest.record = dies_before_commit
        case "frozen_before_commit":
            postgresql.IDLE_AT_MOST = "2s"
            ingest.record = freezes_before_commit
        case "before_ack":
            Session.acknowledge = dies_instead_of_acknowledging
        case "before_receipt":
            Session.publish = dies_instead_of_receipting
        case "bad_handler":
            DECODERS.update({topic: poisoned(decode) for topic, decode in DECODERS.items()})
        case "short_keepalive":
            session.KEEPALIVE_S = 4
    sys.argv = ["retour", "gateway", *sys.argv[1:]]
    retour.main()


if __name__ == "__main__":
    main(os.environ["FAULT"])
