#!/usr/bin/env python3
"""Measures Vortex beside the scripts people write instead, in one run on this machine.

usage: scripts/bench [--quick] [--write] [--keep] [--profile] [PART ...]

Parts (all of them without any): first, update, minutes, nothing, latency, start, open, plan, import,
gateway, service.
--quick   few series and short history, by debug builds: shows that all works, its times mean little
--write   also writes docs/performance.md
--keep    leaves the archives in the bench's folder, and uses those that are there
--profile  also tells where the CPU time goes, from a run of its own of a build with symbols
VORTEXCTL_BIN  another vortexctl (else the small build of this tree)
VORTEX_BIN   another vortex to measure (else the release build of this tree)
BENCH_DIR    the bench's folder (else target/bench)

Each part ends with its aims; where one is missed the exit code is 1, with --quick where one is missed that counts
and does not time. CPU is user and system time of the program and all it starts; the server is a process of its own
whose CPU is not counted.
"""

import argparse
import collections
import datetime
import gzip
import json
import os
import pathlib
import platform
import re
import shutil
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
import zoneinfo

HERE = pathlib.Path(__file__).resolve().parent
PROJECT = HERE.parents[1]
BENCH_DIR = pathlib.Path(os.environ.get("BENCH_DIR", PROJECT / "target/bench"))
VORTEX = os.environ["VORTEX_BIN"] if "VORTEX_BIN" in os.environ else str(PROJECT / "target/release/vortex")
VORTEXCTL = os.environ.get("VORTEXCTL_BIN", str(PROJECT / "target/client/vortexctl"))
TARGET = os.environ.get("CARGO_TARGET_DIR", PROJECT / "target")
HELPER = pathlib.Path(TARGET) / os.environ.get("BENCH_PROFILE", "release") / "examples/bench"
GATEWAY = HELPER.with_name("ibkr-gateway")
PROFILED = HELPER.parents[2] / "profiling/vortex"
# What `faketime` preloads: the wrapper itself would be measured with what it starts.
FAKETIME = next(map(str, pathlib.Path("/usr/lib").glob("*/faketime/libfaketime.so.1")), "")
DAY = 86_400


class Run:
    """What one run of a program cost."""

    def __init__(self, wall, cpu, peak):
        self.wall, self.cpu, self.peak = wall, cpu, peak
        self.requests = None

    def cells(self):
        return [f"{self.cpu:.2f} s", f"{self.wall:.2f} s", f"{self.peak:.0f} MiB"]


def run(command, **options):
    """Runs a program to its end. GNU time tells the peak memory: a child of this process would be
    counted with the memory of this process."""
    told, said = BENCH_DIR / "time.txt", BENCH_DIR / "said.txt"
    with said.open("w") as both:
        begun = time.monotonic()
        timed = ["/usr/bin/time", "-f", "%M", "-o", told, *command]
        child = subprocess.Popen(timed, stdout=both, stderr=both, **options)
        _, status, used = os.wait4(child.pid, 0)
        wall = time.monotonic() - begun
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        words = " ".join(map(str, command))
        sys.exit(f"{words} ended with {child.returncode}:\n{said.read_text()[-4000:]}")
    peak = int(told.read_text().split()[-1]) / 1024
    return Run(wall, used.ru_utime + used.ru_stime, peak)


def fsyncs(command, **options):
    """The waits for the disk of a run; its times mean nothing."""
    told = BENCH_DIR / "strace.txt"
    run(["strace", "-f", "-c", "-e", "trace=fsync,fdatasync", "-o", told, *command], **options)
    rows = [line.split() for line in told.read_text().splitlines()]
    return sum(int(row[3]) for row in rows if row and row[-1] in ("fsync", "fdatasync"))


class Server:
    """The server of all programs, a process of its own."""

    def __init__(self):
        self.child = subprocess.Popen([HELPER, "serve"], stdout=subprocess.PIPE, text=True)
        self.url = self.child.stdout.readline().strip()
        self.set(latency=0)
        self.ahead = 0
        self.nights = self.last_nights()

    def set(self, **what):
        """Sets clock or latency; tells what was asked since."""
        query = "&".join(f"{key}={value}" for key, value in what.items())
        with urllib.request.urlopen(f"{self.url}/_bench?{query}") as answer:
            return json.load(answer)

    def set_clock(self, now):
        self.ahead = now - int(time.time())
        self.set(now=now)

    def requests(self):
        return self.set()["requests"]

    def last_nights(self):
        """Instants after the close of the last two sessions that are over by now: the clocks of before and
        after one new bar."""
        now = int(time.time())
        self.set(now=now)
        query = f"period1={now - 14 * DAY}&period2={now}&interval=1d&events="
        request = urllib.request.Request(
            f"{self.url}/v8/finance/chart/S0?{query}", headers={"accept-encoding": "gzip"}
        )
        with urllib.request.urlopen(request) as answer:
            stamps = json.loads(gzip.decompress(answer.read()))["chart"]["result"][0]["timestamp"]
        exchange = zoneinfo.ZoneInfo("America/New_York")
        at_four = [datetime.datetime.fromtimestamp(stamp, exchange).replace(hour=16, minute=0, second=0) for stamp in stamps]
        closes = [int(close.timestamp()) for close in at_four]
        return [min(close + 3600, now) for close in closes if close <= now][-2:]


class Bench:
    def __init__(self, options):
        self.options = options
        self.quick = options.quick
        self.series = 20 if self.quick else 500
        self.years = 2 if self.quick else 20
        self.tables = []
        self.aims = []
        self.judged = self.missed = 0
        shutil.rmtree(BENCH_DIR, ignore_errors=True) if not options.keep else None
        BENCH_DIR.mkdir(parents=True, exist_ok=True)
        self.server = Server()

    def first_date(self, years=None):
        today = datetime.date.fromtimestamp(self.server.nights[1])
        return today.replace(year=today.year - (years or self.years), day=min(today.day, 28)).isoformat()

    def symbols(self, count):
        path = BENCH_DIR / f"symbols-{count}.txt"
        path.write_text("".join(f"S{number}\n" for number in range(count)))
        return path

    def home(self, name):
        """A person's home whose archive is empty."""
        home = BENCH_DIR / name
        shutil.rmtree(home, ignore_errors=True)
        self.configure(home)
        return home

    def configure(self, home):
        """The configuration in force: what is built in, but for the address and how fast to ask."""
        folder = home / ".config/vortex"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.toml").write_text(
            f'[providers.yahoo]\nbase_url = "{self.server.url}"\nrequests_per_minute = 1000000\nconcurrency = 4\n'
        )

    def environment(self, home):
        """A person's, by whose clock it is as late as by the server's: else Vortex would say that one is wrong."""
        clock = {"LD_PRELOAD": FAKETIME, "FAKETIME": f"{self.server.ahead:+d}", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
        return {"HOME": str(home), "PATH": os.environ["PATH"], **(clock if self.server.ahead else {})}

    def vortex(self, home, *arguments, counted=False):
        options = {"env": self.environment(home), "cwd": home}
        self.server.requests()
        if counted:
            return fsyncs([VORTEX, *map(str, arguments)], **options)
        done = run([VORTEX, *map(str, arguments)], **options)
        done.requests = self.server.requests()
        return done

    def download_words(self, symbols, years=None, period="1d"):
        return ["download", "--symbols-file", symbols, "--period", period, "--start-date", self.first_date(years)]

    def download(self, home, symbols, years=None, period="1d", **options):
        return self.vortex(home, *self.download_words(symbols, years, period), **options)

    def profile(self, part, what, home, *arguments):
        """Where the CPU time of a run goes; only where it was asked for."""
        if not self.options.profile:
            return
        data = BENCH_DIR / "perf.data"
        record = ["perf", "record", "--quiet", "--freq", "1999", "--output", data, PROFILED, *map(str, arguments)]
        run(record, env=self.environment(home), cwd=home)
        report = ["perf", "report", "--quiet", "--stdio", "--no-children", "--fields", "overhead,symbol", "--input", data]
        told = subprocess.run([*report, "--field-separator", "|"], capture_output=True, text=True, check=True).stdout
        shares = collections.Counter()
        for share, _, symbol in (line.partition("|") for line in told.splitlines() if "%|" in line.replace(" ", "")):
            shares[part_of_program(symbol.strip())] += float(share.strip().rstrip("%"))
        rows = [[place, f"{share:.0f} %"] for place, share in shares.most_common() if share >= 1]
        self.table(part, f"Where the CPU time goes: {what}", ["", "share"], rows, ["By `perf`; what has less than one per cent is left out."])

    def script(self, mode, folder, symbols):
        self.server.requests()
        script = [os.environ["VORTEX_PEERS"], HERE / "script.py", mode, self.server.url, folder, symbols]
        done = run([*script, self.first_date()])
        done.requests = self.server.requests()
        return done

    def bare(self, mode, folder, symbols, counted=False):
        """The program that does no more than a download needs."""
        self.server.requests()
        command = [HELPER, "bare", mode, self.server.url, folder, symbols, self.first_date()]
        if counted:
            return fsyncs(command)
        done = run(command)
        done.requests = self.server.requests()
        return done

    def yesterday(self):
        self.server.set_clock(self.server.nights[0])

    def today(self):
        self.server.set_clock(self.server.nights[1])

    def warm(self):
        """Lets the server make its answers before anything is measured."""
        few = self.symbols(4)
        self.download(self.home("warm"), few)
        self.script("first", BENCH_DIR / "warm-script", few)
        self.bare("first", BENCH_DIR / "warm-bare", few)

    def table(self, part, title, header, rows, notes=()):
        self.tables.append((part, title, header, rows, notes))
        print(f"\n{markdown(title, header, rows, notes)}", flush=True)

    def aim(self, what, measured, most=None, least=None, unit="", counted=False):
        """What was aimed at, and whether it was reached; what is counted does not depend on the machine."""
        met = measured <= most if least is None else measured >= least
        aimed = f"at most {most:,}{unit}" if least is None else f"at least {least:,}{unit}"
        shown = f"{measured:,.2f}" if isinstance(measured, float) else f"{measured:,}"
        self.aims.append([what, aimed, f"{shown}{unit}", "yes" if met else "no"])
        judged = counted or not self.quick
        self.judged += judged
        self.missed += judged and not met

    # The parts.

    def first(self):
        self.yesterday()
        self.warm()
        symbols = self.symbols(self.series)
        ours = self.download(self.home("first"), symbols)
        files = archive_files(BENCH_DIR / "first")
        script = self.script("first", BENCH_DIR / "first-script", symbols)
        threads = self.script("threads", BENCH_DIR / "first-threads", symbols)
        bare = self.bare("first", BENCH_DIR / "first-bare", symbols)
        bare_waits = self.bare("first", BENCH_DIR / "first-bare-counted", symbols, counted=True)
        waits = self.download(self.home("first-counted"), symbols, counted=True)
        rows = [
            ["vortex", *ours.cells(), ours.requests, files, waits],
            ["bare program", *bare.cells(), bare.requests, 2 * self.series, bare_waits],
            ["yfinance, one by one", *script.cells(), script.requests, 2 * self.series, 0],
            ["yf.download, threads", *threads.cells(), threads.requests, 2 * self.series, 0],
            ["script / vortex", *ratios(script, ours), "", "", ""],
            ["vortex / bare program", *ratios(ours, bare), "", "", ""],
        ]
        self.table(
            "first",
            f"First download: {self.series} symbols, {self.years} years of daily bars",
            ["", "CPU", "wall", "peak", "requests", "files", "fsyncs"],
            rows,
            [f"vortex has each answer in its raw trail as well, {size(raw_trail(BENCH_DIR / 'first'))}; the bare program too, {size(BENCH_DIR / 'first-bare/raw')}."],
        )
        self.profile("first", "first download", self.home("first-profiled"), *self.download_words(symbols))
        self.aim("first download: CPU of the script", script.cpu / ours.cpu, least=12, unit="×")
        self.aim("first download: wall time of the script", script.wall / ours.wall, least=15, unit="×")
        self.aim("first download: memory", ours.peak, most=32, unit=" MiB")
        self.aim("first download: requests", ours.requests, most=self.series, counted=True)
        self.aim("first download: files", files, most=2 * self.series, counted=True)
        self.aim("first download: waits for the disk", waits, most=5 * self.series, counted=True)

    def update(self):
        symbols = self.symbols(self.series)
        self.yesterday()
        for name, years in (("update", self.years), ("update-short", 1)):
            self.download(self.home(name), symbols, years)
            shutil.copytree(BENCH_DIR / name, BENCH_DIR / f"{name}-counted", dirs_exist_ok=True)
        shutil.copytree(BENCH_DIR / "update", BENCH_DIR / "update-profiled", dirs_exist_ok=True)
        self.script("first", BENCH_DIR / "update-script", symbols)
        shutil.copytree(BENCH_DIR / "update-script", BENCH_DIR / "update-usual", dirs_exist_ok=True)
        self.bare("first", BENCH_DIR / "update-bare", symbols)
        shutil.copytree(BENCH_DIR / "update-bare", BENCH_DIR / "update-bare-counted", dirs_exist_ok=True)
        self.today()
        rows, runs = [], {}
        for name, years in (("update", self.years), ("update-short", 1)):
            before = archive_state(BENCH_DIR / name)
            runs[name] = done = self.download(BENCH_DIR / name, symbols, years)
            written = len(archive_state(BENCH_DIR / name).items() - before.items())
            waits = self.download(BENCH_DIR / f"{name}-counted", symbols, years, counted=True)
            rows.append([f"vortex, {years_of(years)}", *done.cells(), each(done, self.series), done.requests, written, waits])
        usual = self.script("usual", BENCH_DIR / "update-usual", symbols)
        script = self.script("update", BENCH_DIR / "update-script", symbols)
        bare = self.bare("update", BENCH_DIR / "update-bare", symbols)
        waits = self.bare("update", BENCH_DIR / "update-bare-counted", symbols, counted=True)
        files = 2 * self.series
        label = f"bare program, {years_of(self.years)}"
        rows.append([label, *bare.cells(), each(bare, self.series), bare.requests, files, waits])
        for label, one in (("usual script, pandas", usual), ("fastest script, pyarrow", script)):
            rows.append([f"{label}, {years_of(self.years)}", *one.cells(), each(one, self.series), one.requests, files, files])
        ratio, fastest = usual.cpu / runs["update"].cpu, script.cpu / runs["update"].cpu
        growth = runs["update"].cpu / runs["update-short"].cpu
        self.table(
            "update",
            f"One new daily bar: {self.series} series",
            ["", "CPU", "wall", "peak", "CPU a series", "requests", "files", "fsyncs"],
            rows,
            [
                f"usual script / vortex, CPU: {ratio:.1f}; fastest script / vortex: {fastest:.1f}.",
                f"{years_of(self.years)} / 1 year, CPU of vortex: {growth:.2f}; vortex / bare program: {runs['update'].cpu / bare.cpu:.2f}.",
            ],
        )
        self.profile("update", "one new daily bar", BENCH_DIR / "update-profiled", *self.download_words(symbols))
        self.aim("update: CPU of the usual script", ratio, least=30, unit="×")
        self.aim("update: CPU of 20 years beside 1 year", growth, most=1.6, unit="×")
        for at, name in ((5, "requests"), (6, "files")):
            self.aim(f"update: {name} of 20 years beside 1 year", rows[0][at] - rows[1][at], most=0, counted=True)
        # How many series share a wait follows from when their answers come.
        self.aim("update: waits for the disk of 20 years beside 1 year", rows[0][7] / rows[1][7], most=1.05, unit="×")
        self.aim("update: waits for the disk", rows[0][7], most=5 * self.series, counted=True)

    def minutes(self):
        series = 2 if self.quick else 10
        long = 1 if self.quick else 10
        symbols = self.symbols(series)
        rows, cpu = [], {}
        for name, days in (("minutes-month", 28), ("minutes-long", 365 * long)):
            self.yesterday()
            home, first = self.home(name), self.server.nights[0] - days * DAY
            self.fill(home, "1m", series, first, self.server.nights[0])
            counted = BENCH_DIR / f"{name}-counted"
            shutil.rmtree(counted, ignore_errors=True)
            shutil.copytree(home, counted)
            self.today()
            self.download(self.home("warm"), self.symbols(4), period="1m", years=1)
            before = archive_state(home)
            arguments = ["download", "--symbols-file", symbols, "--period", "1m"]
            done = self.vortex(home, *arguments)
            written = len(archive_state(home).items() - before.items())
            waits = self.vortex(counted, *arguments, counted=True)
            cpu[name] = done.cpu
            label = "1 month" if days == 28 else years_of(long)
            rows.append([label, *done.cells(), each(done, series), done.requests, written, waits])
        self.table(
            "minutes",
            f"One new session of 1-minute bars: {series} series",
            ["stored", "CPU", "wall", "peak", "CPU a series", "requests", "files", "fsyncs"],
            rows,
            [f"{years_of(long)} / 1 month, CPU: {cpu['minutes-long'] / cpu['minutes-month']:.2f}."],
        )
        self.aim("minutes: CPU of 10 years beside 1 month", cpu["minutes-long"] / cpu["minutes-month"], most=1.3, unit="×")

    def nothing(self):
        series = 200 if self.quick else 5000
        symbols = self.symbols(series)
        self.today()
        home = BENCH_DIR / "nothing"
        if home.exists() and self.options.keep:
            self.configure(home)
        else:
            self.download(self.home("nothing"), symbols)
        done = self.download(home, symbols)
        before = archive_state(home)
        runs = [self.download(home, symbols) for _ in range(3)]
        touched = len(archive_state(home).items() ^ before.items())
        done, requests = min(runs, key=lambda one: one.cpu), sum(one.requests for one in runs)
        waits = self.download(home, symbols, counted=True)
        self.table(
            "nothing",
            f"Nothing new: {series} series of {years_of(self.years)}, best of 3",
            ["", "CPU", "wall", "peak", "requests of all", "files touched", "fsyncs"],
            [["vortex", *done.cells(), requests, touched, waits]],
        )
        self.aim("nothing new: CPU", done.cpu, most=0.5, unit=" s")
        self.aim("nothing new: memory", done.peak, most=24, unit=" MiB")
        self.aim("nothing new: requests and files touched", requests + touched, most=0, counted=True)

    def latency(self):
        series = 20 if self.quick else 200
        symbols = self.symbols(series)
        self.yesterday()
        self.warm()
        self.server.set(latency=100)
        done = self.download(self.home("latency"), symbols)
        self.server.set(latency=0)
        # One request a series is what it takes.
        alone = series * 0.1 / 4
        self.table(
            "latency",
            f"100 ms of latency, 4 connections: first download of {series} series, {years_of(self.years)}",
            ["", "wall", "latency alone", "ratio", "requests"],
            [["vortex", f"{done.wall:.2f} s", f"{alone:.2f} s", f"{done.wall / alone:.2f}", done.requests]],
        )
        self.aim("100 ms of latency: beside the latency alone", done.wall / alone, most=1.2, unit="×")

    def start(self):
        times = 20 if self.quick else 200
        home = self.home("start")
        rows, helps = [], []
        for words in (["--help"], ["--version"], ["download", "--help"]):
            walls = sorted(quick_wall([VORTEX, *words], home) for _ in range(times))
            helps = walls if words == ["--help"] else helps
            peak = self.vortex(home, *words).peak
            rows.append(
                ["vortex " + " ".join(words), ms(statistics.median(walls)), ms(walls[0]), ms(walls[-1 - times // 20]), f"{peak:.1f} MiB"]
            )
        empty = sorted(quick_wall(["/bin/true"], home) for _ in range(times))
        rows.append(["/bin/true", ms(statistics.median(empty)), ms(empty[0]), ms(empty[-1 - times // 20]), ""])
        self.aim("vortex --help", statistics.median(helps) * 1000, most=10, unit=" ms")
        self.table("start", f"Start-up, {times} times each", ["", "median", "best", "95 of 100", "peak"], rows)

    def open(self):
        rows = []
        large = 100 if self.quick else 10_000
        for series in (10, large):
            home = self.large(series)
            few = self.symbols(1)
            for label, words in (
                ("archive list, one series", ["archive", "list", "S0"]),
                ("archive list, all", ["archive", "list"]),
                ("download, nothing new in one series", ["download", "--symbols-file", few, "--period", "1h"]),
            ):
                self.vortex(home, *words)
                runs = [self.vortex(home, *words) for _ in range(5)]
                best = min(runs, key=lambda one: one.wall)
                if series == large:
                    self.aim(f"opening, {label}", best.wall * 1000, most=200, unit=" ms")
                    self.aim(f"opening, {label}: memory", best.peak, most=64, unit=" MiB")
                rows.append([f"{series:,}", label, ms(best.wall), ms(best.cpu), f"{best.peak:.0f} MiB", best.requests])
        self.table(
            "open",
            "Opening an archive: 10 partitions a series, best of 5",
            ["series", "command", "wall", "CPU", "peak", "requests"],
            rows,
            ["The archives lie on a tmpfs; a partition holds a bar a session of one year."],
        )
        self.profile("open", f"a list of {large:,} series", home, "archive", "list")

    def plan(self):
        """Forty futures, twenty years, four periods: what is asked for on which day, with nothing in the archive
        and with all of it."""
        count, years = (4, 2) if self.quick else (40, 20)
        home = pathlib.Path("/dev/shm/vortex-bench/plan")
        shutil.rmtree(home, ignore_errors=True)
        self.configure(home)
        start = datetime.date.today().replace(day=1)
        start = start.replace(year=start.year - years).isoformat()
        cycles = ["FGHJKMNQUVXZ", "GJMQVZ", "HKNUZ", "HMUZ"]
        future = {
            f"F{number:02}": {"code": f"F{number:02}", "cycle": cycles[number % 4], "periods": "1d,1h,30m,15m", "start_date": start}
            for number in range(count)
        }
        (home / "futures.json").write_text(json.dumps({"future": future}))
        words = ["download", "--provider", "barchart", "--assets", home / "futures.json", "--dry-run"]
        options = {"env": {"HOME": str(home), "PATH": os.environ["PATH"]}, "cwd": home}
        planned = subprocess.run([VORTEX, *map(str, words), "--json"], capture_output=True, check=True, **options).stdout
        series = len(json.loads(planned)["series"])
        (home / "plan.json").write_bytes(planned)
        rows = []
        for label in ("nothing", "all of it"):
            if label == "all of it":
                run([HELPER, "contracts", home / ".local/share/vortex", home / "plan.json", str(int(time.time()))])
            runs = [self.vortex(home, *words) for _ in range(5)]
            best = min(runs, key=lambda one: one.wall)
            rows.append([label, *best.cells()])
            self.aim(f"planning {series:,} series, {label} in the archive", best.wall * 1000, most=100, unit=" ms")
        shutil.rmtree(home)
        self.table(
            "plan",
            f"Planning {count} futures, {years_of(years)}, 4 periods: {series:,} series, best of 5",
            ["in the archive", "CPU", "wall", "peak"],
            rows,
            ["The archive lies on a tmpfs."],
        )

    def service(self):
        times = 20 if self.quick else 200
        rows = []
        large = self.large(100 if self.quick else 10_000)
        with Daemon(large) as daemon:
            for words, aimed in ((["ping"], 10), (["status"], 50)):
                walls = sorted(quick_wall([VORTEXCTL, *words], large, daemon.env) for _ in range(times))
                done = run([VORTEXCTL, *words], env=daemon.env, cwd=large)
                rows.append(["vortexctl " + words[0], ms(statistics.median(walls)), ms(walls[-1 - times // 20]), f"{done.peak:.1f} MiB"])
                self.aim(f"vortexctl {words[0]}, {daemon.series()} series", statistics.median(walls) * 1000, most=aimed, unit=" ms")
                self.aim(f"vortexctl {words[0]}: memory", done.peak, most=8, unit=" MiB")
            title = f"Asking the service about {daemon.series()} series, {times} times each"
        self.table("service", title, ["", "median", "95 of 100", "peak"], rows)
        home = self.home("service")
        stocks = ", ".join(f'"S{number:03}": {{"code": "SPY"}}' for number in range(50 if self.quick else 500))
        (home / "list.json").write_text(f'{{"stock": {{{stocks}}}}}')
        (home / ".config/vortex/config.toml").write_text(
            f'[general]\ndefault_provider = "sample"\n[watchlists.all]\nassets = "{home}/list.json"\n'
        )
        with Daemon(home) as daemon:
            run([VORTEXCTL, "update", "--watchlist", "all", "--wait"], env=daemon.env, cwd=home)
            rows = [["right after a job of 500 series", *daemon.held(), "", ""]]
            # What is measured is that nothing happens meanwhile.
            time.sleep(10 if self.quick else 240)
            before = daemon.awake()
            time.sleep(10 if self.quick else 60)
            after = daemon.awake()
            rows.append(["five minutes later", *daemon.held(), *(now - then for now, then in zip(after, before))])
            self.aim("idle: RssAnon five minutes after a job of 500 series", daemon.held()[0], most=15 * 1024, unit=" KiB")
            self.aim("idle: CPU in a minute", after[1] - before[1], most=1, unit=" ticks")
        header = ["", "RssAnon, KiB", "threads", "wake-ups in a minute", "CPU in a minute, ticks"]
        self.table("service", "The idle service, without a watchdog", header, rows)

    def import_(self):
        """Files as Barchart exports them, taken into an empty archive by each."""
        megabytes, folder = 5 if self.quick else 100, BENCH_DIR / "exports"
        script = [os.environ["VORTEX_PEERS"], HERE / "exports.py"]
        shutil.rmtree(folder, ignore_errors=True)
        said = subprocess.run([*script, "make", folder, str(megabytes)], check=True, capture_output=True, text=True)
        runs = {"vortex import": [], "pandas": [], "pandas, pyarrow writes": []}
        for _ in range(1 if self.quick else 3):
            runs["vortex import"].append(self.vortex(self.home("import"), "import", folder))
            for label, mode in (("pandas", "pandas"), ("pandas, pyarrow writes", "pyarrow")):
                shutil.rmtree(BENCH_DIR / "import-script", ignore_errors=True)
                runs[label].append(run([*script, mode, folder, BENCH_DIR / "import-script"]))
        best = {label: min(some, key=lambda one: one.wall) for label, some in runs.items()}
        ours, theirs = best["vortex import"], best["pandas"]
        rows = [[label, *one.cells(), f"{megabytes / one.wall:.0f} MB/s"] for label, one in best.items()]
        rows.append(["pandas / vortex", *ratios(theirs, ours), ""])
        self.table(
            "import",
            f"Import of {megabytes} MB of minute bars: {said.stdout.strip()}",
            ["", "CPU", "wall", "peak", "read"],
            rows,
            ["vortex has each file in its raw trail as well, its catalogue, and every Parquet file in the one schema."],
        )
        self.profile("import", "import", self.home("import-profiled"), "import", folder)
        self.aim("import: wall time of pandas", theirs.wall / ours.wall, least=20, unit="×")

    def gateway(self):
        """A year of minute bars from a gateway that answers at once, and keeps the broker's limits."""
        start = datetime.date.today() - datetime.timedelta(20 if self.quick else 380)
        words = ["download", "-p", "ibkr", "-s", "S0001", "--period", "1m", "--start-date", start]
        home = self.home("gateway")
        with Gateway(home) as gateway:
            done = self.vortex(home, *words)
            played, counts = cpu_of(gateway.child.pid), gateway.counts()
        allowed = counts["ten_minutes_most"] * 10
        self.table(
            "gateway",
            f"{counts['bars']:,} one-minute bars from a gateway",
            ["", "CPU", "wall", "peak", "requests"],
            [
                ["vortex", *done.cells(), len(counts["history"])],
                ["the gateway that plays", f"{played:.2f} s", "", "", ""],
                ["as many, where sixty were used already", "", f"{allowed:.0f} s", "", counts["ten_minutes_most"]],
            ],
            [
                "The gateway answers at once and refuses what is over a limit. What is waited for is the limit for one contract,"
                " five requests in two seconds; sixty in ten minutes are one in ten seconds for whoever asks for more."
            ],
        )
        if self.options.profile:
            home = self.home("gateway-profiled")
            with Gateway(home):
                self.profile("gateway", "minute bars from a gateway", home, *words)
        self.aim("gateway: bars", counts["bars"], least=1_000 if self.quick else 100_000, counted=True)
        self.aim("gateway: CPU beside the wall time", 100 * done.cpu / done.wall, most=20, unit=" %")
        self.aim("gateway: memory", done.peak, most=64, unit=" MiB")
        self.aim("gateway: requests over a limit", len(counts["violations"]), most=0, counted=True)

    def large(self, series):
        """An archive of ten partitions a series, on a tmpfs: it would take very long to make on a disk."""
        home = pathlib.Path(f"/dev/shm/vortex-bench/{series}")
        if self.options.keep and home.exists():
            self.configure(home)
            return home
        shutil.rmtree(home, ignore_errors=True)
        self.configure(home)
        year = datetime.date.fromtimestamp(self.server.nights[0]).year
        first = int(datetime.datetime(year - 9, 1, 2, tzinfo=datetime.timezone.utc).timestamp())
        self.fill(home, "1h", series, first, self.server.nights[1])
        return home

    def fill(self, home, period, series, first, now):
        first = datetime.date.fromtimestamp(first).isoformat()
        run([HELPER, "fill", home / ".local/share/vortex", period, str(series), first, str(now)])


class Gateway:
    """A gateway that plays Interactive Brokers for the one whose home this is."""

    def __init__(self, home):
        self.child = subprocess.Popen([GATEWAY, "--port", "0"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        port = self.child.stdout.readline().strip().rpartition(":")[2]
        (home / ".config/vortex/config.toml").write_text(f"[providers.ibkr]\nport = {port}\n")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.child.kill()
        self.child.wait()

    def counts(self):
        print("counts", file=self.child.stdin, flush=True)
        return json.loads(self.child.stdout.readline())


class Daemon:
    """A service on its private socket, as its packaged unit runs it."""

    def __init__(self, home):
        self.env = {
            "HOME": str(home), "PATH": os.environ["PATH"], "XDG_RUNTIME_DIR": str(home),
            "MALLOC_ARENA_MAX": "1", "MALLOC_TRIM_THRESHOLD_": "65536",
        }

    def __enter__(self):
        path = pathlib.Path(self.env["HOME"]) / "notify"
        path.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
            told.bind(str(path))
            told.settimeout(60)
            command = [VORTEX, "daemon", "--bus", "private"]
            environment = {**self.env, "NOTIFY_SOCKET": str(path)}
            self.child = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
            while b"READY=1" not in told.recv(4096):
                pass
        # From here on there is nobody to tell, as without a manager.
        path.unlink()
        return self

    def __exit__(self, *_):
        self.child.terminate()
        self.child.wait()

    def series(self):
        told = subprocess.run([VORTEXCTL, "--json", "status"], env=self.env, capture_output=True, check=True)
        return json.loads(told.stdout)["series_count"]

    def held(self):
        """RssAnon in KiB, threads."""
        status = pathlib.Path(f"/proc/{self.child.pid}/status").read_text()
        return [int(re.search(rf"^{name}:\s*(\d+)", status, re.M)[1]) for name in ("RssAnon", "Threads")]

    def awake(self):
        """Wake-ups of the thread that is always there, and the clock ticks of all."""
        status = pathlib.Path(f"/proc/{self.child.pid}/status").read_text()
        fields = pathlib.Path(f"/proc/{self.child.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return int(re.search(r"^voluntary_ctxt_switches:\s*(\d+)", status, re.M)[1]), int(fields[11]) + int(fields[12])


# What C libraries and the system's are, by how their functions begin.
KNOWN = [
    (r"\[k\]", "the kernel: files, syncs, sockets, memory"),
    (r"ZSTD|HUF_|FSE_|XXH|HIST_|zstd", "zstd: raw trail, Parquet, coverage"),
    (r"sqlite3|.*sqlite", "SQLite: the catalogue"),
    (r"(__)?mem(cpy|move|set|cmp|chr)|__.*_(avx|sse)|_?int_(malloc|free)|malloc|free|realloc|calloc|cfree|unlink_chunk|sysmalloc", "copies and allocations"),
]
CRATES = {
    "zlib_rs": "inflate: answers", "miniz_oxide": "inflate: answers", "flate2": "inflate: answers", "libz_rs_sys": "inflate: answers",
    "serde_json": "JSON: answers", "zmij": "numbers written", "ryu": "numbers written", "sha2": "hashes", "blake3": "hashes",
    "parquet": "Parquet", "arrow_array": "Parquet", "arrow_buffer": "Parquet", "arrow_data": "Parquet",
    "tokio": "HTTP and waiting", "hyper": "HTTP and waiting", "hyper_util": "HTTP and waiting", "reqwest": "HTTP and waiting", "mio": "HTTP and waiting",
    "core": "Rust's library", "alloc": "Rust's library", "std": "Rust's library", "hashbrown": "Rust's library",
}


def part_of_program(symbol):
    """The part of the program a function belongs to, by its name."""
    for pattern, place in KNOWN:
        if re.match(pattern, symbol.removeprefix("[.] ")):
            return place
    name = symbol.removeprefix("[.] ")
    path = re.match(r"<*(?:&|mut |dyn )*([A-Za-z0-9_]+(?:::[A-Za-z0-9_]+)*)", name)
    words = path[1].split("::") if path else [name]
    if words[0] == "vortex":
        return f"`{'/'.join(words[1:3])}`"
    return CRATES.get(words[0], words[0])


def cpu_of(process):
    """The CPU time of a process so far, in seconds."""
    fields = pathlib.Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def quick_wall(command, home, env=None):
    begun = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True, env=env or {"HOME": str(home)})
    return time.perf_counter() - begun


def archive_files(home):
    """CSV and Parquet files of an archive."""
    return sum(1 for path in archive_state(home) if path.endswith((".csv", ".parquet")))


def archive_state(home):
    """Inode, size and change of each CSV and Parquet file."""
    found = {}
    for folder, _, names in os.walk(home / ".local/share/vortex/yahoo"):
        for name in names:
            of = os.stat(os.path.join(folder, name))
            found[os.path.join(folder, name)] = (of.st_ino, of.st_size, of.st_mtime_ns)
    return found


def raw_trail(home):
    return home / ".local/share/vortex/raw"


def size(folder):
    bytes_ = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return f"{bytes_ / 2**20:.0f} MiB"


def ms(seconds):
    return f"{seconds * 1000:.1f} ms"


def each(done, series):
    return ms(done.cpu / series)


def years_of(years):
    return "1 year" if years == 1 else f"{years} years"


def ratios(theirs, ours):
    pairs = [(theirs.cpu, ours.cpu), (theirs.wall, ours.wall), (theirs.peak, ours.peak)]
    return [f"{a / b:.1f}×" for a, b in pairs]


def markdown(title, header, rows, notes):
    lines = [f"### {title}", "", row(header), row(["---"] * len(header)), *map(row, rows)]
    return "\n".join([*lines, *(f"\n{note}" for note in notes)])


def row(cells):
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def machine():
    """What was measured on."""
    model = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    memory = re.search(r"MemTotal:\s*(\d+)", pathlib.Path("/proc/meminfo").read_text())
    versions = subprocess.run(
        [os.environ["VORTEX_PEERS"], "-c", "import sys, yfinance, pandas, pyarrow as a; print('Python', sys.version.split()[0] + ', yfinance', yfinance.__version__ + ', pandas', pandas.__version__ + ', pyarrow', a.__version__)"],
        capture_output=True, text=True, check=True,
    ).stdout.strip()
    vortex = subprocess.run([VORTEX, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    cpu = model[1] if model else platform.machine()
    return f"{os.cpu_count()} cores ({cpu}), {int(memory[1]) // 2**20} GiB, Linux {platform.release()}; {vortex}; {versions}"


PARTS = ["first", "update", "minutes", "nothing", "latency", "start", "open", "plan", "import", "gateway", "service"]


def write_page(bench):
    """Puts what was measured in the place of what stands in the page of these parts."""
    page = PROJECT / "docs/performance.md"
    head, _, rest = page.read_text().partition("<!-- measured -->\n")
    measured, _, tail = rest.partition("<!-- end -->")
    parts = dict(re.findall(r"(<!-- part \w+ -->\n)(.*?)(?=<!-- part |\Z)", measured, re.S))
    for part in dict.fromkeys(part for part, *_ in bench.tables):
        lines = [f"Measured {datetime.date.today()} on {machine()}, by `scripts/bench {part}`.", ""]
        for _, *table in (one for one in bench.tables if one[0] == part):
            lines += [markdown(*table), ""]
        parts[f"<!-- part {part} -->\n"] = "\n".join(lines) + "\n"
    marks = [f"<!-- part {part} -->\n" for part in PARTS]
    page.write_text(head + "<!-- measured -->\n" + "".join(mark + parts[mark] for mark in marks if mark in parts) + "<!-- end -->" + tail)


def main():
    if "-h" in sys.argv or "--help" in sys.argv:
        print(__doc__)
        return
    parser = argparse.ArgumentParser(usage="scripts/bench [--quick] [--write] [--keep] [--profile] [PART ...]")
    for option in ("--quick", "--write", "--keep", "--profile"):
        parser.add_argument(option, action="store_true")
    parser.add_argument("parts", nargs="*", metavar="PART", choices=[*PARTS, []])
    options = parser.parse_args()
    bench = Bench(options)
    try:
        for part in PARTS:
            if part in options.parts or not options.parts:
                bench.aims = []
                getattr(bench, "import_" if part == "import" else part)()
                bench.table(part, f"Aims: {part}", ["", "aim", "measured", "reached"], bench.aims)
    finally:
        bench.server.child.kill()
    print(f"\n{bench.missed} of {bench.judged} aims that count missed")
    if options.write:
        write_page(bench)
    sys.exit(1 if bench.missed else 0)


if __name__ == "__main__":
    main()
