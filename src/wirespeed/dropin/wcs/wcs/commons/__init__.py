"""Keys, settings, helpers and HTTP of the drop-in."""
