"""One module a family; importing it adds its scenarios to the table."""
