//! What the prices before a roll become, so that the contracts' different levels make no jump.
//!
//! Prices are adjusted backwards: those of the last contract held are its own, those before a roll are
//! moved by it and by all later rolls. A roll's measure is what the two contracts closed at on the last session
//! before it on which both did, `old` and `new`:
//!
//! - difference: `price + Σ (new − old)`, in exact decimal arithmetic, so that 1987.4 − 0.1 is 1987.3;
//! - ratio: `price × Π (new ÷ old)`, in doubles: the product of the factors from the newest roll to the
//!   oldest, then that times the price, each step rounded as IEEE 754 has it.

use rust_decimal::Decimal;

/// How earlier contracts are brought to the level of later ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Adjust {
    /// Not at all: each bar is the contract's own.
    None,
    /// By the sum of the differences at the rolls.
    Difference,
    /// By the product of the ratios at the rolls.
    Ratio,
}

impl Adjust {
    /// The name in options and files.
    pub fn name(self) -> &'static str {
        match self {
            Adjust::None => "none",
            Adjust::Difference => "difference",
            Adjust::Ratio => "ratio",
        }
    }
}

/// By what the prices of one contract are moved.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shift {
    /// Left as they are.
    None,
    /// This is added.
    Plus(Decimal),
    /// They are multiplied by this.
    Times(f64),
}

impl Shift {
    /// A price, moved; a missing one stays missing. `None` where the price has more digits than decimal
    /// arithmetic holds (28).
    pub fn apply(self, price: f64) -> Option<f64> {
        match self {
            _ if price.is_nan() => Some(price),
            Shift::None => Some(price),
            Shift::Plus(gap) if gap.is_zero() => Some(price),
            Shift::Plus(gap) => double(decimal(price)?.checked_add(gap)?),
            Shift::Times(factor) => Some(price * factor),
        }
    }
}

/// The shift of each contract held, given the closes (`old`, `new`) of the roll that begins each, the first
/// contract's left out; in the order of time. `Err` is the place of the roll that cannot be adjusted over: its
/// closes are not known, not positive where a ratio is wanted, or have too many digits.
pub fn shifts(adjust: Adjust, rolls: &[Option<(f64, f64)>]) -> Result<Vec<Shift>, usize> {
    let mut shifts = vec![match adjust {
        Adjust::None => Shift::None,
        Adjust::Difference => Shift::Plus(Decimal::ZERO),
        Adjust::Ratio => Shift::Times(1.0),
    }];
    for (at, closes) in rolls.iter().enumerate().rev() {
        let next = shifts.last().copied().unwrap_or(Shift::None);
        let shift = match (next, closes) {
            (Shift::None, _) => Some(Shift::None),
            (Shift::Plus(sum), Some((old, new))) => {
                gap(*old, *new).and_then(|gap| sum.checked_add(gap)).map(Shift::Plus)
            }
            (Shift::Times(product), Some((old, new))) => {
                ratio(*old, *new).map(|ratio| Shift::Times(product * ratio))
            }
            (_, None) => None,
        };
        shifts.push(shift.ok_or(at)?);
    }
    shifts.reverse();
    Ok(shifts)
}

/// `new − old`, exactly.
pub fn gap(old: f64, new: f64) -> Option<Decimal> {
    decimal(new)?.checked_sub(decimal(old)?)
}

/// `new ÷ old`, where both are positive.
pub fn ratio(old: f64, new: f64) -> Option<f64> {
    (old > 0.0 && new > 0.0).then_some(new / old)
}

/// A double as the shortest decimal that reads back to it, which is how prices are written.
fn decimal(value: f64) -> Option<Decimal> {
    Decimal::from_str_exact(&value.to_string()).ok()
}

/// The double nearest to a decimal.
fn double(value: Decimal) -> Option<f64> {
    value.to_string().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn differences_are_exact_and_smear_no_binary_noise() {
        assert_eq!(0.1 + 0.2, 0.30000000000000004);
        let shifts = shifts(Adjust::Difference, &[Some((1987.3, 1987.4)), Some((0.3, 0.1))]).unwrap();
        assert_eq!(shifts[2].apply(0.1), Some(0.1));
        assert_eq!(shifts[1].apply(0.3), Some(0.1));
        assert_eq!(shifts[0].apply(1987.3), Some(1987.2));
        assert_eq!(Shift::Plus(gap(0.0, 0.2).unwrap()).apply(0.1), Some(0.3));
        assert!(shifts[0].apply(f64::NAN).unwrap().is_nan());
    }

    #[test]
    fn ratios_multiply_from_the_newest_roll_to_the_oldest() {
        let shifts = shifts(Adjust::Ratio, &[Some((100.0, 110.0)), Some((50.0, 25.0))]).unwrap();
        assert_eq!(shifts, [Shift::Times(0.5 * 1.1), Shift::Times(0.5), Shift::Times(1.0)]);
    }

    #[test]
    fn a_roll_that_cannot_be_measured_is_named() {
        let rolls = [Some((1.0, 2.0)), None, Some((-37.63, 20.0))];
        assert_eq!(shifts(Adjust::Ratio, &rolls), Err(2));
        assert_eq!(shifts(Adjust::Difference, &rolls), Err(1));
        assert_eq!(shifts(Adjust::None, &rolls).unwrap(), [Shift::None; 4]);
        assert_eq!(shifts(Adjust::Difference, &[Some((1e-200, 1.0))]), Err(0));
    }

    proptest! {
        /// Prices in cents, moved by any number of rolls, are whole cents still, and differ as before.
        #[test]
        fn differences_between_prices_are_kept(
            prices in prop::collection::vec(1i64..1_000_000, 2),
            rolls in prop::collection::vec((1i64..1_000_000, 1i64..1_000_000), 0..20),
        ) {
            let cents = |cents: i64| format!("{}.{:02}", cents / 100, cents % 100).parse::<f64>().unwrap();
            let closes: Vec<_> = rolls.iter().map(|(old, new)| Some((cents(*old), cents(*new)))).collect();
            let first = shifts(Adjust::Difference, &closes).unwrap()[0];
            let sum: i64 = rolls.iter().map(|(old, new)| new - old).sum();
            for price in prices {
                let moved = price + sum;
                let (sign, of) = if moved < 0 { ("-", -moved) } else { ("", moved) };
                let expected: f64 = format!("{sign}{}.{:02}", of / 100, of % 100).parse().unwrap();
                prop_assert_eq!(first.apply(cents(price)), Some(expected));
            }
        }
    }
}
