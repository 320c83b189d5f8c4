"""The units that SenML names: the registry of RFC 8428, section 12.1, with RFC 8798's additions."""

from typing import Final

_RFC_8428 = """
m kg g s A K cd mol Hz rad sr N Pa J W C V F Ohm S Wb T H Cel lm lx Bq Gy Sv kat m2 m3 l m/s m/s2
m3/s l/s W/m2 cd/m2 bit bit/s lat lon pH dB dBW Bspl count / % %RH %EL EL 1/s 1/min beat/min beats
S/m
"""

_RFC_8798 = "B VA VAs var vars J/m kg/m3 deg"

_SECONDARY = """
ms min h MHz kW kVA kvar Ah Wh kWh varh kvarh kVAh Wh/km KiB GB Mbit/s B/s MB/s mV mA dBm ug/m3
mm/h m/h ppm /100 /1000 hPa mm cm km km/h
"""

PRIMARY: Final = frozenset(_RFC_8428.split() + _RFC_8798.split())
"""RFC 8428, section 12.1, and RFC 8798, section 2."""

SECONDARY: Final = frozenset(_SECONDARY.split())
"""RFC 8798, section 3: multiples of primary units, which a pack may use by RFC 9100."""

UNITS: Final = PRIMARY | SECONDARY
