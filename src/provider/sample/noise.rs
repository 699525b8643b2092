//! Seeded noise with random access: the same seed and place always give the same value, so that a
//! market needs no state.

/// Mixes a seed and a number into an even spread of bits (the finaliser of SplitMix64).
pub(super) fn mix(seed: u64, number: u64) -> u64 {
    let mut bits = seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// A seed from a text.
pub(super) fn seed_of(text: &str) -> u64 {
    text.bytes().fold(0x5eed, |seed, byte| mix(seed, u64::from(byte)))
}

/// An even value in 0 ≤ x < 1.
pub(super) fn unit(seed: u64, place: i64) -> f64 {
    (mix(seed, place as u64) >> 11) as f64 / (1u64 << 53) as f64
}

/// An even value in -1 ≤ x < 1.
pub(super) fn signed(seed: u64, place: i64) -> f64 {
    unit(seed, place) * 2.0 - 1.0
}

/// Noise that changes over `scale` places: values at its multiples, straight lines between.
fn octave(seed: u64, place: i64, scale: i64) -> f64 {
    let (from, part) = (place.div_euclid(scale), place.rem_euclid(scale));
    let share = part as f64 / scale as f64;
    signed(seed, from) * (1.0 - share) + signed(seed, from + 1) * share
}

/// Something like a random walk whose typical step is 1: octaves of doubling scale whose height
/// grows with the root of the scale, as that of a walk does.
pub(super) fn walk(seed: u64, place: i64) -> f64 {
    (0..10)
        .map(|power| {
            let scale = 1i64 << power;
            octave(mix(seed, power), place, scale) * (scale as f64).sqrt()
        })
        .sum()
}
