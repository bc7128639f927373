"""What is installed, and how a request becomes a spec, a plan and a training."""

from service.catalogue.building import Trainable
from service.catalogue.catalogue import Catalogue

__all__ = ["Catalogue", "Trainable"]
