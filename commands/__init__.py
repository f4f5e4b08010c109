"""What each `retour` command does: one file per noun or task, and what they share.

The commands may know every room; no room knows the commands. `retour.py` puts them together.
"""
