"""One dock a module; a dock never imports another."""
