"""Analyses of one recording as functions of arrays: no files, no viewer."""
