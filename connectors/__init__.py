"""Sources, one file each: `read(settings, context)` yields a whole answer or raises."""
