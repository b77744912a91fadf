"""Carrying a plan out: the port that engines implement, runner, scheduler, report, artifacts."""
