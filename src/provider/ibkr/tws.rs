//! A gateway spoken to through the crate `ibapi`: the only file that knows it.

use std::sync::{Arc, Once};

use ibapi::contracts::{Contract, ContractDetails, Currency, Exchange, SecurityType, Symbol};
use ibapi::market_data::TradingHours;
use ibapi::market_data::historical::{self, BarSize, BarTimestamp, WhatToShow};
use ibapi::prelude::StreamExt;
use ibapi::subscriptions::{NoticeStream, SubscriptionItem};
use ibapi::{Client, Error, RateLimiter, SUBSCRIPTION_LAG_CODE};
use time::OffsetDateTime;
use tokio::sync::watch;

use super::api::{Asked, Asking, Bar, Fault, Gateway, Link, Listing, Row, Show, Span, Stamp, Told, Wanted};
use super::session::LOST;
use super::zones;

/// Frames that one request may have unread; an answer of bars is two, a search for contracts one each.
const UNREAD_FRAMES: usize = 256;

/// No price and no volume is as great: the greatest numbers of 64 bits stand for what is unset.
const UNSET: f64 = 9.2e18;
/// Bars that one answer may have: many times what is asked for at once.
const MOST_BARS: usize = 50_000;
/// Contracts that are read of one search.
const MOST_LISTINGS: usize = 300;

/// Why there is no connection.
pub(super) enum Unconnected {
    /// Another program is connected with that client id.
    ClientIdTaken,
    /// The gateway speaks an older protocol than is needed.
    TooOld {
        /// The version needed.
        needed: i32,
        /// The version found.
        found: i32,
    },
    /// It took the connection and closed it.
    Rejected,
    /// It has no account: nobody is logged in.
    NoAccount,
    /// The system's words.
    Io(std::io::Error),
    /// Anything else.
    Other(String),
}

/// A connection.
pub(super) struct Tws {
    client: Client,
    client_id: u16,
    link: watch::Receiver<Link>,
}

impl Tws {
    /// Connects. There is no limit of time: the caller sets one.
    pub(super) async fn connect(address: &str, client_id: u16) -> Result<Tws, Unconnected> {
        static ALIASES: Once = Once::new();
        ALIASES.call_once(|| {
            for (name, zone) in zones::ALIASES {
                ibapi::register_timezone_alias(*name, *zone);
            }
        });
        let (client, notices) = Client::builder()
            .address(address)
            .client_id(i32::from(client_id))
            .channel_capacity(UNREAD_FRAMES)
            // 50 messages a second is what a gateway takes before it closes the connection.
            .rate_limiter(RateLimiter::default())
            // We connect again ourselves, with another id where that is needed.
            .max_reconnect_attempts(0)
            .connect_with_notice_stream()
            .await?;
        if client.handshake_managed_accounts().iter().all(String::is_empty) {
            return Err(Unconnected::NoAccount);
        }
        let (tell, link) = watch::channel(Link::Up { losses: 0 });
        tokio::spawn(follow(notices, tell));
        Ok(Tws { client, client_id, link })
    }
}

/// Turns the gateway's notices into the state of its link, until the connection ends.
async fn follow(mut notices: NoticeStream, tell: watch::Sender<Link>) {
    let mut losses = 0;
    while let Some(notice) = notices.next().await {
        tracing::debug!("the gateway says {}: {}", notice.code, notice.message);
        losses += u32::from(notice.code == 1101);
        if let Some(link) = said_of_link(notice.code, losses) {
            tell.send_replace(link);
        }
    }
    tell.send_replace(Link::Closed);
}

/// What a notice says of the link.
fn said_of_link(code: i32, losses: u32) -> Option<Link> {
    match code {
        1100 | 2110 => Some(Link::Down { losses }),
        1101 | 1102 => Some(Link::Up { losses }),
        _ => None,
    }
}

impl Gateway for Tws {
    fn details(self: Arc<Self>, wanted: Wanted) -> Asking<Vec<Listing>> {
        Box::pin(async move {
            let search = search(wanted);
            let mut coming = self.client.contract_details_stream(&search).subscribe().await?;
            let mut found = Vec::new();
            while let Some(item) = coming.next().await {
                match item? {
                    SubscriptionItem::Data(one) => found.push(listing(one)),
                    SubscriptionItem::Notice(notice) if notice.code == SUBSCRIPTION_LAG_CODE => {
                        return Err(Fault::Unreadable(format!(
                            "more contracts match than can be read ({notice})"
                        )));
                    }
                    SubscriptionItem::Notice(_) => {}
                }
                // Dropped, it is cancelled; whoever asks sees that there are too many.
                if found.len() >= MOST_LISTINGS {
                    return Ok(found);
                }
            }
            // Without a connection it was not the end.
            if self.client.is_connected() { Ok(found) } else { Err(Fault::Lost(LOST.to_owned())) }
        })
    }

    fn head(self: Arc<Self>, of: Listing, show: Show, regular: bool) -> Asking<i64> {
        Box::pin(async move {
            let head = self.client.head_timestamp(&contract(of), what(show), hours(regular)).await?;
            Ok(head.unix_timestamp())
        })
    }

    fn bars(self: Arc<Self>, of: Listing, asked: Asked) -> Asking<Told> {
        Box::pin(async move {
            let contract = contract(of);
            let mut request = self
                .client
                .historical_data(&contract, size(asked.bar))
                .what_to_show(what(asked.show))
                .trading_hours(hours(asked.regular))
                .duration(duration(asked.duration));
            if let Some(end) = asked.end {
                let end = OffsetDateTime::from_unix_timestamp(end)
                    .map_err(|error| Fault::Unreadable(error.to_string()))?;
                request = request.ending(end);
            }
            let told = request.fetch().await?;
            // Before they are copied: so many take enough memory as they came.
            if told.bars.len() > MOST_BARS {
                return Err(Fault::Unreadable(format!(
                    "{} bars where {MOST_BARS} are many times what was asked for",
                    told.bars.len()
                )));
            }
            Ok(Told { start: told.start.unix_timestamp(), rows: told.bars.iter().map(row).collect() })
        })
    }

    fn clock(self: Arc<Self>) -> Asking<i64> {
        Box::pin(async move { Ok(self.client.server_time().await?.unix_timestamp()) })
    }

    fn link(&self) -> watch::Receiver<Link> {
        self.link.clone()
    }

    fn client_id(&self) -> u16 {
        self.client_id
    }
}

impl From<Error> for Unconnected {
    fn from(error: Error) -> Unconnected {
        match error {
            Error::ClientIdInUse { .. } => Unconnected::ClientIdTaken,
            Error::ServerVersion(needed, found, _) => Unconnected::TooOld { needed, found },
            Error::ConnectionRejected(_) | Error::ConnectionReset => Unconnected::Rejected,
            Error::Io(error) => match error.kind() {
                std::io::ErrorKind::UnexpectedEof | std::io::ErrorKind::ConnectionReset => {
                    Unconnected::Rejected
                }
                _ => Unconnected::Io(error),
            },
            Error::InvalidFrame(_) | Error::Parse(..) | Error::UnexpectedResponse(_) => Unconnected::Other(
                "something listens there that is no TWS or IB Gateway (it does not speak their protocol): set providers.ibkr.port to the socket port of the API".to_owned(),
            ),
            error => Unconnected::Other(error.to_string()),
        }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Fault {
        match error {
            Error::Notice(notice) => Fault::Said { code: notice.code, text: notice.message },
            Error::UnsupportedTimeZone(zone) => Fault::Unreadable(format!(
                "the gateway calls its time zone {zone:?}, which is not known here; set \"Send instrument-specific attributes for dual-mode API client in\" to \"UTC format\" in its API settings"
            )),
            Error::Io(_)
            | Error::ConnectionReset
            | Error::ConnectionFailed
            | Error::Shutdown
            | Error::EndOfStream
            | Error::UnexpectedEndOfStream
            | Error::InvalidFrame(_) => {
                tracing::debug!("the connection ended: {error}");
                Fault::Lost(LOST.to_owned())
            }
            error => Fault::Unreadable(format!(
                "the gateway sent a message that Vortex cannot read ({error}); install the latest TWS or IB Gateway, and where that does not help, tell us of it with a log of `-vv`"
            )),
        }
    }
}

fn search(wanted: Wanted) -> Contract {
    Contract {
        contract_id: wanted.con_id,
        symbol: Symbol::from(wanted.symbol.as_str()),
        security_type: security_type(wanted.kind),
        last_trade_date_or_contract_month: wanted.month,
        exchange: Exchange::from(wanted.exchange.as_str()),
        currency: Currency::from(wanted.currency.as_str()),
        multiplier: wanted.multiplier,
        local_symbol: wanted.local_symbol,
        trading_class: wanted.trading_class,
        include_expired: wanted.expired_too,
        ..Contract::default()
    }
}

/// A contract that was found, by number; the rest says the same in other words.
fn contract(of: Listing) -> Contract {
    Contract {
        contract_id: of.con_id,
        symbol: Symbol::from(of.symbol.as_str()),
        security_type: security_type(&of.sec_type),
        last_trade_date_or_contract_month: of.expiry,
        exchange: Exchange::from(of.exchange.as_str()),
        currency: Currency::from(of.currency.as_str()),
        multiplier: of.multiplier,
        local_symbol: of.local_symbol,
        trading_class: of.trading_class,
        include_expired: of.sec_type == "FUT",
        ..Contract::default()
    }
}

fn security_type(name: &str) -> SecurityType {
    match name {
        "STK" => SecurityType::Stock,
        "FUT" => SecurityType::Future,
        "CASH" => SecurityType::ForexPair,
        "IND" => SecurityType::Index,
        other => SecurityType::Other(other.to_owned()),
    }
}

fn listing(found: ContractDetails) -> Listing {
    let contract = found.contract;
    Listing {
        con_id: contract.contract_id,
        symbol: contract.symbol.to_string(),
        sec_type: contract.security_type.as_str().to_owned(),
        expiry: contract.last_trade_date_or_contract_month,
        month: found.contract_month,
        exchange: contract.exchange.to_string(),
        primary_exchange: contract.primary_exchange.to_string(),
        currency: contract.currency.to_string(),
        multiplier: contract.multiplier,
        local_symbol: contract.local_symbol,
        trading_class: contract.trading_class,
        long_name: found.long_name,
        price_magnifier: found.price_magnifier,
        time_zone: found.time_zone_id,
        trading_hours: found.trading_hours,
        liquid_hours: found.liquid_hours,
    }
}

const fn what(show: Show) -> WhatToShow {
    match show {
        Show::Trades => WhatToShow::Trades,
        Show::Midpoint => WhatToShow::MidPoint,
        Show::Bid => WhatToShow::Bid,
        Show::Ask => WhatToShow::Ask,
        Show::BidAsk => WhatToShow::BidAsk,
        Show::AdjustedLast => WhatToShow::AdjustedLast,
    }
}

const fn hours(regular: bool) -> TradingHours {
    if regular { TradingHours::Regular } else { TradingHours::Extended }
}

const fn size(bar: Bar) -> BarSize {
    match bar {
        Bar::Minutes(2) => BarSize::Min2,
        Bar::Minutes(5) => BarSize::Min5,
        Bar::Minutes(10) => BarSize::Min10,
        Bar::Minutes(15) => BarSize::Min15,
        Bar::Minutes(20) => BarSize::Min20,
        Bar::Minutes(30) => BarSize::Min30,
        Bar::Minutes(_) => BarSize::Min,
        Bar::Hour => BarSize::Hour,
        Bar::Day => BarSize::Day,
        Bar::Week => BarSize::Week,
        Bar::Month => BarSize::Month,
    }
}

const fn duration(span: Span) -> historical::Duration {
    match span {
        Span::D(days) => historical::Duration::days(days),
        Span::W(weeks) => historical::Duration::weeks(weeks),
        Span::M(months) => historical::Duration::months(months),
        Span::Y(years) => historical::Duration::years(years),
    }
}

fn row(bar: &historical::Bar) -> Row {
    let stamp = match bar.date {
        BarTimestamp::Date(date) => Stamp::Date(date.year() as i16, u8::from(date.month()), date.day()),
        BarTimestamp::DateTime(instant) => Stamp::Instant(instant.unix_timestamp()),
    };
    // What is unset comes as the greatest of its type.
    let some = |value: f64| Some(value).filter(|value| value.is_finite() && value.abs() < UNSET);
    Row(
        stamp,
        some(bar.open),
        some(bar.high),
        some(bar.low),
        some(bar.close),
        some(bar.volume),
        some(bar.wap),
        (bar.count != i32::MAX).then_some(f64::from(bar.count)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_notices_of_a_lost_broker_take_the_link_down() {
        for (code, wanted) in [
            (1100, Some(Link::Down { losses: 2 })),
            (2110, Some(Link::Down { losses: 2 })),
            (1101, Some(Link::Up { losses: 2 })),
            (1102, Some(Link::Up { losses: 2 })),
            (2106, None),
        ] {
            assert_eq!(said_of_link(code, 2), wanted, "{code}");
        }
    }
}
