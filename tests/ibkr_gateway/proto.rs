//! The protobuf messages the gateway reads and sends, written from the field numbers of the broker's
//! protocol; fields that nothing here uses are left out.

use prost::Message;

#[derive(Clone, PartialEq, Message)]
pub(crate) struct StartApiRequest {
    #[prost(int32, optional, tag = "1")]
    pub(crate) client_id: Option<i32>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ManagedAccounts {
    #[prost(string, optional, tag = "1")]
    pub(crate) accounts: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct NextValidId {
    #[prost(int32, optional, tag = "1")]
    pub(crate) order_id: Option<i32>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ErrorMessage {
    #[prost(int32, optional, tag = "1")]
    pub(crate) id: Option<i32>,
    /// Milliseconds since the epoch.
    #[prost(int64, optional, tag = "2")]
    pub(crate) time: Option<i64>,
    #[prost(int32, optional, tag = "3")]
    pub(crate) code: Option<i32>,
    #[prost(string, optional, tag = "4")]
    pub(crate) text: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct CurrentTime {
    #[prost(int64, optional, tag = "1")]
    pub(crate) seconds: Option<i64>,
}

/// A message that holds nothing.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Nothing {}

/// A message that holds the number of a request and nothing else.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Of {
    #[prost(int32, optional, tag = "1")]
    pub(crate) request: Option<i32>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Contract {
    #[prost(int32, optional, tag = "1")]
    pub(crate) con_id: Option<i32>,
    #[prost(string, optional, tag = "2")]
    pub(crate) symbol: Option<String>,
    #[prost(string, optional, tag = "3")]
    pub(crate) sec_type: Option<String>,
    #[prost(string, optional, tag = "4")]
    pub(crate) month: Option<String>,
    #[prost(double, optional, tag = "7")]
    pub(crate) multiplier: Option<f64>,
    #[prost(string, optional, tag = "8")]
    pub(crate) exchange: Option<String>,
    #[prost(string, optional, tag = "9")]
    pub(crate) primary: Option<String>,
    #[prost(string, optional, tag = "10")]
    pub(crate) currency: Option<String>,
    #[prost(string, optional, tag = "11")]
    pub(crate) local_symbol: Option<String>,
    #[prost(string, optional, tag = "12")]
    pub(crate) trading_class: Option<String>,
    #[prost(bool, optional, tag = "18")]
    pub(crate) include_expired: Option<bool>,
    #[prost(string, optional, tag = "21")]
    pub(crate) last_trade_date: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ContractDataRequest {
    #[prost(int32, optional, tag = "1")]
    pub(crate) request: Option<i32>,
    #[prost(message, optional, tag = "2")]
    pub(crate) contract: Option<Contract>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ContractDetails {
    #[prost(string, optional, tag = "1")]
    pub(crate) market_name: Option<String>,
    #[prost(string, optional, tag = "2")]
    pub(crate) min_tick: Option<String>,
    #[prost(string, optional, tag = "3")]
    pub(crate) order_types: Option<String>,
    #[prost(string, optional, tag = "4")]
    pub(crate) valid_exchanges: Option<String>,
    #[prost(int32, optional, tag = "5")]
    pub(crate) price_magnifier: Option<i32>,
    #[prost(string, optional, tag = "7")]
    pub(crate) long_name: Option<String>,
    #[prost(string, optional, tag = "8")]
    pub(crate) contract_month: Option<String>,
    #[prost(string, optional, tag = "12")]
    pub(crate) time_zone: Option<String>,
    #[prost(string, optional, tag = "13")]
    pub(crate) trading_hours: Option<String>,
    #[prost(string, optional, tag = "14")]
    pub(crate) liquid_hours: Option<String>,
    #[prost(string, optional, tag = "22")]
    pub(crate) expiration: Option<String>,
    #[prost(string, optional, tag = "23")]
    pub(crate) stock_type: Option<String>,
    #[prost(string, optional, tag = "24")]
    pub(crate) min_size: Option<String>,
    #[prost(string, optional, tag = "25")]
    pub(crate) size_increment: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ContractData {
    #[prost(int32, optional, tag = "1")]
    pub(crate) request: Option<i32>,
    #[prost(message, optional, tag = "2")]
    pub(crate) contract: Option<Contract>,
    #[prost(message, optional, tag = "3")]
    pub(crate) details: Option<ContractDetails>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct HistoricalDataRequest {
    #[prost(int32, optional, tag = "1")]
    pub(crate) request: Option<i32>,
    #[prost(message, optional, tag = "2")]
    pub(crate) contract: Option<Contract>,
    #[prost(string, optional, tag = "3")]
    pub(crate) end: Option<String>,
    #[prost(string, optional, tag = "4")]
    pub(crate) bar_size: Option<String>,
    #[prost(string, optional, tag = "5")]
    pub(crate) duration: Option<String>,
    #[prost(bool, optional, tag = "6")]
    pub(crate) regular_hours: Option<bool>,
    #[prost(string, optional, tag = "7")]
    pub(crate) what_to_show: Option<String>,
    #[prost(int32, optional, tag = "8")]
    pub(crate) format_date: Option<i32>,
    #[prost(bool, optional, tag = "9")]
    pub(crate) keep_up_to_date: Option<bool>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct HistoricalDataBar {
    #[prost(string, optional, tag = "1")]
    pub(crate) date: Option<String>,
    #[prost(double, optional, tag = "2")]
    pub(crate) open: Option<f64>,
    #[prost(double, optional, tag = "3")]
    pub(crate) high: Option<f64>,
    #[prost(double, optional, tag = "4")]
    pub(crate) low: Option<f64>,
    #[prost(double, optional, tag = "5")]
    pub(crate) close: Option<f64>,
    #[prost(string, optional, tag = "6")]
    pub(crate) volume: Option<String>,
    #[prost(string, optional, tag = "7")]
    pub(crate) average: Option<String>,
    #[prost(int32, optional, tag = "8")]
    pub(crate) count: Option<i32>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct HistoricalData {
    #[prost(int32, optional, tag = "1")]
    pub(crate) request: Option<i32>,
    #[prost(message, repeated, tag = "2")]
    pub(crate) bars: Vec<HistoricalDataBar>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct HistoricalDataEnd {
    #[prost(int32, optional, tag = "1")]
    pub(crate) request: Option<i32>,
    #[prost(string, optional, tag = "2")]
    pub(crate) start: Option<String>,
    #[prost(string, optional, tag = "3")]
    pub(crate) end: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct HeadTimestampRequest {
    #[prost(int32, optional, tag = "1")]
    pub(crate) request: Option<i32>,
    #[prost(message, optional, tag = "2")]
    pub(crate) contract: Option<Contract>,
    #[prost(bool, optional, tag = "3")]
    pub(crate) regular_hours: Option<bool>,
    #[prost(string, optional, tag = "4")]
    pub(crate) what_to_show: Option<String>,
    #[prost(int32, optional, tag = "5")]
    pub(crate) format_date: Option<i32>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct HeadTimestamp {
    #[prost(int32, optional, tag = "1")]
    pub(crate) request: Option<i32>,
    #[prost(string, optional, tag = "2")]
    pub(crate) timestamp: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct HistoricalSession {
    #[prost(string, optional, tag = "1")]
    pub(crate) start: Option<String>,
    #[prost(string, optional, tag = "2")]
    pub(crate) end: Option<String>,
    #[prost(string, optional, tag = "3")]
    pub(crate) date: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct HistoricalSchedule {
    #[prost(int32, optional, tag = "1")]
    pub(crate) request: Option<i32>,
    #[prost(string, optional, tag = "2")]
    pub(crate) start: Option<String>,
    #[prost(string, optional, tag = "3")]
    pub(crate) end: Option<String>,
    #[prost(string, optional, tag = "4")]
    pub(crate) time_zone: Option<String>,
    #[prost(message, repeated, tag = "5")]
    pub(crate) sessions: Vec<HistoricalSession>,
}
