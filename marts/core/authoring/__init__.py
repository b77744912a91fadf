"""What an author writes: columns, checks, tables, invariants, as-of dates and arithmetic."""
