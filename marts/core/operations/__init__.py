"""What can be done with a project: run, test, compile, show; settings in, values out."""
