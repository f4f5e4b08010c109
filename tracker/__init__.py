"""The domain of Retour: what was observed, what follows from it, and the ports it needs."""
