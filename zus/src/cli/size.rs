// SPDX-License-Identifier: MIT
//! Sizes as people write them.

use anyhow::{Result, anyhow, bail};

const UNITS: [(char, u32); 4] = [('K', 10), ('M', 20), ('G', 30), ('T', 40)];

/// The number of bytes in `text`: a number, whole or with decimals, and K, M, G or T (powers of 1024; "KiB" and
/// so on mean the same) or nothing.
///
/// # Errors
/// If it is anything else, nothing, or more than a file can hold.
pub fn parse(text: &str) -> Result<u64> {
    let nonsense = || anyhow!("size {text:?}: expected a number and K, M, G or T, such as 512M or 1.5G");
    let plain = text.trim().to_ascii_uppercase();
    let plain = plain.strip_suffix("IB").unwrap_or(&plain);
    let unit = UNITS.iter().find(|(unit, _)| plain.ends_with(*unit));
    let (number, shift) = match unit {
        Some((unit, shift)) => (plain.strip_suffix(*unit).unwrap_or(plain), *shift),
        None => (plain, 0),
    };
    let (whole, decimals) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(decimals) || decimals.len() > 9 {
        return Err(nonsense());
    }
    let too_large = || anyhow!("size {text:?}: larger than a file can be");
    let whole: u64 = whole.parse().map_err(|_| too_large())?;
    let scale = 10_u128.pow(decimals.len() as u32);
    let part = (u128::from(decimals.parse::<u64>().map_err(|_| nonsense())?) << shift) / scale;
    let bytes = (u128::from(whole) << shift) + part;
    match u64::try_from(bytes) {
        Ok(0) => bail!("size {text:?}: nothing fits into nothing"),
        Ok(bytes) if bytes <= i64::MAX as u64 => Ok(bytes),
        _ => Err(too_large()),
    }
}

/// `bytes` with the largest unit that leaves at least one before the point: "1.5 GiB".
pub fn show(bytes: u64) -> String {
    match UNITS.iter().rfind(|(_, shift)| bytes >> shift > 0) {
        Some((unit, shift)) => {
            let value = format!("{:.1}", bytes as f64 / (1_u64 << shift) as f64);
            format!("{} {unit}iB", value.strip_suffix(".0").unwrap_or(&value))
        }
        None => format!("{bytes} B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        let good = [
            ("1", 1),
            ("4096", 4096),
            ("1K", 1 << 10),
            ("256m", 256 << 20),
            ("1G", 1 << 30),
            ("1GiB", 1 << 30),
            (" 2T ", 2 << 40),
            ("1.5G", 3 << 29),
            ("0.5K", 512),
        ];
        for (text, bytes) in good {
            assert_eq!(parse(text).unwrap(), bytes, "{text}");
        }
    }

    #[test]
    fn nonsense_is_named() {
        let bad = [
            "",
            "G",
            "-1G",
            "+1G",
            "1X",
            "1 G B",
            "1GG",
            "1KM",
            "one",
            "1e9",
            "0x10",
            ".5G",
            "1.G",
            "1..5G",
            "iB",
            "0",
            "0G",
            "0.0000001K",
            "99999999999999999999",
            "8388608T",
            "9223372036854775808",
            "1.1111111111G",
            "1\0G",
        ];
        for text in bad {
            let error = parse(text)
                .map(|bytes| panic!("{text:?} is {bytes}"))
                .unwrap_err()
                .to_string();
            assert!(
                error.contains(&format!("{text:?}")) && !error.contains('\n'),
                "{error}"
            );
        }
    }

    #[test]
    fn sizes_are_shown_short() {
        for (bytes, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1 KiB"),
            (3 << 29, "1.5 GiB"),
            (5 << 40, "5 TiB"),
        ] {
            assert_eq!(show(bytes), text);
        }
    }
}
