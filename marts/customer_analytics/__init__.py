"""Segments, and the profile that applications read."""
