"""Publication figures at a journal's column widths, through matplotlib."""
