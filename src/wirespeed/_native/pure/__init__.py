"""The pure-Python backend: the typed reference twin, and the oracle of the other two."""
