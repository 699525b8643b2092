//! The value columns of a bar, and which of them a series has.

use super::instrument::Class;
use super::period::Period;

/// A value column. The order is that of the Parquet schema and of every CSV.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Column {
    /// First price.
    Open,
    /// Highest price.
    High,
    /// Lowest price.
    Low,
    /// Last price, or the settlement of a future.
    Close,
    /// Units traded.
    Volume,
    /// Close adjusted for splits and dividends, as of the fetch.
    AdjClose,
    /// Cash paid on this date, in the provider's (split-adjusted) currency units.
    Dividends,
    /// New shares for one old share on this date; 0 on days without a split.
    StockSplits,
    /// Capital gains distributed on this date (funds).
    CapitalGains,
    /// Contracts open at the end of the session.
    OpenInterest,
    /// Volume-weighted average price.
    Wap,
    /// Number of trades.
    Count,
}

impl Column {
    /// Every column, in the order of the Parquet schema.
    pub const ALL: [Column; 12] = [
        Column::Open,
        Column::High,
        Column::Low,
        Column::Close,
        Column::Volume,
        Column::AdjClose,
        Column::Dividends,
        Column::StockSplits,
        Column::CapitalGains,
        Column::OpenInterest,
        Column::Wap,
        Column::Count,
    ];

    /// The header in CSV and Parquet.
    pub const fn name(self) -> &'static str {
        match self {
            Column::Open => "Open",
            Column::High => "High",
            Column::Low => "Low",
            Column::Close => "Close",
            Column::Volume => "Volume",
            Column::AdjClose => "Adj Close",
            Column::Dividends => "Dividends",
            Column::StockSplits => "Stock Splits",
            Column::CapitalGains => "Capital Gains",
            Column::OpenInterest => "Open Interest",
            Column::Wap => "WAP",
            Column::Count => "Count",
        }
    }

    /// The column of a header.
    pub fn named(name: &str) -> Option<Column> {
        Column::ALL.into_iter().find(|column| column.name() == name)
    }

    /// Holds a price, so a split divides it.
    pub const fn is_price(self) -> bool {
        matches!(
            self,
            Column::Open | Column::High | Column::Low | Column::Close | Column::AdjClose | Column::Wap
        )
    }

    /// The columns a series has: what follows from provider, class and period, never from content.
    pub fn of(provider: &str, class: Class, dated: bool, period: Period) -> &'static [Column] {
        use Column::*;
        const BARE: &[Column] = &[Open, High, Low, Close, Volume];
        const YAHOO: &[Column] =
            &[Open, High, Low, Close, Volume, AdjClose, Dividends, StockSplits, CapitalGains];
        const OPEN_INTEREST: &[Column] = &[Open, High, Low, Close, Volume, OpenInterest];
        const IBKR: &[Column] = &[Open, High, Low, Close, Volume, Wap, Count];
        match (provider, class) {
            ("ibkr", _) => IBKR,
            // What Vortex derives of contracts (`continuous`) has their columns.
            (_, Class::Future)
                if period == Period::D1 && (matches!(provider, "barchart" | "vortex") || dated) =>
            {
                OPEN_INTEREST
            }
            ("barchart" | "vortex", _) => BARE,
            _ if dated || period.is_intraday() => BARE,
            _ => YAHOO,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_follow_from_what_the_series_is() {
        assert_eq!(Column::of("yahoo", Class::Stock, false, Period::D1).len(), 9);
        assert_eq!(Column::of("yahoo", Class::Forex, false, Period::Mo3).len(), 9);
        assert_eq!(Column::of("yahoo", Class::Stock, false, Period::H1).len(), 5);
        assert_eq!(Column::of("sample", Class::Future, true, Period::D1).last(), Some(&Column::OpenInterest));
        assert_eq!(Column::of("sample", Class::Future, true, Period::M5).len(), 5);
        for column in Column::ALL {
            assert_eq!(Column::named(column.name()), Some(column));
        }
    }
}
