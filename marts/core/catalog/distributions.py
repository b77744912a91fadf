"""How the values of a mart's main columns are distributed: two statements for each mart.

The main columns are those with declared labels, flags, numbers and dates, in this order; never
keys, and never personal data. A text without declared labels is never read.
"""
