"""`retour bench soak`: real processes, and faults that a seed decides."""
