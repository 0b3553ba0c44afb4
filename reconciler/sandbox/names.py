"""Names from many languages, each with the letters that a login is made of."""

from __future__ import annotations

import random
import unicodedata
from dataclasses import dataclass

# given names; family names. "Иван=Ivan" gives the Latin letters where they cannot be read off.
_LANGUAGES = {
    "english": ("Amelia Oliver Grace Thomas Harriet Edward Ruby Callum", "Whitfield Barker Okafor-Reed O'Connell Hartley Pryce Ashdown Lovell"),
    "german": ("Jürgen Käthe Björn Änne Matthias Hannelore", "Müller Groß Schäfer Weiß Köhler Freiherr-von-Lüttwitz"),
    "french": ("Élodie Jérôme Chloé François Maëlle Benoît", "Lefèvre D'Aubigné Garçon Noël Sœurette Béranger"),
    "spanish": ("María-José Íñigo Begoña Joaquín Lucía Álvaro", "Núñez García-Peña Ibáñez Muñoz Echeverría Quiñones"),
    "portuguese": ("João Conceição Antônio Inês", "Simões Gonçalves Magalhães Falcão"),
    "polish": ("Łukasz Zofia Grażyna Wojciech", "Wiśniewska Dąbrowski Żółkiewski Łęcka"),
    "czech": ("Jiří Božena Ondřej Růžena", "Dvořák Němcová Šťastný Černá"),
    "turkish": ("Çağla Işıl Ömer Gülşen", "Yıldırım Şahin Öztürk Çelik"),
    "nordic": ("Åse Søren Þóra Mikko", "Ødegård Bjørnson Ásgeirsdóttir Hämäläinen"),
    "vietnamese": ("Thị-Hương Minh Ngọc Quốc", "Nguyễn Trần Phạm Đặng"),
    "greek": ("Σοφία=Sofia Νίκος=Nikos Ελένη=Eleni", "Παπαδοπούλου=Papadopoulou Γεωργίου=Georgiou Οικονόμου=Oikonomou"),
    "ukrainian": ("Олена=Olena Тарас=Taras Юлія=Yuliia", "Шевченко=Shevchenko Коваленко=Kovalenko Гнатюк=Hnatiuk"),
    "chinese": ("秀英=Xiuying 伟=Wei 丽=Li", "王=Wang 张=Zhang 欧阳=Ouyang"),
    "japanese": ("さくら=Sakura 健太=Kenta 陽子=Yoko", "田中=Tanaka 佐々木=Sasaki 小林=Kobayashi"),
    "arabic": ("ليلى=Layla عمر=Omar مريم=Maryam", "الحداد=Haddad منصور=Mansour خليل=Khalil"),
    "hindi": ("Ananya Rohan Priya Arjun", "Iyer Chatterjee Deshpande Ramaswamy"),
    "yoruba": ("Adébáyọ̀ Ṣadé Olúwaṣeun", "Adéyẹmí Ògúnbanjọ Akínwándé"),
    "hawaiian": ("Kaʻiulani Keoni", "Kahananui Kealoha"),
}  # fmt: skip
_LETTERS = str.maketrans({"ß": "ss", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "þ": "th", "Þ": "Th", "ð": "d",
                          "æ": "ae", "Æ": "Ae", "œ": "oe", "Œ": "Oe", "ı": "i"})  # fmt: skip


@dataclass(frozen=True)
class Name:
    """A name as HR spells it, and its Latin letters."""

    given: str
    family: str
    latin_given: str
    latin_family: str


def latin(text: str) -> str:
    """The plain Latin letters of a name: accents off, everything but letters off."""
    plain = unicodedata.normalize("NFKD", text.translate(_LETTERS))
    return "".join(letter for letter in plain if letter.isascii() and letter.isalpha())


def draw(chance: random.Random) -> Name:
    """A given and a family name of one language."""
    given, family = (chance.choice(words.split()) for words in _LANGUAGES[chance.choice(list(_LANGUAGES))])
    (shown, _, spelled), (last, _, last_spelled) = (word.partition("=") for word in (given, family))
    shown, last = (unicodedata.normalize("NFC", word.replace("_", " ")) for word in (shown, last))
    return Name(shown, last, latin(spelled or shown), latin(last_spelled or last))
