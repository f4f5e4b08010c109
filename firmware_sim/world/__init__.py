"""Whole worlds of assets on their way out and back, by a scenario file, with the truth beside them.

`scenario.py` reads the file, `places.py` lays out where things are, `journeys.py` lets assets
live, `radio.py` and `gps.py` say what devices sense of that, `facts.py` what people write down,
`mishaps.py` what becomes of it all on its way. `files.py` and `live.py` bring it out.
"""
