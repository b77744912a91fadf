"""A bicycle shop: the smallest project that uses all that the framework offers."""
