"""What the pool counts: loads, evictions, batches, waiting, hits and bytes, as Prometheus metrics."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

BATCH_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128)
WAIT_BUCKETS_S = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)


class Metrics:
    """The counters of one pool, in a registry of their own so that two pools of a process do not mix.

    Attributes:
        loads, evictions, out_of_memory: by model and device.
        predictions: by model, task and source ("computed", "memory", "disk").
        batch_films: films that went through a network together, by model.
        waiting_s: seconds from asking to the start of the batch, by model.
        busy_s: seconds a network ran, by model and device.
        loaded_bytes: weights in memory, by device.
        cache_bytes: outputs kept in memory.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        where = ("model", "device")
        self.loads = Counter("hilum_model_loads", "Models loaded", where, registry=self.registry)
        self.evictions = Counter("hilum_model_evictions", "Models put out of memory", where, registry=self.registry)
        self.out_of_memory = Counter(
            "hilum_out_of_memory", "Batches that a device had no room for", where, registry=self.registry
        )
        self.predictions = Counter(
            "hilum_predictions", "Outputs given", ("model", "task", "source"), registry=self.registry
        )
        self.batch_films = Histogram(
            "hilum_batch_films", "Films per batch", ("model",), buckets=BATCH_BUCKETS, registry=self.registry
        )
        self.waiting_s = Histogram(
            "hilum_queue_seconds", "Wait for a batch", ("model",), buckets=WAIT_BUCKETS_S, registry=self.registry
        )
        self.busy_s = Counter("hilum_busy_seconds", "Time in networks", where, registry=self.registry)
        self.loaded_bytes = Gauge("hilum_loaded_bytes", "Weights in memory", ("device",), registry=self.registry)
        self.cache_bytes = Gauge("hilum_cache_bytes", "Outputs kept in memory", registry=self.registry)

    def text(self) -> str:
        """All of them in Prometheus' text format."""
        return generate_latest(self.registry).decode()

    def value(self, name: str, **labels: str) -> float:
        """One sample by its full name ("hilum_model_loads_total") summed over the labels not given; 0 if none."""
        return sum(
            sample.value
            for family in self.registry.collect()
            for sample in family.samples
            if sample.name == name and all(sample.labels.get(key) == wanted for key, wanted in labels.items())
        )
