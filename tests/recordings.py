"""Where the real recordings are: in the folder that RETOUR_DATA names, else in `shared/data` beside
the project."""

import os
from pathlib import Path

import pytest

DATA = Path(os.environ.get("RETOUR_DATA") or Path(__file__).parents[2] / "shared/data")


def recording_in(folder):
    """The folder of a recording; the test that asks for one that is not here is skipped."""
    path = DATA / folder
    if not path.is_dir():
        pytest.skip(f"there is no {path}: RETOUR_DATA names the folder that holds {folder}")
    return path
