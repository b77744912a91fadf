"""Orders, customers and suppliers of a wholesaler."""
