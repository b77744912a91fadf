"""A new project: what is found in data, declared and written as files."""
