"""The commands of `embedseg`, one file each: add_arguments(parser), run(arguments)."""
