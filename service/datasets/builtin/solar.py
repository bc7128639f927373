"""A typical year of weather, hour by hour, and the power of a photovoltaic plant of 100 kW.

The split is fixed: every tenth day validates as a whole (day 10, 20, … 360 of the year). Single
hours would be too easy: the hours beside one tell its weather. The last weeks of one year would
be a season that training never saw: what is learned here is power from weather, not what comes
next. So each validated day is new, and all seasons are among them.
"""

import gzip
from collections.abc import Mapping
from importlib.resources import files

from service.datasets.base import BuiltIn
from service.domain.datasets import TableDatasetSpec

_SPEC = TableDatasetSpec(
    name="solar",
    type="table",
    target="power_kw",
    split="split",
    series=True,
    encoding="utf-8",
    delimiter=",",
    quoting=False,
    header=True,
    units={
        "cloud_cover_tenths": "tenths",
        "temperature_c": "°C",
        "wind_speed_m_s": "m/s",
        "wind_direction_deg": "°",
        "relative_humidity_pct": "%",
        "pressure_mbar": "mbar",
        "rain_mm": "mm",
        "power_kw": "kW",
    },
    source="TMY3 weather of Greensboro, NREL; power computed with pvlib's PVWatts chain",
    licence="Public domain (US government data)",
)


def _files() -> Mapping[str, bytes]:
    folder = files("service.datasets.builtin") / "data" / "solar"
    return {"file": gzip.decompress((folder / "greensboro.csv.gz").read_bytes())}


BUILT_IN = BuiltIn(spec=_SPEC, files=_files)
