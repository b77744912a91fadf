"""The framework: knows Ibis; knows no customer, no engine, no terminal."""
