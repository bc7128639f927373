"""Pictures: a convolutional network."""

from service.domain.recipes import Expected, Recipe

RECIPES = [
    Recipe(
        name="clothes",
        title="A convolutional network tells clothes apart",
        about="3,000 pictures of Fashion-MNIST, 28 × 28 pixels, ten classes; 615 others validate. "
        "All else is what the service takes by itself: `spec` of the job shows it. Look at the "
        "confusion in `result.evaluation`: shirts, coats and pullovers are taken for each other.",
        request={"model": "clothes", "dataset": "fashion-mnist-mini", "architecture": "cnn"},
        expected=Expected(metrics={"val_accuracy": 0.8878}, tolerance=0.02),
    ),
]
