"""Helpers of the tests: projects, data, engines, accounts, comparisons."""
