"""The operations of the drop-in."""
