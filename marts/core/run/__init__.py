"""Carrying out a plan: the port that engines implement, runner, scheduler, report, artifacts."""
