"""`retour worker` with a fault built in, named by FAULT.

`before_note`: it kills itself with -9 when it has sent something and is about to note that. What
it claims is due again after two seconds.
"""

import os
import signal
import sys

import retour
from gateway import delivering
from gateway.delivering import Delivering


def dies_instead_of_noting(job):
    if any(sent.tried for sent in job._unnoted):
        os.kill(os.getpid(), signal.SIGKILL)


def main(fault):
    delivering.CLAIMED_FOR_MS = 2_000
    if fault == "before_note":
        Delivering._note = dies_instead_of_noting
    sys.argv = ["retour", "worker"]
    retour.main()


if __name__ == "__main__":
    main(os.environ["FAULT"])
