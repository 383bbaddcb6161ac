"""Compare predicted with measured latency on this machine, for families left out of the fit.

    python benchmarks/latency_accuracy.py [--runtime onnxruntime] [--runtime torch] [--threads 1]

Calibrates as `archscope device calibrate` does, in about four minutes a runtime, best on an idle
machine. Every network of the zoo that it measures is predicted by a fit without its whole family,
and so is the interval. The macs alone, as the baseline, are one coefficient.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from statistics import fmean

import msgspec
import numpy as np

from archscope.bench.calibration import (
    FAMILIES,
    ROUNDS,
    RUNTIMES,
    SECONDS,
    Sample,
    jobs,
    measure_jobs,
)
from archscope.bench.latency_fit import LeftOut, coverage, error_of, profile_of
from archscope.latency.kernel_kinds import FEATURES
from archscope.latency.profile import keep, words

MACS = FEATURES.index("macs")


def by_macs(samples: list[Sample]) -> list[LeftOut]:
    """Return networks predicted by their macs alone, fitted to the other families."""
    macs = {s.network: sum(k.features[MACS] for k in s.kernels) for s in samples if not s.varied}
    own = [sample for sample in samples if not sample.varied]
    found = []
    for sample in own:
        others = [other for other in own if other.family != sample.family]
        ratios = [1e3 * other.whole_seconds / macs[other.network] for other in others]
        predicted = macs[sample.network] * float(np.median(ratios))
        found.append(LeftOut(sample.network, sample.family, 1e3 * sample.whole_seconds, predicted))
    return found


def line(name: str, found: list[LeftOut]) -> str:
    """Return the error of predictions as a row of a table."""
    error = error_of(found)
    return (
        f"| {name} | {100 * error.median:.1f} % | {100 * error.mape:.1f} % |"
        f" {100 * error.within_10_percent:.0f} % |"
    )


def main() -> None:
    """Calibrate each runtime, and print errors as tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runtime", action="append", choices=list(RUNTIMES))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="for each measurement")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--family", action="append", choices=list(FAMILIES), help="only these")
    parser.add_argument("--keep", type=Path, help="folder for profiles and samples")
    args = parser.parse_args()
    for runtime in args.runtime or list(RUNTIMES):
        began = time.perf_counter()
        samples = measure_jobs(
            list(jobs(args.family)), runtime, args.threads, seconds=args.seconds,
            rounds=args.rounds, progress=lambda text, share: print(f"\r{share:4.0%} {text:40}",
                                                                   end="", flush=True),
        )  # fmt: skip
        measured = time.perf_counter() - began
        profile, found = profile_of(samples, runtime, args.threads)
        print(
            f"\r{words(profile)}: {profile.error.networks} networks of"
            f" {profile.error.families} families, {len(samples)} measured in {measured:.0f} s"
        )
        print("| left out by family | median | mean | within 10 % |\n|---|---|---|---|")
        print(line("kernels", found))
        print(line("macs alone", by_macs(samples)))
        print(f"{sum(s.unsteady for s in samples)} networks disagree between rounds")
        sums = [1e3 * (sum(s.seconds) / s.whole_seconds - 1) for s in samples]
        print(f"kernels add up to the whole within {fmean(map(abs, sums)) / 10:.1f} % on average")
        print(f"the interval of {profile.interval.covers:.0%} covers {coverage(found):.0%}")
        for each in sorted(found, key=lambda each: -abs(each.error)):
            print(
                f"  {each.network:24} {each.measured_ms:9.2f} ms, predicted"
                f" {each.predicted_ms:9.2f}  {each.error:+.1%}"
            )
        if args.keep:
            args.keep.mkdir(parents=True, exist_ok=True)
            keep(profile, args.keep / f"{runtime}.json")
            (args.keep / f"{runtime}-samples.json").write_bytes(msgspec.json.encode(samples))


if __name__ == "__main__":
    main()
