"""What a run will do, as data: state, steps, planner, changes, fingerprints."""
