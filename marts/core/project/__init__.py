"""A package's declarations: found, linked, selected; and its settings."""
