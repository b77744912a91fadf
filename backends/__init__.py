"""How engines are reached; nothing here knows of marts."""
