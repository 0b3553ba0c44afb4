"""Reports, one file each: `render(night)` gives the bytes of one file."""
