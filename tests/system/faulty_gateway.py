"""`retour gateway` with a fault built in, named by FAULT.

`before_commit`, `before_ack`, `before_receipt`: it kills itself with -9 at that point of its
first batch. `bad_handler`: decoding fails for every message with the word "poison".
`short_keepalive`: the broker gives it up after six seconds of silence.
"""

import os
import signal
import sys
from contextlib import contextmanager

import retour
from commands import settings
from gateway import session
from gateway.decoders import DECODERS
from gateway.session import Session
from tracker.stores.sqlite import SqliteStore


def die():
    os.kill(os.getpid(), signal.SIGKILL)


class DiesBeforeCommit(SqliteStore):
    """Everything is written, nothing committed."""

    @contextmanager
    def writing(self):
        with super().writing() as tx:
            append, appended = tx.append, []

            def spy(rows, recorded):
                appended.extend(rows)
                return append(rows, recorded)

            tx.append = spy
            yield tx
            if appended:
                die()


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
            settings.SqliteStore = DiesBeforeCommit
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
