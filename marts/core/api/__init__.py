"""Python: a project as an object, for notebooks and orchestrators."""
