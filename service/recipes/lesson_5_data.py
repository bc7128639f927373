"""Data as people have them: messages, weather, what somebody said."""

from service.domain.recipes import Expected, Recipe

RECIPES = [
    Recipe(
        name="spam-or-ham",
        title="Spam or ham",
        about="4,459 text messages, 13 % of them spam, in pieces of words. Look at the interval of "
        "the F1 of spam and at the calibration in `result.evaluation`.",
        request={"model": "spam-or-ham", "dataset": "sms-spam", "architecture": "mlp"},
        expected=Expected(metrics={"val_f1": 0.9333, "val_accuracy": 0.9831}, tolerance=0.03),
    ),
    Recipe(
        name="solar-power",
        title="From the weather to the power of the sun",
        about="Hour by hour: month, hour, clouds, temperature, wind, humidity, pressure and rain → "
        "the kW of a solar plant. To beat is persistence, the power of the hour before.",
        request={"model": "solar-power", "dataset": "solar", "architecture": "mlp"},
        expected=Expected(metrics={"val_r2": 0.9637}, tolerance=0.02),
    ),
    Recipe(
        name="korean-topics",
        title="What a Korean sentence is about",
        about="Everyday life, a parting, or love: 11,823 questions in pieces of words, so that the "
        "endings of Korean words are pieces of their own.",
        request={"model": "korean-topics", "dataset": "korean-chat", "architecture": "mlp"},
        expected=Expected(metrics={"val_accuracy": 0.8107}, tolerance=0.03),
    ),
]
