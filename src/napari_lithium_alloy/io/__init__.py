"""Files in and out: recordings, cycler files, tables, maps."""
