"""Models served by Ray Serve on one machine or a cluster: `HILUM_RUNTIME=ray` (docs/scale.md)."""
