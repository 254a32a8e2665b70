"""Objects read like files."""
