//! Which listing of the sample market a contract of the broker means, and what is said of it.

use std::collections::{HashMap, HashSet};

use vortex::model::{self, Class, Day, instrument::DEFAULT_DAYS_COUNT};
use vortex::provider::sample::listing::{Kind, Listing};

use super::message::{Contract, Details};
use super::stamps;

/// The broker knows an expired future for that many days.
const KNOWN_AFTER_EXPIRY: i32 = 730;

/// A contract that is listed, by all its names.
#[derive(Clone, Debug)]
pub(crate) struct Quoted {
    pub(crate) contract: Contract,
    pub(crate) listing: Listing,
    /// The month of a dated future, as `YYYYMM`.
    month: String,
}

/// Where a stock may be listed: Yahoo's suffix, the currency, the exchange.
const VENUES: [(&str, &str, &str); 4] =
    [("", "USD", ""), (".L", "GBP", "LSE"), (".T", "JPY", "TSEJ"), (".AX", "AUD", "ASX")];

/// Points to currency, of futures whose roots are well known.
const MULTIPLIERS: [(&str, f64); 6] =
    [("GC", 100.0), ("SI", 5000.0), ("CL", 1000.0), ("NG", 10000.0), ("ES", 50.0), ("NQ", 20.0)];

/// Contract numbers that have been given out.
#[derive(Default)]
pub(super) struct Numbers {
    given: HashMap<i32, Contract>,
    /// Symbols whose contracts have other numbers by now.
    others: HashSet<String>,
}

impl Numbers {
    /// From now on the contracts of a symbol have other numbers, and nobody knows the old ones.
    pub(super) fn renumber(&mut self, symbol: &str) {
        self.others.insert(symbol.to_owned());
    }

    /// Everything a contract may mean at an instant; more than one where it is ambiguous.
    pub(super) fn resolve(&mut self, asked: &Contract, now: i64) -> Vec<Quoted> {
        let known = self.given.get(&asked.con_id);
        let named = match known {
            Some(known) => Contract {
                exchange: asked.exchange.clone(),
                include_expired: asked.include_expired,
                ..known.clone()
            },
            None => asked.clone(),
        };
        let mut found: Vec<Quoted> = candidates(&named, now);
        found.retain(|quoted| fits(&named, quoted) && is_known(asked, quoted, now));
        for quoted in found.iter_mut().filter(|quoted| self.others.contains(&quoted.contract.symbol)) {
            quoted.contract.con_id = quoted.contract.con_id / 2 + 1;
        }
        if asked.con_id != 0 {
            found.retain(|quoted| quoted.contract.con_id == asked.con_id);
        }
        for quoted in &found {
            self.given.insert(quoted.contract.con_id, quoted.contract.clone());
        }
        found
    }
}

/// A contract number from a name: the same in every run.
fn number_of(code: &str) -> i32 {
    let mixed =
        code.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    (mixed >> 4) as i32 + 1
}

/// What the name of a contract may mean, before anything else that is said of it is looked at.
fn candidates(asked: &Contract, now: i64) -> Vec<Quoted> {
    let symbol = if asked.symbol.is_empty() { &asked.local_symbol } else { &asked.symbol };
    let listed = |code: String| Listing::of(&code);
    match asked.sec_type.as_str() {
        "STK" => VENUES
            .into_iter()
            .filter_map(|(suffix, currency, exchange)| {
                let listing = listed(format!("{}{suffix}", symbol.replace(' ', "-")))?;
                let shares = matches!(listing.kind, Kind::Equity | Kind::Fund);
                let primary = if exchange.is_empty() { primary_of(&listing) } else { exchange };
                shares.then(|| quoted("STK", symbol, currency, "SMART", primary, listing))
            })
            .collect(),
        "CASH" => {
            let (base, currency) = symbol.split_once('.').unwrap_or((symbol, asked.currency.as_str()));
            let listing = listed(format!("{base}{currency}=X")).filter(|_| currency.len() == 3);
            listing
                .map(|listing| quoted("CASH", base, currency, "IDEALPRO", "", listing))
                .into_iter()
                .collect()
        }
        "IND" => {
            let listing = listed(format!("^{symbol}"));
            listing.map(|listing| quoted("IND", symbol, "USD", "CBOE", "", listing)).into_iter().collect()
        }
        "CRYPTO" => {
            let listing = listed(format!("{symbol}-USD"));
            listing.map(|listing| quoted("CRYPTO", symbol, "USD", "PAXOS", "", listing)).into_iter().collect()
        }
        "CONTFUT" => {
            let listing = listed(format!("{symbol}=F"));
            let of = |listing: Listing| {
                let exchange = exchange_of(&listing);
                quoted("CONTFUT", symbol, "USD", exchange, "", listing)
            };
            listing.map(of).into_iter().collect()
        }
        "FUT" => months(asked, now).into_iter().filter_map(|month| dated(symbol, month)).collect(),
        _ => Vec::new(),
    }
}

fn quoted(
    sec_type: &str,
    symbol: &str,
    currency: &str,
    exchange: &str,
    primary: &str,
    listing: Listing,
) -> Quoted {
    let local_symbol = if sec_type == "CASH" { format!("{symbol}.{currency}") } else { symbol.to_owned() };
    let trading_class = match sec_type {
        "STK" if currency == "USD" => "NMS".to_owned(),
        _ => local_symbol.clone(),
    };
    let contract = Contract {
        con_id: number_of(&format!("{sec_type} {}", listing.code)),
        symbol: symbol.to_owned(),
        sec_type: sec_type.to_owned(),
        multiplier: if sec_type.ends_with("FUT") { multiplier_of(symbol) } else { 0.0 },
        exchange: exchange.to_owned(),
        primary: primary.to_owned(),
        currency: currency.to_owned(),
        local_symbol,
        trading_class,
        ..Contract::default()
    };
    Quoted { contract, listing, month: String::new() }
}

/// One contract of a future.
fn dated(root: &str, month: model::Contract) -> Option<Quoted> {
    let listing = Listing::of_contract(root, month, DEFAULT_DAYS_COUNT)?;
    let last = listing.last_day?;
    let mut quoted = quoted("FUT", root, "USD", exchange_of(&listing), "", listing);
    quoted.month = format!("{:04}{:02}", month.year, month.month);
    quoted.contract.con_id = number_of(&format!("FUT {root} {}", quoted.month));
    quoted.contract.month = stamps::date(last);
    quoted.contract.local_symbol = format!("{root}{}{}", month.month_code(), month.year.rem_euclid(10));
    root.clone_into(&mut quoted.contract.trading_class);
    Some(quoted)
}

/// The months a future is asked for in; all that may be listed where none is said.
fn months(asked: &Contract, now: i64) -> Vec<model::Contract> {
    let digits = |from: usize, to: usize| asked.month.get(from..to).and_then(|text| text.parse::<i16>().ok());
    if let (Some(year), Some(month @ 1..=12)) = (digits(0, 4), digits(4, 6)) {
        return vec![model::Contract { year, month: month as u8 }];
    }
    let today = Day::of_utc(now).date();
    let number = i32::from(today.year()) * 12 + i32::from(today.month()) - 1;
    let back = if asked.include_expired { 25 } else { 1 };
    let month = |number: i32| model::Contract { year: (number / 12) as i16, month: (number % 12) as u8 + 1 };
    (number - back..=number + 13).map(month).collect()
}

fn multiplier_of(root: &str) -> f64 {
    MULTIPLIERS.iter().find(|(known, _)| *known == root).map_or(10.0, |(_, multiplier)| *multiplier)
}

fn exchange_of(listing: &Listing) -> &'static str {
    match listing.exchange.name {
        "CME" => "CME",
        "NYM" => "NYMEX",
        _ => "COMEX",
    }
}

fn primary_of(listing: &Listing) -> &'static str {
    match listing.exchange.name {
        "NYQ" => "NYSE",
        "PCX" => "ARCA",
        _ => "NASDAQ",
    }
}

/// Whether all that is said of a contract is true of this one.
fn fits(asked: &Contract, quoted: &Quoted) -> bool {
    let has = &quoted.contract;
    let same = |said: &str, is: &str| said.is_empty() || said == is;
    let venue = same(&asked.exchange, &has.exchange) || same(&asked.exchange, &has.primary);
    let month = match asked.month.len() {
        8 => asked.month == has.month,
        _ => same(&asked.month, &quoted.month),
    };
    venue
        && month
        && same(&asked.primary, &has.primary)
        && same(&asked.currency, &has.currency)
        && same(&asked.local_symbol, &has.local_symbol)
        && same(&asked.trading_class, &has.trading_class)
        && (asked.multiplier == 0.0 || asked.multiplier == has.multiplier)
}

/// Whether the broker still, or already, knows a contract.
fn is_known(asked: &Contract, quoted: &Quoted, now: i64) -> bool {
    let today = quoted.listing.today(now);
    let over = |last: Day| {
        let late = if asked.include_expired { KNOWN_AFTER_EXPIRY } else { 0 };
        last.plus(late) < today
    };
    quoted.listing.first_day <= today && !quoted.listing.last_day.is_some_and(over)
}

impl Quoted {
    /// How messages of the history service name it.
    pub(super) fn label(&self) -> String {
        let contract = &self.contract;
        let exchange = if contract.exchange == "SMART" { &contract.primary } else { &contract.exchange };
        format!("{}@{exchange}", contract.local_symbol)
    }

    /// The broker's name of its zone.
    pub(super) fn zone_name(&self) -> &'static str {
        stamps::broker_zone(self.listing.exchange.zone)
    }

    /// What contract details say.
    pub(super) fn details(&self, now: i64) -> Details {
        let contract = &self.contract;
        let smart = if contract.primary.is_empty() {
            contract.exchange.clone()
        } else {
            format!("SMART,{}", contract.primary)
        };
        Details {
            contract: contract.clone(),
            market_name: contract.trading_class.clone(),
            min_tick: if self.listing.class() == Class::Forex { "0.00005" } else { "0.01" }.to_owned(),
            valid_exchanges: smart,
            price_magnifier: if self.listing.currency == "GBp" { 100 } else { 1 },
            long_name: format!("SAMPLE {}", contract.symbol),
            contract_month: self.month.clone(),
            time_zone: self.zone_name().to_owned(),
            trading_hours: stamps::hours(&self.listing, now, true),
            liquid_hours: stamps::hours(&self.listing, now, false),
            expiration: contract.month.clone(),
            stock_type: match self.listing.kind {
                Kind::Equity => "COMMON".to_owned(),
                Kind::Fund => "ETF".to_owned(),
                _ => String::new(),
            },
        }
    }
}
