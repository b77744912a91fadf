"""Whether the tests would notice a wrong number: mutants of marts, and what kills them."""
