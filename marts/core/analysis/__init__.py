"""What can be read from a query: lineage, keys, thresholds, reliance, lint."""
