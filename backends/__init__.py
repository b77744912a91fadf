"""How an engine is reached; nothing here has ever heard of a mart."""
