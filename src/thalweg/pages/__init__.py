"""Pages for people: the lesson, the report, tables in notebooks."""
