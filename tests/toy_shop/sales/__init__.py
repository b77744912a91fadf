"""What was sold, and to whom."""
