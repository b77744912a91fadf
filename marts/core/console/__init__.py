"""The terminal: options, wiring, messages, and one file for each command."""
