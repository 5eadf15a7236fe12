"""One file per family of models, read by its path in the model's own environment: nothing of Hilum is there.

Each has load(folder, device, dtype, trust_remote_code) -> model, and answer(model, task, requests) -> one dict per
request, an output in the form of models.wire with its arrays in place. A request is a dict with the fields of
models.request.Question and `film`, `lateral` and `prior`: uint8 [H, W], 255 = dense, or None.
"""
