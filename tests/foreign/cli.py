"""The order desk's own command line; marts has a module of the same name."""

GREETING = "This is the order desk."

if __name__ == "__main__":
    print(GREETING)
