"""What people like to eat, in English and Korean: sentences of a small grammar of our own.

A sentence stands as often as its food is eaten at that meal, so "I like eating …" has a
distribution that a model can learn and a reader can check. The order is fixed by a hash.
"""

import hashlib
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from service.datasets.base import BuiltIn
from service.domain.datasets import TextDatasetSpec

_SPEC = TextDatasetSpec(
    name="eating",
    type="text",
    sequences="lines",
    source="A grammar of our own: service/datasets/builtin/eating.py",
    licence="MIT",
)


class Food(NamedTuple):
    """A food in both languages, and how often it is eaten at each meal."""

    english: str
    korean: str
    breakfast: int
    lunch: int
    dinner: int
    snack: int


FOODS = (
    Food("rice", "밥", 2, 6, 7, 0),
    Food("pizza", "피자", 0, 8, 9, 3),
    Food("noodles", "국수", 0, 5, 3, 0),
    Food("apples", "사과", 3, 1, 0, 6),
    Food("bread", "빵", 6, 1, 0, 2),
    Food("soup", "국", 2, 2, 4, 0),
    Food("bibimbap", "비빔밥", 0, 5, 3, 0),
    Food("kimchi", "김치", 1, 2, 3, 0),
    Food("chicken", "치킨", 0, 1, 5, 1),
    Food("fish", "생선", 0, 1, 3, 0),
    Food("salad", "샐러드", 0, 3, 1, 0),
    Food("eggs", "달걀", 4, 1, 0, 0),
    Food("cereal", "시리얼", 4, 0, 0, 0),
    Food("pancakes", "팬케이크", 2, 0, 0, 1),
    Food("sandwiches", "샌드위치", 1, 4, 0, 1),
    Food("dumplings", "만두", 0, 2, 2, 1),
    Food("ramen", "라면", 0, 2, 2, 2),
    Food("tteokbokki", "떡볶이", 0, 1, 1, 5),
    Food("gimbap", "김밥", 0, 4, 1, 2),
    Food("chocolate", "초콜릿", 0, 0, 0, 5),
    Food("cookies", "과자", 0, 0, 0, 4),
    Food("strawberries", "딸기", 1, 0, 0, 3),
    Food("beef", "소고기", 0, 0, 3, 0),
    Food("tofu", "두부", 0, 1, 2, 0),
)


class Drink(NamedTuple):
    """A drink in both languages; how often in the morning, at noon, in the evening."""

    english: str
    korean: str
    morning: int
    noon: int
    evening: int


DRINKS = (
    Drink("coffee", "커피", 6, 3, 0),
    Drink("milk", "우유", 4, 1, 1),
    Drink("tea", "차", 2, 2, 5),
    Drink("juice", "주스", 3, 2, 1),
    Drink("water", "물", 2, 4, 3),
    Drink("cola", "콜라", 0, 3, 2),
)

# Subject, ending of its verb, and the food it likes above all.
_ENGLISH = (
    ("I", "", ""),
    ("you", "", ""),
    ("we", "", ""),
    ("they", "", "dumplings"),
    ("he", "s", "chicken"),
    ("she", "s", "strawberries"),
    ("my brother", "s", "ramen"),
    ("my grandmother", "s", "soup"),
    ("the children", "", "chocolate"),
)
# Who likes it ("내가"), who does it ("나는"), and the food above all.
_KOREAN = (
    ("내가", "나는", ""),
    ("우리가", "우리는", ""),
    ("네가", "너는", ""),
    ("그가", "그는", "chicken"),
    ("그녀가", "그녀는", "strawberries"),
    ("동생이", "동생은", "ramen"),
    ("할머니가", "할머니는", "soup"),
    ("아이들이", "아이들은", "chocolate"),
)
_ENGLISH_TIMES = (
    ("for breakfast", "breakfast"),
    ("in the morning", "breakfast"),
    ("for lunch", "lunch"),
    ("at noon", "lunch"),
    ("for dinner", "dinner"),
    ("in the evening", "dinner"),
    ("as a snack", "snack"),
    ("after school", "snack"),
)
_KOREAN_TIMES = (
    ("아침에", "breakfast"),
    ("점심에", "lunch"),
    ("저녁에", "dinner"),
    ("간식으로", "snack"),
)
_DRINK_TIMES = (
    ("in the morning", "아침에", "morning"),
    ("at noon", "점심에", "noon"),
    ("in the evening", "저녁에", "evening"),
)
_FAVOURITE = 3


def sentences() -> list[str]:
    """Return all sentences, copies included, in their fixed order."""
    copies = [
        (sentence, copy)
        for source in (_english_sentences(), _korean_sentences(), _drinks())
        for sentence, times in source
        for copy in range(times)
    ]
    # random.shuffle may change with a Python version; a hash never does.
    copies.sort(key=lambda pair: hashlib.sha256(f"{pair[1]} {pair[0]}".encode()).digest())
    return [sentence for sentence, _ in copies]


def _english_sentences() -> Iterator[tuple[str, int]]:
    for subject, ending, favourite in _ENGLISH:
        for food in FOODS:
            factor = _FAVOURITE if food.english == favourite else 1
            total = sum(_at(food, meal) for meal in ("breakfast", "lunch", "dinner", "snack"))
            yield f"{subject} like{ending} eating {food.english}", factor * total // 2
            yield f"{subject} like{ending} {food.english}", factor * (total + 3) // 4
            for time, meal in _ENGLISH_TIMES:
                weight = factor * _at(food, meal)
                yield f"{subject} like{ending} eating {food.english} {time}", (weight + 1) // 2
                yield f"{subject} eat{ending} {food.english} {time}", (weight + 2) // 3
                yield f"{time} {subject} eat{ending} {food.english}", (weight + 2) // 4


def _korean_sentences() -> Iterator[tuple[str, int]]:
    for who_likes, who_does, favourite in _KOREAN:
        for food in FOODS:
            factor = _FAVOURITE if food.english == favourite else 1
            total = sum(_at(food, meal) for meal in ("breakfast", "lunch", "dinner", "snack"))
            eaten = f"{food.korean}{_object_particle(food.korean)}"
            yield f"{who_likes} 즐겨 먹는 것은 {food.korean}입니다", factor * total
            yield f"{who_does} {eaten} 좋아합니다", factor * (total + 3) // 4
            for time, meal in _KOREAN_TIMES:
                weight = factor * _at(food, meal)
                yield f"{who_likes} {time} 즐겨 먹는 것은 {food.korean}입니다", (weight + 1) // 2
                yield f"{who_does} {time} {eaten} 먹습니다", (weight + 1) // 2
                yield f"{time} {who_does} {eaten} 즐겨 먹습니다", (weight + 2) // 4


def _drinks() -> Iterator[tuple[str, int]]:
    for drink in DRINKS:
        for english_time, korean_time, time in _DRINK_TIMES:
            weight = int(getattr(drink, time))
            for subject, ending, _ in _ENGLISH:
                yield f"{subject} like{ending} drinking {drink.english} {english_time}", weight // 2
                yield f"{subject} drink{ending} {drink.english} {english_time}", (weight + 1) // 2
            for _, who_does, _ in _KOREAN:
                drunk = f"{drink.korean}{_object_particle(drink.korean)}"
                yield f"{who_does} {korean_time} {drunk} 마십니다", (weight + 1) // 2


def _at(food: Food, meal: str) -> int:
    return int(getattr(food, meal))


def _object_particle(noun: str) -> str:
    """Return 을 after a final consonant, 를 after a vowel (Unicode Standard 3.12, Hangul)."""
    return "을" if (ord(noun[-1]) - 0xAC00) % 28 else "를"


def _files() -> Mapping[str, bytes]:
    return {"file": "\n".join(sentences()).encode()}


BUILT_IN = BuiltIn(spec=_SPEC, files=_files)
