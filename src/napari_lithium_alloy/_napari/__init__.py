"""The napari side: layers, session, docks."""
