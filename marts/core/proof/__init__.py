"""Who would notice a wrong number: mutants, and what kills them."""
