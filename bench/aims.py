"""What Andromède is to reach, each as a ratio of what this machine can do, measured in the same run."""


def row(rows, workload, peer="andromede"):
    return next((r.get(peer) for r in rows if r["workload"] == workload), None)


def point(curve, keys, name):
    return next((p.get(name) for p in curve or [] if p["keys"] == keys), None)


def aims(report):
    """(what, measured, of, least ratio or most, which of the two) for each aim; `measured` or `of` None: not in this run."""
    rows, machine, curve = report["rows"], report["machine"], report["curve"]
    disk = machine["disk_write_mb_per_s"]
    yield "PUT 4 KiB c1 ÷ one synced append's rate", row(rows, "put_4k_c1"), machine["appends_c1_per_s"], 0.6, "least"
    yield "PUT 4 KiB c16 ÷ 16 appenders' rate", row(rows, "put_4k_c16"), machine["appends_c16_per_s"], 0.6, "least"
    yield "PUT 16 MiB c4 ÷ the disk's write rate", row(rows, "put_16m_c4"), disk, 0.85, "least"
    yield "2+2: PUT 16 MiB c4 ÷ half of it", row(rows, "put_16m_c4", "andromede_2+2"), disk / 2, 0.85, "least"
    yield "GET 16 MiB c4 ÷ loopback", row(rows, "get_16m_c4"), machine["loopback_mb_per_s"], 0.7, "least"
    yield ("GET 4 KiB at 10⁶ keys ÷ at 10⁴", point(curve, 1_000_000, "get_per_s"), point(curve, 10_000, "get_per_s"), 0.8,
           "least")
    fairness = report["fairness"] or {}
    for flood, loud in fairness.get("p99_ms", {}).items():
        yield f"p99 of a quiet tenant, flood of {flood} ÷ alone", loud, fairness["quiet_p99_ms"], 3, "most"


def judge(report):
    """A row for each aim, with `met` True, False, or None where this run did not measure it."""
    judged = []
    for what, measured, of, bound, kind in aims(report):
        ratio = measured / of if measured is not None and of else None
        met = None if ratio is None else ratio >= bound if kind == "least" else ratio <= bound
        judged.append({"aim": what, "measured": measured, "of": of, "ratio": ratio and round(ratio, 3), "bound": bound,
                       "kind": kind, "met": met})
    return judged


def print_aims(judged):
    print(f"\n{'aim':56}{'measured':>12}{'of':>12}{'ratio':>8}{'bound':>8}")
    for aim in judged:
        verdict = {True: "met", False: "missed", None: "not measured in this run"}[aim["met"]]
        numbers = "".join(f"{aim[name]:>12,.1f}" if aim[name] is not None else f"{'-':>12}" for name in ("measured", "of"))
        ratio = f"{aim['ratio']:.2f}" if aim["ratio"] is not None else "-"
        print(f"{aim['aim']:56}{numbers}{ratio:>8}{'≥' if aim['kind'] == 'least' else '≤':>3}{aim['bound']:>5}  {verdict}")
