"""What the order desk's services run on; marts has a package of the same name."""

SERVICES = ("orders", "billing")
