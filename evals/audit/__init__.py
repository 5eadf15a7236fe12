"""An audit of a classifier on a labelled folder: subgroups and their intersections, shortcuts by devices, masked lungs.

`hilum eval audit --data FOLDER --labels CSV` runs it; the report it leaves is what the tool `audit` tells of."""
