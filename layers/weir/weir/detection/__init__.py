"""Detection: how surprising a value is, given nothing but those before it.

`IN_USE` is the detector that scores each metric, of the kind that `Detector` describes; `JOINT`
scores those of a device that come together. Whoever reads a checkpoint reads it with these.
"""

from typing import Any, Final

from weir.detection.interface import Detector, Explanation, Folded
from weir.detection.joint import JointDetector
from weir.detection.univariate import UnivariateDetector

IN_USE: Final[Detector[Any]] = UnivariateDetector()
JOINT: Final = JointDetector()

__all__ = ["IN_USE", "JOINT", "Detector", "Explanation", "Folded"]
