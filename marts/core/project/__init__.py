"""Find, link and select a package's declarations; and its settings."""
