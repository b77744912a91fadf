"""What an author's own tests use: fixtures of pytest, and functions to build marts and try them."""
