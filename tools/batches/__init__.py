"""Tools run over a folder of films, one row per film, resumable: in this process (`cohort`) or on Ray (`on_ray`)."""
