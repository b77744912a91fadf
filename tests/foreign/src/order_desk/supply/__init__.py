"""What is supplied, and by whom."""
