#!/usr/bin/env python3
"""Prints, as JSON, what the broker's own client reads from a gateway.

usage: ibapi_reads.py PORT < REQUESTS

Requests are a JSON list of objects with "of" (bars, head, details, schedule), "contract" (attributes
of the client's Contract) and, but for details, "show", "regular" and "format", for bars and schedule
"end", "duration" and "size". The output is a list in the same order:
  bars      {"bars": [[stamp, open, high, low, close, volume, average, count], ...]}
  head      {"head": stamp}
  details   {"details": [[number, symbol, local symbol, exchange, primary, currency, month, zone, hours], ...]}
  schedule  {"zone": name, "sessions": [[open, close, date], ...]}
  an error  {"error": [code, text]}
A stamp is seconds since the epoch, or a text YYYYMMDD.
"""

import datetime
import json
import queue
import sys
import threading
import zoneinfo

from ibapi.client import EClient
from ibapi.contract import Contract
from ibapi.wrapper import EWrapper

# Notices, which end no request.
NOTICES = {2104, 2106, 2107, 2158, 165}


def stamp(text):
    if len(text) == 8:
        return text
    if text.isdigit():
        return int(text)
    if text[8] == "-":
        return int(datetime.datetime.strptime(text + "+0000", "%Y%m%d-%H:%M:%S%z").timestamp())
    clock, zone = text[:17], text[18:]
    local = datetime.datetime.strptime(clock, "%Y%m%d %H:%M:%S")
    return int(local.replace(tzinfo=zoneinfo.ZoneInfo(zone)).timestamp())


class Reader(EWrapper, EClient):
    def __init__(self):
        EClient.__init__(self, self)
        self.ready = threading.Event()
        self.done = queue.Queue()
        self.rows = []

    def nextValidId(self, orderId):
        self.ready.set()

    def error(self, reqId, errorTime, errorCode, errorString, advancedOrderRejectJson=""):
        if errorCode not in NOTICES:
            self.done.put({"error": [errorCode, errorString]})

    def historicalData(self, reqId, bar):
        prices = [bar.open, bar.high, bar.low, bar.close]
        self.rows.append([stamp(bar.date), *prices, float(bar.volume), float(bar.wap), bar.barCount])

    def historicalDataEnd(self, reqId, start, end):
        self.done.put({"bars": self.rows})

    def headTimestamp(self, reqId, headTimestamp):
        self.done.put({"head": stamp(headTimestamp)})

    def historicalSchedule(self, reqId, startDateTime, endDateTime, timeZone, sessions):
        rows = [[session.startDateTime, session.endDateTime, session.refDate] for session in sessions]
        self.done.put({"zone": timeZone, "sessions": rows})

    def contractDetails(self, reqId, details):
        c = details.contract
        self.rows.append([
            c.conId, c.symbol, c.localSymbol, c.exchange, c.primaryExchange, c.currency,
            c.lastTradeDateOrContractMonth, details.timeZoneId, details.liquidHours,
        ])

    def contractDetailsEnd(self, reqId):
        self.done.put({"details": self.rows})

    def ask(self, number, request):
        contract = Contract()
        for name, value in request["contract"].items():
            setattr(contract, name, value)
        self.rows = []
        if request["of"] == "details":
            self.reqContractDetails(number, contract)
        elif request["of"] == "head":
            self.reqHeadTimeStamp(
                number, contract, request["show"], int(request["regular"]), request["format"]
            )
        else:
            self.reqHistoricalData(
                number, contract, request["end"], request["duration"], request["size"],
                request["show"], int(request["regular"]), request["format"], False, [],
            )
        return self.done.get(timeout=60)


def main():
    reader = Reader()
    reader.connect("127.0.0.1", int(sys.argv[1]), 11)
    threading.Thread(target=reader.run, daemon=True).start()
    if not reader.ready.wait(30):
        sys.exit("the gateway does not let the client in")
    requests = json.load(sys.stdin)
    answers = [reader.ask(100 + number, request) for number, request in enumerate(requests)]
    version = reader.serverVersion()
    reader.disconnect()
    json.dump({"version": version, "answers": answers}, sys.stdout)


if __name__ == "__main__":
    main()
