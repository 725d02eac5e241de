#!/usr/bin/env python3
"""Recomputes a draw: verify_draw.py DIRECTORY (of `hotline qa verify-draw MONTH --export DIRECTORY`, after the month's close)."""
import csv, hashlib, hmac, itertools, json, sys
read = lambda name: list(csv.DictReader(open(f"{sys.argv[1]}/{name}.csv", encoding="utf-8", newline="")))
told = dict(line.split() for line in open(f"{sys.argv[1]}/seed.txt"))
policy = open(f"{sys.argv[1]}/policy.json", "rb").read() if "policy" in told else b""
seed = bytes.fromhex(told["seed"]) if "seed" in told else sys.exit("the month is not closed: its seed is secret")
mac = lambda text: int(hmac.new(seed, text.encode(), hashlib.sha256).hexdigest(), 16)
found = []
for (agent, n), part in itertools.groupby(read("frame"), lambda row: (row["agent"], row["n"])):
    part = list(part)
    start, of = mac(f"start {part[0]['period']} {agent}") >> 192, sum(int(row["weight"]) for row in part)
    point = (start + int(n) * (2**64 // int(part[0]["target"]))) % 2**64
    side_by_side = sorted((row["stratum"].encode(), int(row["weight"])) for row in part)
    stratum = [name for name, weight in side_by_side for _ in range(weight)][point * of >> 64].decode()
    call = min((row for row in part if row["stratum"] == stratum), key=lambda row: mac(row["call"]))
    one_in = int(call["second_one_in"])
    second = int(one_in > 0 and mac(call["call"]) % one_in == 0)
    found.append([agent, n, call["call"], stratum, call["weight"], str(of), str(second)])
wrong = [row for row in itertools.zip_longest(found, [list(row.values()) for row in read("draw")]) if row[0] != row[1]]
digest = hashlib.sha256(policy).digest() if policy else b""
if hashlib.sha256(seed + digest).hexdigest() != told["commitment"]:
    wrong.append("seed and policy are not those that were committed to")
rule = json.loads(policy or "{}")
asked = lambda row: (rule.get("quotas", {}).get(row["agent"], rule["target"]), rule["second_one_in"])
if rule and any((int(row["target"]), int(row["second_one_in"])) != asked(row) for row in read("frame")):
    wrong.append("the frame is of another policy")
print(*wrong or [f"{len(found)} picks, every one as computed"], sep="\n")
sys.exit(bool(wrong))
