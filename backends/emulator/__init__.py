"""A Snowflake emulator: fakesnow, adapted to answer as Snowflake does, in a process of its own."""
