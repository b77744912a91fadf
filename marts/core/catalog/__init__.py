"""What a project says of itself: its manifest."""
