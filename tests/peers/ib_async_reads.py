#!/usr/bin/env python3
"""Prints, as JSON, what ib_async reads from a gateway by its protocol of text.

usage: ib_async_reads.py PORT < REQUESTS

Requests and answers are those of ibapi_reads.py.
"""

import datetime
import json
import logging
import sys

import ib_async

# Notices, which end no request.
NOTICES = {2104, 2106, 2107, 2158, 165}


def stamp(date):
    if isinstance(date, datetime.datetime):
        # Heads come in UTC without saying so.
        return int((date if date.tzinfo else date.replace(tzinfo=datetime.timezone.utc)).timestamp())
    return date.strftime("%Y%m%d")


def row(bar):
    prices = [bar.open, bar.high, bar.low, bar.close]
    return [stamp(bar.date), *prices, bar.volume, bar.average, bar.barCount]


def about(details):
    c = details.contract
    return [
        c.conId, c.symbol, c.localSymbol, c.exchange, c.primaryExchange, c.currency,
        c.lastTradeDateOrContractMonth, details.timeZoneId, details.liquidHours,
    ]


class Reader:
    def __init__(self, port):
        self.errors = []
        self.ib = ib_async.IB()
        self.ib.errorEvent += self.heard
        nothing = ib_async.StartupFetchNONE
        self.ib.connect("127.0.0.1", port, clientId=12, timeout=30, readonly=True, fetchFields=nothing)

    def heard(self, number, code, text, contract):
        if code not in NOTICES:
            self.errors.append([code, text])

    def ask(self, request):
        self.errors.clear()
        contract = ib_async.Contract(**request["contract"])
        answer = self.answer(request, contract)
        return {"error": self.errors[0]} if self.errors else answer

    def answer(self, request, contract):
        ib = self.ib
        if request["of"] == "details":
            return {"details": [about(details) for details in ib.reqContractDetails(contract)]}
        if request["of"] == "head":
            head = ib.reqHeadTimeStamp(contract, request["show"], request["regular"], request["format"])
            return {"head": stamp(head) if head else None}
        if request["of"] == "schedule":
            schedule = ib.reqHistoricalSchedule(
                contract, int(request["duration"].split()[0]), request["end"], request["regular"]
            )
            sessions = [[s.startDateTime, s.endDateTime, s.refDate] for s in schedule.sessions]
            return {"zone": schedule.timeZone, "sessions": sessions}
        bars = ib.reqHistoricalData(
            contract, request["end"], request["duration"], request["size"], request["show"],
            request["regular"], request["format"], timeout=60,
        )
        return {"bars": [row(bar) for bar in bars]}


def main():
    # It logs the errors that are asked for.
    logging.disable(logging.CRITICAL)
    reader = Reader(int(sys.argv[1]))
    answers = [reader.ask(request) for request in json.load(sys.stdin)]
    version = reader.ib.client.serverVersion()
    reader.ib.disconnect()
    json.dump({"version": version, "answers": answers}, sys.stdout)


if __name__ == "__main__":
    main()
