"""What is installed, and how a request becomes a spec, a plan and a training."""

from service.catalogue.building import Trainable
from service.catalogue.catalogue import Catalogue
from service.catalogue.inheriting import Inheritance

__all__ = ["Catalogue", "Inheritance", "Trainable"]
