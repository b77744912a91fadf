"""Marts and checks as Ibis queries."""
