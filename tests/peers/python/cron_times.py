"""Cron expressions and their times against croniter, and their words against cron-descriptor.

cron_times.py SCHED_TIMES COUNT SEED: generates COUNT expressions (a part of them wrong), asks both for the
times after and before random moments, and says what it has seen; ends with 1 at the first differences.
"""
import datetime
import random
import subprocess
import sys

from cron_descriptor import CasingTypeEnum, ExpressionDescriptor
from croniter import croniter

STEPS = 3
EPOCH = datetime.datetime(1970, 1, 1)
RANGES = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 6), (0, 59), (1970, 2099)]
NAMES = [None, None, None, "jan feb mar apr may jun jul aug sep oct nov dec".split(), "sun mon tue wed thu fri sat".split(), None, None]
rng = random.Random(1)


def value(field):
    least, most = RANGES[field]
    if field == 6:
        least, most = 2000, 2060
    if NAMES[field] and rng.random() < 0.3:
        name = rng.choice(NAMES[field])
        return name.upper() if rng.random() < 0.3 else name
    if field == 4 and rng.random() < 0.1:
        return "7"
    v = rng.randint(least, most)
    return f"{v:02}" if rng.random() < 0.05 else str(v)


def part(field, alone):
    kind = rng.random()
    step = rng.choice([1, 2, 3, 4, 5, 6, 7, 10, 12, 15, 20, 30, 45])
    if field == 4 and kind < 0.12:
        return rng.choice([f"{rng.randint(0, 7)}#{rng.randint(1, 5)}", f"L{rng.randint(0, 7)}", f"{rng.choice(NAMES[4])}#{rng.randint(1, 5)}",
                           f"{rng.choice(NAMES[4])}-{rng.choice(NAMES[4])}#{rng.randint(1, 5)}"])
    if field == 2 and kind < 0.08:
        return rng.choice(["L", "l", f"{rng.randint(1, 31)}-L", f"0-{rng.randint(1, 31)}", "28-31", "29"])
    if kind < 0.5:
        return value(field)
    if kind < 0.7:
        return f"{value(field)}-{value(field)}"
    if kind < 0.8:
        return f"{value(field)}-{value(field)}/{step}"
    if kind < 0.9:
        return f"*/{step}"
    if kind < 0.96:
        return f"{value(field)}/{step}"
    return "*" if alone else value(field)


def field_text(field):
    if rng.random() < (0.25, 0.3, 0.45, 0.55, 0.5, 0.4, 0.5)[field]:
        return "?" if field in (2, 4) and rng.random() < 0.1 else "*"
    parts = rng.choice([1, 1, 1, 1, 2, 2, 3, 4])
    return ",".join(part(field, parts == 1) for _ in range(parts))


def expression():
    kind = rng.random()
    if kind < 0.005:
        return " ".join(rng.choice(["h", "r", "R(1-5)", "H/3", "*"]) for _ in range(5))
    if kind < 0.015:
        return rng.choice(["@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually", "@dayly", "@reboot"])
    count = 5 if kind < 0.85 else 6 if kind < 0.95 else 7
    text = " ".join(field_text(f) for f in range(count))
    if rng.random() < 0.06:  # broken by one character
        at = rng.randrange(len(text))
        text = text[:at] + rng.choice("*/-,#?LlWxhr059 ") + text[at + rng.randint(0, 1):]
    return " ".join(text.split()) or "*"


def moment():
    year = rng.choice([rng.randint(1971, 2090), rng.randint(2019, 2030)])
    at = datetime.datetime(year, rng.randint(1, 12), rng.randint(1, 28), rng.randint(0, 23), rng.randint(0, 59), rng.randint(0, 59))
    kind = rng.random()
    if kind < 0.3:
        at = at.replace(second=0)
    elif kind < 0.45:
        at = at.replace(minute=0, second=0, hour=0)
    elif kind < 0.6:
        at += datetime.timedelta(microseconds=rng.randint(1, 999999))
    if rng.random() < 0.1:
        at = (at.replace(day=1) + datetime.timedelta(days=31)).replace(day=1, hour=0, minute=0, second=0, microsecond=0) - datetime.timedelta(minutes=1)
    return at


def us(at):
    return (at - EPOCH) // datetime.timedelta(microseconds=1)


def theirs(text, at, way):
    """None: refused. Else the times, with a last None where there is no further one."""
    try:
        c = croniter(text, at)
    except ValueError:
        return None
    out = []
    try:
        for _ in range(STEPS):
            out.append(us(getattr(c, f"get_{way}")(datetime.datetime)))
    except ValueError:
        out.append(None)
    except OverflowError:
        out.append(None)
    return out


def ask(program, questions):
    r = subprocess.run([program], input="\n".join(questions) + "\n", capture_output=True, text=True, check=True)
    answers = r.stdout.split("\n")[:-1]
    assert len(answers) == len(questions), (len(answers), len(questions), r.stderr)
    return answers


def their_words(text):
    if len(text.split()) != 5:
        return ""
    try:
        d = ExpressionDescriptor(expression=text, casing_type=CasingTypeEnum.Sentence, use_24hour_time_format=True)
        return d.get_description()
    except Exception:
        return ""


def jumped(text, ours, reference, way):
    """Where the two part: has croniter gone past a time which it calls one of its own when it comes from beside it?"""
    for mine, other in zip(ours, reference):
        if mine == other:
            continue
        if mine is None or (other is not None and (mine > other) == (way == "next")):
            return False
        at = EPOCH + datetime.timedelta(microseconds=mine)
        beside = datetime.timedelta(seconds=1)
        try:
            return croniter(text, at - beside).get_next(datetime.datetime) == at or croniter(text, at + beside).get_prev(datetime.datetime) == at
        except ValueError:
            return False
    return True


def main():
    program, count, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    rng.seed(seed)
    cases = [(expression(), moment(), rng.choice(["next", "prev"])) for _ in range(count)]
    answers = ask(program, [f"{way}\t{text}\t{us(at)}\t{STEPS}" for text, at, way in cases])
    words = ask(program, [f"describe\t{text}" for text, _, _ in cases])
    seen = dict.fromkeys(["same", "refused by both", "never comes", "from 0", "random", "croniter jumps over a time", "words"], 0)
    wrong = []
    for (text, at, way), answer, said in zip(cases, answers, words):
        reference = theirs(text, at, way)
        ours = None if answer.startswith("!") else [None if w == "none" else int(w) for w in answer.split()]
        if ours is None and reference is None:
            seen["refused by both"] += 1
        elif ours is None and "never comes" in answer and reference[0] is None:
            seen["never comes"] += 1
        elif ours is None and "it goes from 1 to" in answer and ("0-" in text or "-0" in text):
            seen["from 0"] += 1
        elif ours is None and "random times" in answer:
            seen["random"] += 1
        elif ours == reference:
            seen["same"] += 1
        elif ours and reference and jumped(text, ours, reference, way):
            seen["croniter jumps over a time"] += 1
        else:
            wrong.append(f"{way} of '{text}' at {at}: ours {answer}, croniter's {reference}")
        if ours is not None:
            expected = their_words(" ".join(f.upper() if f == "l" else f for f in text.split()))  # "l" is no word of theirs
            # cron-descriptor has no word for the fourth, and none that fit lists of '#' and 07.
            hole = "#" in text and ("#4" in text or "," in text.split()[4]) or "07" in text
            if said == expected:
                seen["words"] += 1
            elif not hole and not text.startswith("@"):
                wrong.append(f"words of '{text}': ours '{said}', theirs '{expected}'")
    print(f"{count} expressions, {STEPS} times each: " + ", ".join(f"{n} {what}" for what, n in seen.items()) + f", {len(wrong)} wrong")
    print("\n".join(wrong[:40]))
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
