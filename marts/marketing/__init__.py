"""Customer metrics for marketing."""
