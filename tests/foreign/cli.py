"""The order desk's own command line, which has nothing to do with marts."""

print("the desk's own cli")
