"""Trainyard: a REST microservice that trains PyTorch models and serves their predictions."""
