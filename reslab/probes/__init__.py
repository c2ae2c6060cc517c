"""What goes on inside a net: probes look at it and leave it as it was."""
