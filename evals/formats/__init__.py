"""Published data sets in their published layouts: questions, labels, boxes, masks and reports, a module each."""
