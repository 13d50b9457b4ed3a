"""Composition: settings, clock, migrations, the pipeline, the service and the command line."""
