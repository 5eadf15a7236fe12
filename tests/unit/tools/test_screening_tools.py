"""tb_screen and covid_severity: there only with their weights, for their population only, their caveats always."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from stub_pool import as_view, context_of, phantom

from imaging.radiograph import View
from imaging.store import ImageStore
from models.adapters.txrv_severity import scores_of
from models.catalog import Catalog
from models.outputs import Attributes, Scores, Task
from models.pool import ModelPool
from tools.contract import Registry, Result, Status, Tool, ToolContext
from tools.contract.tool import installed
from tools.covid_severity import CovidSeverityData, covid_severity
from tools.tb_screen import TbScreenData, tb_screen

BOTH = pytest.mark.parametrize("tool", [tb_screen, covid_severity], ids=lambda tool: tool.name)


@BOTH
def test_without_weights_the_tool_is_not_offered_and_says_why_before_any_model_runs(tool: Tool, tmp_path: Path) -> None:
    pool = ModelPool(device="cpu", profile="full", model_dir=tmp_path)
    assert tool.name not in Registry([tool]).ready(pool)
    films = ImageStore()
    film = films.add(phantom().radiograph)
    result = tool.run(ToolContext(films=films, models=pool), {"image_id": film.id})
    assert result.failure is not None and result.failure.kind == "unavailable" and result.failure.hint
    assert result.data is None and result.elapsed_ms < 1000
    assert tool.name in {item.name for item in installed()}


@BOTH
def test_a_childs_film_is_refused_before_any_model_runs(tool: Tool) -> None:
    film = phantom()
    context, image_id, pool = context_of(film, radiograph=as_view(film, View.PA, age_years=4.0))
    result = tool.run(context, {"image_id": image_id})
    assert result.failure is not None and result.failure.kind == "not_applicable" and "child" in result.failure.message
    assert pool.calls == []


@pytest.mark.parametrize(
    ("score", "said", "status"), [(0.8, "positive", Status.PRESENT), (0.2, "negative", Status.ABSENT)]
)
def test_tb_screen_is_positive_from_its_limit_and_tells_its_population(score: float, said: str, status: Status) -> None:
    context, image_id, pool = context_of(phantom())
    pool.outputs = {**pool.outputs, Task.TB_SCREEN: Scores(("tuberculosis",), np.array([score], dtype=np.float32))}
    result = tb_screen.run(context, {"image_id": image_id})
    assert isinstance(result.data, TbScreenData) and result.data.status is status
    assert f"the screen is {said}" in result.summary and "neither proves nor excludes" in result.summary
    assert "Shenzhen" in result.caveats[0] and result.findings[0].code == "tuberculosis"


def test_covid_scores_are_told_with_their_scales_and_only_as_an_if() -> None:
    film = phantom()
    context, image_id, _ = context_of(film, radiograph=as_view(film, View.AP))
    result = covid_severity.run(context, {"image_id": image_id})
    assert isinstance(result.data, CovidSeverityData) and result.data.geographic_extent == pytest.approx(5.98)
    assert result.summary.startswith("If the patient has COVID-19: geographic extent 6.0 of 8, opacity 4.2 of 6")
    assert any("Nobody said" in caveat for caveat in result.caveats) and any(
        "this one is AP" in c for c in result.caveats
    )
    confirmed: Result = covid_severity.run(context, {"image_id": image_id, "confirmed": True})
    assert not any("Nobody said" in caveat for caveat in confirmed.caveats)
    refused = covid_severity.run(context, {"image_id": image_id, "confirmed": False})
    assert refused.failure is not None and refused.failure.kind == "not_applicable"


def test_severity_is_the_authors_published_example() -> None:
    """Expected: the first example of the authors' page, extent 5.979 and opacity 4.170; one logit explains both."""
    extent, opacity = scores_of((5.978744940174467 - 3.4137437) / 0.8705248236656189)
    assert extent == pytest.approx(5.9787, abs=1e-3) and opacity == pytest.approx(4.1696, abs=1e-3)
    assert scores_of(100.0).tolist() == [8.0, 6.0] and scores_of(-100.0).tolist() == [0.0, 0.0]


def test_severity_reads_the_packages_own_logit(tmp_path: Path) -> None:
    """Expected: torchxrayvision's network with op_threshs None, as the authors ask it, through their two lines."""
    xrv = pytest.importorskip("torchxrayvision")
    from models.adapters.torchxrayvision import prepare

    entry = Catalog.read().get("txrv-covid-severity")
    torch.manual_seed(3)
    network = xrv.models.DenseNet(weights=None, num_classes=18).eval()
    torch.save(network, tmp_path / entry.source.file, _use_new_zipfile_serialization=False)
    film = phantom().radiograph
    pool = ModelPool(device="cpu", model_dir=tmp_path)
    [prediction] = pool.predict(Task.COVID_SEVERITY, [film])
    with torch.inference_mode():
        logits = network(torch.from_numpy(prepare(film.pixels, 224))[None])[0]
    place = xrv.datasets.default_pathologies.index("Lung Opacity")
    assert isinstance(prediction.output, Attributes)
    np.testing.assert_allclose(prediction.output.values, scores_of(float(logits[place])), atol=1e-4)
