#!/usr/bin/env python3
"""Looks for how many series machines of four sizes carry, and writes it to docs/sizing.md.

A size carries so many daily series as it brings up to date by a day in half a minute of all its cores. A few hundred tell
how many these may be, and so many are measured then.

usage: scripts/sizing [--quick] [--write] [SIZE ...]

Sizes (all of them without any): half, one, several, high.
--quick   few series: shows that all works, its numbers mean little
--write   also writes docs/sizing.md

The service runs in a control group whose cores and memory the kernel limits; the provider that it asks does not. Needs root.
"""

import argparse
import datetime
import json
import os
import pathlib
import platform
import re
import shutil
import signal
import subprocess
import sys
import time

from measure import BENCH_DIR, GATEWAY, HELPER, PROJECT, VORTEX, VORTEXCTL, DAY, Server, markdown

PLACE = BENCH_DIR / "sizing"
MIB = 2**20
YEARS = 20
# The criterion: what a day's update may take of all the cores, in seconds.
MOST = 30
# So many series tell what one costs.
PROBE = 400


class Size:
    """A machine's size, and what it is given beside its daily series."""

    def __init__(self, title, cores, memory, minutes=0, several=False):
        self.title, self.cores, self.memory = title, cores, memory
        self.minutes, self.several = minutes, several


SIZES = {
    "half": Size("Half a core, 512 MB", 0.5, 512 * MIB),
    "one": Size("One core, 1 GB", 1, 1024 * MIB),
    "several": Size("Several providers: one core, 1 GB", 1, 1024 * MIB, several=True),
    "high": Size("High volume: two cores, 2 GB", 2, 2048 * MIB, minutes=20),
}


class Limited:
    """A control group of version 1 or 2 with a limit of cores and memory."""

    def __init__(self, size):
        first, root = pathlib.Path("/sys/fs/cgroup/memory"), pathlib.Path("/sys/fs/cgroup")
        self.old = first.is_dir()
        self.folders = [place / f"vortex-sizing-{os.getpid()}" for place in ([first, root / "cpu", root / "cpuacct"] if self.old else [root])]
        if not self.old:
            (root / "cgroup.subtree_control").write_text("+cpu +memory")
        for folder in self.folders:
            folder.mkdir()
        quota = int(size.cores * 100_000)
        if self.old:
            self.set(0, "memory.limit_in_bytes", size.memory)
            self.set(1, "cpu.cfs_period_us", 100_000)
            self.set(1, "cpu.cfs_quota_us", quota)
        else:
            self.set(0, "memory.max", size.memory)
            self.set(0, "memory.swap.max", 0)
            self.set(0, "cpu.max", f"{quota} 100000")

    def set(self, at, name, value):
        (self.folders[at] / name).write_text(str(value))

    def enter(self):
        for folder in self.folders:
            (folder / "cgroup.procs").write_text(str(os.getpid()))

    def cpu(self):
        """Seconds so far, of all that ran in it."""
        if self.old:
            return int((self.folders[2] / "cpuacct.usage").read_text()) / 1e9
        return int(re.search(r"usage_usec (\d+)", (self.folders[0] / "cpu.stat").read_text())[1]) / 1e6

    def denied(self):
        """How often the limit of memory killed something."""
        file = "memory.oom_control" if self.old else "memory.events"
        return int(re.search(r"^oom_kill (\d+)", (self.folders[0] / file).read_text(), re.M)[1])

    def remove(self):
        for folder in self.folders:
            folder.rmdir()


class Service:
    """`vortex daemon` in a control group, and vortexctl outside of it."""

    def __init__(self, home, limited):
        self.home, self.limited = home, limited
        self.env = {
            "HOME": str(home), "PATH": os.environ["PATH"], "XDG_RUNTIME_DIR": str(home / "run"),
            # As the packaged unit says.
            "MALLOC_ARENA_MAX": "1", "MALLOC_TRIM_THRESHOLD_": "65536",
        }

    def __enter__(self):
        (self.home / "run").mkdir(exist_ok=True, mode=0o700)
        log = (self.home / "log").open("a")
        self.child = subprocess.Popen(
            [VORTEX, "daemon", "--bus", "private"], env=self.env, stderr=log, stdout=log, preexec_fn=self.limited.enter
        )
        while self.ctl("ping", check=False).returncode != 0:
            if self.child.poll() is not None:
                sys.exit(f"the service ended: {(self.home / 'log').read_text()[-4000:]}")
            time.sleep(0.05)
        return self

    def __exit__(self, *_):
        self.child.send_signal(signal.SIGTERM)
        self.child.wait()

    def ctl(self, *arguments, check=True):
        done = subprocess.run([VORTEXCTL, "--json", *arguments], env=self.env, capture_output=True, text=True)
        if check and done.returncode != 0:
            sys.exit(f"vortexctl {' '.join(arguments)} ended with {done.returncode}: {done.stdout} {done.stderr}")
        return done

    def status(self, name):
        """A line of the kernel's about the service, in MiB."""
        return int(re.search(rf"^{name}:\s*(\d+)", pathlib.Path(f"/proc/{self.child.pid}/status").read_text(), re.M)[1]) / 1024

    def update(self, *arguments):
        """A job from request to end: seconds on the clock, seconds of CPU, the most memory so far."""
        wall, cpu = time.monotonic(), self.limited.cpu()
        self.ctl("update", *arguments, "--wait")
        return [time.monotonic() - wall, self.limited.cpu() - cpu, self.status("VmHWM")]


class Played:
    """The servers that play the other providers, for as long as something is measured."""

    def __enter__(self):
        site = [GATEWAY.with_name("barchart-server"), "--port", "0", "--limit", "1000"]
        self.children = []
        self.barchart = self.play(site).rpartition(" ")[2]
        self.gateway = self.play([GATEWAY, "--port", "0"]).rpartition(":")[2]
        return self

    def play(self, command):
        child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.children.append(child)
        return child.stdout.readline().strip()

    def __exit__(self, *_):
        for child in self.children:
            child.kill()
            child.wait()

    def configuration(self, folder):
        """Lists of their own: two futures with all their contracts of some years, and ten stocks."""
        start = f"{datetime.date.today().year - 8}-01-02"
        futures = {
            "GOLD": {"code": "GC", "cycle": "GJMQVZ", "periods": "1d", "start_date": start},
            "CRUDE": {"code": "CL", "cycle": "FGHJKMNQUVXZ", "periods": "1d", "start_date": start},
        }
        (folder / "futures.json").write_text(json.dumps({"future": futures}))
        stocks = {name: {"code": name, "periods": "1d", "start_date": f"{datetime.date.today().year - YEARS}-01-02"} for name in STOCKS}
        (folder / "stocks.json").write_text(json.dumps({"stock": stocks}))
        return (
            f'[providers.barchart]\nbase_url = "{self.barchart}"\nusername = "trader@example.com"\n'
            'password = "battery&staple=9"\ndaily_limit = 1000\nrequests_per_minute = 1000000\n'
            f"[providers.ibkr]\nport = {self.gateway}\n"
            f'[watchlists.barchart]\nprovider = "barchart"\nassets = "{folder}/futures.json"\n'
            f'[watchlists.ibkr]\nprovider = "ibkr"\nassets = "{folder}/stocks.json"\n'
        )


class Measured:
    """What came of one size."""

    def __init__(self, size, quick):
        self.size, self.quick = size, quick
        self.minutes = min(size.minutes, 2) if quick else size.minutes

    def run(self, server):
        """Looks for how many series it carries, and measures those."""
        probe = 20 if self.quick else PROBE
        update = self.carry(server, probe)
        self.daily = int(MOST * self.size.cores / (update / probe)) // 100 * 100
        if self.quick:
            self.daily = 40
        with Played() as played:
            self.update = self.carry(server, self.daily, self.minutes, played if self.size.several else None)
        archive = PLACE / ".local/share/vortex"
        environment = {"HOME": str(PLACE), "PATH": os.environ["PATH"]}
        listed = subprocess.run(
            [VORTEX, "archive", "list", "--contracts", "--json"], env=environment, capture_output=True, text=True, check=True
        )
        rows = json.loads(listed.stdout)
        rows = rows if isinstance(rows, list) else rows["series"]
        self.count, self.bars = len(rows), sum(row["bars"] for row in rows)
        self.bytes = sum(file.stat().st_size for file in archive.rglob("*") if file.is_file() and "raw" not in file.relative_to(archive).parts[:1])

    def configure(self, server, daily, minutes, played):
        """An empty home with its list."""
        shutil.rmtree(PLACE, ignore_errors=True)
        folder = PLACE / ".config/vortex"
        folder.mkdir(parents=True)
        first = datetime.date.fromtimestamp(server.nights[0])
        first = first.replace(year=first.year - YEARS, day=1).isoformat()
        listed = {f"S{at}": {"code": f"S{at}", "periods": "1d", "start_date": first} for at in range(daily)}
        for at in range(minutes):
            listed[f"S{at}"]["periods"] = "1d,1m"
        (folder / "assets.json").write_text(json.dumps({"stock": listed}))
        file = folder / "config.toml"
        file.write_text(
            f'[general]\nrandom_sleep_max = 0\n[general.raw]\nenabled = true\n'
            f'[providers.yahoo]\nbase_url = "{server.url}"\nrequests_per_minute = 1000000\nconcurrency = 4\n'
            '[schedule]\nschedule = ""\n' + (played.configuration(folder) if played else "")
        )
        file.chmod(0o600)

    def carry(self, server, daily, minutes=0, played=None):
        """Measures with so many series; the CPU of a day's update."""
        self.configure(server, daily, minutes, played)
        self.rows = []
        # Without a run of ours: what shares the machine with it.
        self.waiting = os.getloadavg()[0]
        server.set(now=server.nights[0])
        if minutes:
            begin = server.nights[0] - 5 * 365 * DAY
            day = datetime.datetime.fromtimestamp(begin, datetime.timezone.utc).date().isoformat()
            fill = [HELPER, "fill", PLACE / ".local/share/vortex", "1m", str(minutes), day, str(server.nights[0])]
            subprocess.run(fill, check=True, stdout=subprocess.DEVNULL)
        limited = Limited(self.size)
        try:
            with Service(PLACE, limited) as service:
                self.job(service, f"first download of {daily:,} series")
                if played:
                    self.job(service, "first download, Barchart", "--watchlist", "barchart")
                    self.job(service, "first download, Interactive Brokers", "--watchlist", "ibkr")
                server.set(now=server.nights[1])
                update = self.job(service, "the next day's update")
                self.job(service, "nothing new")
                self.idle = service.status("RssAnon")
            if limited.denied():
                sys.exit(f"{self.size.title}: the limit of memory killed it")
        finally:
            limited.remove()
        return update

    def job(self, service, name, *arguments):
        wall, cpu, peak = service.update(*arguments)
        self.rows.append([name, f"{wall:.1f} s", f"{cpu:.1f} s", f"{peak:.0f} MiB"])
        print(f"{self.size.title}: {name}: {wall:.1f} s", flush=True)
        return cpu

    def table(self):
        notes = [
            f"Carries {self.daily:,} daily series: a day's update takes {self.update / self.size.cores:.0f} s of all its cores. "
            f"{self.count:,} series with {self.bars:,} bars, {self.bytes / 2**30:.2f} GiB on disk without the raw trail; "
            f"idle afterwards: {self.idle:.1f} MiB of its own.",
            f"Measured {measured_on()}; the load of the machine was {self.waiting:.1f} before.",
        ]
        return markdown(self.size.title, ["", "wall", "CPU", "peak so far"], self.rows, notes)


STOCKS = ["SPY", "QQQ", "IWM", "AAPL", "MSFT", "NVDA", "AMZN", "TLT", "GLD", "DIA"]


def write_page(measured):
    """Puts tables, by the title of their size, into the page; those of other sizes stay."""
    page = PROJECT / "docs/sizing.md"
    head, _, rest = page.read_text().partition("<!-- measured -->\n")
    body, _, tail = rest.partition("<!-- end -->")
    tables = {part.split("\n", 1)[0]: "### " + part.strip() for part in body.split("### ")[1:]} | measured
    body = "\n\n".join(tables[size.title] for size in SIZES.values() if size.title in tables)
    page.write_text(f"{head}<!-- measured -->\n{body}\n<!-- end -->{tail}")


def measured_on():
    """The day, the machine and the version."""
    version = subprocess.run([VORTEX, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    model = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    cores = f"{os.cpu_count()} cores ({model[1] if model else platform.machine()})"
    return f"{datetime.date.today()}, within {cores}, Linux {platform.release()}; {version}"


def main():
    if "-h" in sys.argv or "--help" in sys.argv:
        print(__doc__)
        return
    parser = argparse.ArgumentParser(usage="scripts/sizing [--quick] [--write] [SIZE ...]")
    for option in ("--quick", "--write"):
        parser.add_argument(option, action="store_true")
    parser.add_argument("sizes", nargs="*", metavar="SIZE", choices=[*SIZES, []])
    options = parser.parse_args()
    PLACE.mkdir(parents=True, exist_ok=True)
    server = Server()
    try:
        for name in SIZES:
            if name in options.sizes or not options.sizes:
                measured = Measured(SIZES[name], options.quick)
                measured.run(server)
                table = measured.table()
                print(f"\n{table}\n", flush=True)
                if options.write:
                    write_page({SIZES[name].title: table})
    finally:
        server.child.kill()
        shutil.rmtree(PLACE, ignore_errors=True)


if __name__ == "__main__":
    main()
