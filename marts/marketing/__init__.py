"""Metrics of customers, for marketing."""
