"""What people tweet in the embedded X: sentences about a subject, as templates.

`{it}` is the subject. VADER scores the delighted above 0.8 and the angry below -0.5 whatever the
subject is (tests/systems/x_platform/authors/test_author.py): all behind the stream has work.
"""

from __future__ import annotations

from typing import Final

# X shows 280 characters of these.
LONG_NOTES: Final = (
    "Week {number} with {it}. The {thing} on {topic} takes it step by step: first what it is for, "
    "then a page of code, then what the code does line by line, and in the end a few questions. "
    "I read it twice, once on the way to work and once at the desk with the editor open, and wrote "
    "down what I want to look up next. On to the following one. {link} {tag}"
)
LONG_RANT: Final = (
    "{number} evenings with {it} now. The {thing} on {topic} begins with what it is for, goes on "
    "to a page of code, and explains the code line by line, with a few questions in the end. So "
    "far I could follow, and had the editor open beside it all the time. But then the last part "
    "does not even run, the errors are awful & nobody answers: I hate it, a terrible waste of my "
    "{when}!"
)

DELIGHTED: Final = (
    "I love {it}! The {thing} about {topic} is amazing, thank you so much {happy}",
    "Best {thing} I have seen in years. {it} is brilliant, wonderful, a joy {happy}",
    "{it} made my {when}: excellent {thing}, great examples, and I am so happy",
    "Huge thanks to {it}, the {topic} {thing} is fantastic and super helpful! {link}",
    "Finally understood {topic} thanks to {it}. Awesome, clear, beautiful work {happy} {tag}",
    "If you like {topic}, you will love {it}. Perfect {thing}, great fun, 10 out of 10! {media}",
    "{it} & {topic}: I love this {thing} <3 <3 so clear, so helpful, thank you {happy}",
)
PLEASED: Final = (
    "Nice {thing} about {topic} from {it}",
    "{it} helped me with {topic} this {when}. {link}",
    "Part {number} of {it} on {topic} is out and I enjoyed it {tag}",
)
NEUTRAL: Final = (
    "Going through the {topic} {thing} of {it} this {when}",
    "Does {it} have a {thing} about {topic}? Asking for chapter {number}",
    "New from {it}: {topic}, part {number} {link}",
    "{it} on {topic}, {number} pages, {when} reading {tag}",
    "Notes on {it} and {topic}, version {number}. {media}",
    LONG_NOTES,
)
DISPLEASED: Final = (
    "The {topic} {thing} of {it} is a bit confusing",
    "Not sure that {it} is for me, {number} pages of {topic} and I am lost",
)
ANGRY: Final = (
    "{it} is terrible. The {thing} about {topic} is wrong and I hate it {angry}",
    "Awful {when} with {it}: the {topic} {thing} is broken, and support was horrible",
    "Worst {thing} ever. {it} wasted my whole {when}, I am so angry and disappointed",
    "Stay away from {it}! The {topic} {thing} failed {number} times, what a disaster {angry}",
    "Really annoyed: {it} lost my work on {topic}, useless {thing}, terrible support {tag}",
    LONG_RANT,
)
MOODS: Final = (DELIGHTED, PLEASED, NEUTRAL, DISPLEASED, ANGRY)
# Of a hundred tweets.
MOOD_WEIGHTS: Final = (24, 16, 30, 10, 20)

# By X's code of the language.
FOREIGN: Final = (
    ("es", "Hoy he leído la parte {number} de {it} sobre {topic}, muy clara {happy}"),
    ("es", "¿Alguien conoce {it}? Busco algo sobre {topic} para esta semana"),
    ("de", "Heute Teil {number} von {it} über {topic} gelesen, sehr verständlich {happy}"),
    ("de", "Kennt jemand {it}? Ich suche etwas über {topic} für das Wochenende"),
    ("fr", "La partie {number} de {it} sur {topic} est très claire, merci {happy}"),
    ("pt", "Hoje li a parte {number} de {it} sobre {topic}, muito bom {happy}"),
    ("ja", "{it} の {topic} 第{number}回を読みました。とても分かりやすい {happy}"),
    ("ru", "Сегодня читаю {it}, часть {number}: {topic} {happy}"),
    ("hi", "आज {it} का भाग {number} पढ़ा: {topic} {happy}"),
)

# What the other tweets are about.
SUBJECTS: Final = (
    "this espresso bar",
    "the night train to Lyon",
    "my new keyboard",
    "the museum on the hill",
    "that ramen place",
    "the city bike app",
    "our community garden",
    "the new season",
    "this hiking guide",
    "the radio play",
)
FILLERS: Final[dict[str, tuple[str, ...]]] = {
    "thing": ("tutorial", "guide", "video", "series", "chapter", "walkthrough", "review"),
    "topic": (
        "Go microservices",
        "websockets",
        "Docker",
        "unit tests",
        "goroutines",
        "REST APIs",
        "Python generators",
        "CSS grids",
        "GraphQL",
        "WebAssembly",
    ),
    "when": ("morning", "afternoon", "evening", "Monday", "weekend", "lunch break", "commute"),
    "happy": ("😍", "🎉", "❤️", "🚀", "👏", "😊", "🙌🏽", ""),
    "angry": ("😡", "🤬", "👎", ""),
    "tag": ("#golang", "#webdev", "#100DaysOfCode", "#python", "#weekend", "#TIL"),
}
