"""Who tweets in the embedded X: made-up people, by username and name.

They are a thousand and more: at two tweets a second an author has a handful an hour, which is below
what the brand monitor answers to one.
"""

from __future__ import annotations

from typing import Final

CHARACTERS: Final = (
    ("ada_compiles", "Ada Okonkwo"),
    ("bytewise_ben", "Ben Tanaka"),
    ("carla_codes", "Carla Mendes"),
    ("daily_diff", "The Daily Diff"),
    ("elif_and_else", "Elif Demir"),
    ("finn_ships", "Finn Aalto"),
    ("gopher_gwen", "Gwen Abara"),
    ("halfstack_hal", "Hal Novak"),
    ("ines_io", "Inês Rocha"),
    ("jun_on_rails", "Jun Watanabe"),
    ("kernelkat", "Kat Lindqvist"),
    ("lazy_evaluator", "Leo Marchetti"),
    ("merge_conflict", "Merge Conflict Weekly"),
    ("nadia_nullsafe", "Nadia Haddad"),
    ("off_by_olaf", "Olaf Brandt"),
    ("pia_pixels", "Pia Kowalska"),
    ("quine_quest", "Quest for Quines"),
    ("rosa_regex", "Rosa Jiménez"),
    ("sam_segfault", "Sam Whitfield"),
    ("tia_types", "Tia Moreau"),
    ("uma_uptime", "Uma Krishnan"),
    ("vim_vera", "Vera Petrova"),
    ("will_it_scale", "Will Achebe"),
    ("xenia_xor", "Xenia Papadaki"),
    ("yak_shaver_yan", "Yan Li"),
    ("zoe_zero_days", "Zoë Fischer"),
    ("coffee_and_code", "Marta Ruiz"),
    ("nighttrain_nils", "Nils Sørensen"),
    ("pixel_gardener", "Hana Sato"),
    ("slow_sunday", "Priya Nair"),
    ("trail_mix_tom", "Tom Oduya"),
    ("vinyl_and_vi", "Vi Castellanos"),
    ("weekend_baker", "Greta Holm"),
    ("city_cyclist_cy", "Cy Adeyemi"),
    ("quiet_library", "The Quiet Library"),
    ("rainy_window", "Noor Rahman"),
)
FIRST_NAMES: Final = (
    "Abel Aiko Amara Anton Astrid Bea Bruno Chloe Dario Dina Edda Emre Femi Flora Goran Hugo Ida"
    " Ivan Jana Joao Kaya Lena Lior Mabel Mina Nora Omar Otto Pavel Rafa Rita Sana Sven Tara Udo"
    " Vito Wanda Yara Yusuf Zora"
)
SURNAMES: Final = (
    "Adler Bakker Costa Dubois Eriksen Ferrari Garcia Haas Ito Jansen Kaur Laine Meyer Nagy Ochoa"
    " Park Quist Rossi Silva Torres Ueda Varga Weber Yilmaz Zhou Berg Chen Dahl Kim Lopez"
)
PEOPLE: Final = CHARACTERS + tuple(
    (f"{first}_{last}".lower(), f"{first} {last}")
    for first in FIRST_NAMES.split()
    for last in SURNAMES.split()
)
