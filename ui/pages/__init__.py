"""Pages and pictures of docs/ that are made from the code: `hilum docs`, `hilum docs --pictures`."""
